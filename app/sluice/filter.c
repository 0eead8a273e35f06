// SPDX-License-Identifier: BSD-3-Clause
#include "filter.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "cli.h"
#include "gen/gen.h"
#include "pkt/savefile.h"
#include "pkt/view.h"
#include "rules/ruleset.h"

#define DLT_RAW_IP 12 /* pcap-linktype(7): RAW, as pcap_open_dead() takes it */
#define ASM_MAX ((size_t)16 << 20) /* bytes of a program's text */

static const char name_of_one[] = "match";

static int
out_of_memory(struct diag *diag)
{
	return diag_fail(diag, -ENOMEM, "out of memory");
}

/* One rule that is the program, so that it goes the way that rules go. */
static int
make_image(struct filter *f, struct diag *diag)
{
	const struct match_rule rule = {
		.name = name_of_one,
		.action = MATCH_DROP,
		.enabled = true,
		.scope.src.any = true,
		.scope.dst.any = true,
		.scope.ports = UINT64_MAX,
		.link = f->conf.raw ? MATCH_LINK_RAW : MATCH_LINK_ETHER,
		.prog = {f->prog, f->conf.raw ? f->prog : NULL},
	};

	return match_image_new(&rule, 1, MATCH_ENGINE_AUTO, &f->image, diag);
}

static int
make_engine(struct filter *f, struct diag *diag)
{
	int r = 0;

	if (f->conf.engine == FILTER_MATCH)
		return make_image(f, diag);
	if (f->conf.engine == FILTER_INTERP)
		return 0;
	r = cbpf_jit_new(f->prog, &f->jit, diag);
	/* Only who asked for the JIT has to know that there is none. */
	if ((r == -ENOSYS || r == -EPERM) && f->conf.engine == FILTER_DEFAULT)
		r = 0;
	return r;
}

/* Replace the program by @insns, which are freed. */
static int
take_program(struct filter *f, struct cbpf_insn *insns, size_t n, struct diag *diag)
{
	struct cbpf_prog *prog = NULL;
	int r = cbpf_prog_new(insns, n, &prog, diag);

	mem_free(insns);
	if (r < 0)
		return r;
	match_image_free(f->image);
	cbpf_jit_free(f->jit);
	cbpf_prog_free(f->prog);
	f->image = NULL;
	f->jit = NULL;
	f->prog = prog;
	return make_engine(f, diag);
}

static int
from_bytecode(struct filter *f, struct diag *diag)
{
	struct cbpf_insn *insns = NULL;
	struct diag why = {0};
	size_t n = 0;
	int r = cbpf_read_xt(f->conf.bytecode, &insns, &n, &why);

	if (r == 0)
		r = take_program(f, insns, n, &why);
	return r < 0 ? diag_fail(diag, r, "-b: %s", why.msg) : 0;
}

static int
from_asm_file(struct filter *f, struct diag *diag)
{
	struct cbpf_insn *insns = NULL;
	char *text = NULL;
	size_t n = 0, len = 0;
	int r = file_read(f->conf.asm_file, ASM_MAX, &text, &len, diag);

	diag_set_file(diag, f->conf.asm_file);
	if (r == 0 && memchr(text, '\0', len) != NULL)
		r = diag_fail(diag, -EINVAL, "expected text, got a NUL byte");
	if (r == 0)
		r = cbpf_read(text, &insns, &n, diag);
	if (r == 0) {
		r = take_program(f, insns, n, diag);
		/* From here on a line would be an instruction's number, which the sentence has. */
		diag->line = 0;
		diag->col = 0;
	}
	if (r == 0)
		*diag = (struct diag){0};
	mem_free(text);
	return r;
}

static int
from_expr(struct filter *f, int dlt, struct diag *diag)
{
	struct cbpf_insn *insns = NULL;
	struct diag why = {0};
	size_t n = 0;
	int r = gen_expr_for(f->conf.expr, f->conf.raw ? DLT_RAW_IP : dlt,
		"Ethernet, which --link raw takes away", &insns, &n, &why);

	if (r == 0)
		r = take_program(f, insns, n, &why);
	if (r == -ENOMEM)
		return out_of_memory(diag);
	return r < 0 ? diag_fail(diag, r, "-e: %s", why.msg) : 0;
}

static int
from_rules(struct filter *f, struct diag *diag)
{
	const struct rules_opts opts = {
		.offline = true,
		.location = f->conf.location,
		.engine = f->conf.engine == FILTER_INTERP ? MATCH_ENGINE_INTERP
			: f->conf.engine == FILTER_JIT    ? MATCH_ENGINE_JIT
							  : MATCH_ENGINE_AUTO,
	};

	return rules_file_load(f->conf.rules, &opts, &f->rules, diag);
}

int
filter_check(struct filter_conf *conf, const char *link)
{
	const char *const programs[] = {conf->bytecode, conf->expr, conf->asm_file, conf->rules};
	size_t n = 0;

	for (size_t i = 0; i < DIM(programs); i++)
		n += programs[i] != NULL;
	if (n > 1)
		return cli_fail(CLI_USAGE, "expected one of -b, -e, -c and -r, got %zu of them", n);
	if (link != NULL && strcmp(link, "raw") != 0)
		return cli_fail(CLI_USAGE, "--link: expected raw, got '%.60s'", link);
	if (link != NULL && conf->rules != NULL)
		return cli_fail(CLI_USAGE, "--link: each rule of -r has its own link");
	if (conf->location != NULL && conf->rules == NULL)
		return cli_fail(CLI_USAGE, "--location: expected -r RULES with it");
	conf->raw = link != NULL;
	return CLI_DONE;
}

int
filter_init(const struct filter_conf *conf, struct filter *ret, struct diag *diag)
{
	*ret = (struct filter){.conf = *conf, .dlt = -1};
	if (conf->bytecode != NULL)
		return from_bytecode(ret, diag);
	if (conf->asm_file != NULL)
		return from_asm_file(ret, diag);
	if (conf->rules != NULL)
		return from_rules(ret, diag);
	return 0;
}

int
filter_link(struct filter *f, int dlt, struct diag *diag)
{
	int r;

	if (f->conf.raw && !pkt_link_known(dlt))
		return diag_fail(diag, -EINVAL,
			"--link raw: link type %s (%d) is none that can be removed",
			pkt_link_name(dlt), dlt);
	if (f->conf.expr == NULL || f->dlt == dlt)
		return 0;
	r = from_expr(f, dlt, diag);
	if (r == 0)
		f->dlt = dlt;
	return r;
}

/* The program on each datagram; what is not IP does not match. */
static void
ask_datagrams(const struct filter *f, cbpf_fn fn, const struct pkt_view *views, uint32_t n,
	const char **ret)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct pkt_view *v = &views[i];
		const uint8_t *ip = v->frame + v->l3_off;
		uint32_t hit = 0;

		if (v->family != 0)
			hit = fn != NULL ? fn(ip, v->l3_caplen, v->l3_len)
					 : cbpf_run(f->prog, ip, v->l3_caplen, v->l3_len);
		ret[i] = hit != 0 ? name_of_one : NULL;
	}
}

/* The program on each frame, which needs no look at what the frame is. */
static void
ask_frames(const struct filter *f, cbpf_fn fn, const struct pkt_frame *frames, uint32_t n,
	const char **ret)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct pkt_frame *p = &frames[i];
		uint32_t hit = fn != NULL ? fn(p->data, p->caplen, p->wirelen)
					  : cbpf_run(f->prog, p->data, p->caplen, p->wirelen);

		ret[i] = hit != 0 ? name_of_one : NULL;
	}
}

static void
ask_image(const struct filter *f, const struct match_image *image, const struct pkt_view *views,
	uint32_t n, const char **ret)
{
	uint32_t from[MATCH_BURST] = {0}, found[MATCH_BURST];
	uint8_t which[MATCH_BURST] = {0};

	for (uint32_t i = 0; i < n; i++)
		which[i] = (uint8_t)i;
	match_image_first(image, views, which, n, 0, from, found);
	for (uint32_t i = 0; i < n; i++) {
		if (found[i] == MATCH_NONE)
			ret[i] = NULL;
		else
			ret[i] = image == f->image ? name_of_one
						   : ruleset_info(f->rules.rules, found[i])->name;
	}
}

void
filter_burst(const struct filter *f, int dlt, const struct pkt_frame *frames, uint32_t n,
	const char **ret)
{
	const struct match_image *image = f->conf.rules != NULL ? f->rules.image : f->image;
	const cbpf_fn fn = f->jit != NULL ? cbpf_jit_fn(f->jit) : NULL;
	struct pkt_view views[MATCH_BURST];

	if (image == NULL && f->prog == NULL) {
		for (uint32_t i = 0; i < n; i++)
			ret[i] = name_of_one;
		return;
	}
	if (image == NULL && !f->conf.raw) {
		ask_frames(f, fn, frames, n, ret);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		pkt_parse_link(dlt, frames[i].data, frames[i].caplen, frames[i].wirelen, &views[i]);
	if (image != NULL)
		ask_image(f, image, views, n, ret);
	else
		ask_datagrams(f, fn, views, n, ret);
}

void
filter_fini(struct filter *f)
{
	match_image_free(f->image);
	cbpf_jit_free(f->jit);
	cbpf_prog_free(f->prog);
	rules_file_fini(&f->rules);
	*f = (struct filter){0};
}
