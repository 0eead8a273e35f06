// SPDX-License-Identifier: BSD-3-Clause
/* The generator "tcpdump": an expression as a program that starts at @opts->l3_off. */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/text.h"
#include "gen_priv.h"

#define DLT_RAW_IP 12 /* what libpcap calls DLT_RAW here */
#define DLT_ETHER 1
#define DLT_COOKED 113 /* LINUX_SLL */

/* The offsets that name a link type, as in bpftools. @before is put before the expression. */
static const struct {
	uint32_t l3_off;
	int dlt;
	const char *before;
} links[] = {
	{0, DLT_RAW_IP, NULL},
	{14, DLT_ETHER, NULL},
	{16, DLT_COOKED, NULL},
	{18, DLT_ETHER, "vlan"},
};

/* Any other offset: compiled for raw IP, with all loads moved. */
static void
move_loads(struct cbpf_insn *insns, size_t n, uint32_t off)
{
	for (size_t i = 0; i < n; i++)
		switch (insns[i].code) {
		case CBPF_CODE_LD_W_ABS:
		case CBPF_CODE_LD_H_ABS:
		case CBPF_CODE_LD_B_ABS:
		case CBPF_CODE_LD_W_IND:
		case CBPF_CODE_LD_H_IND:
		case CBPF_CODE_LD_B_IND:
		case CBPF_CODE_LDX_MSH: insns[i].k += off; break;
		}
}

/* "vlan and (not (a b c))", as far as asked for. */
static void
write_expr(struct sbuf *out, const struct gen_opts *opts, const char *before, int argc,
	const char *const *argv)
{
	if (before != NULL)
		sbuf_addf(out, "%s and (", before);
	sbuf_adds(out, opts->negate ? "not (" : "");
	for (int i = 0; i < argc; i++)
		sbuf_addf(out, "%s%s", i > 0 ? " " : "", argv[i]);
	sbuf_adds(out, opts->negate ? ")" : "");
	sbuf_adds(out, before != NULL ? ")" : "");
}

static int
finish(const char *expr, struct gen_out *ret_out, struct diag *diag)
{
	struct sbuf text = SBUF_INIT;

	sbuf_adds(&text, "    ; ");
	for (const char *c = expr; *c != '\0'; c++)
		sbuf_addc(&text, (unsigned char)*c < ' ' ? ' ' : *c); /* a comment is one line */
	sbuf_addc(&text, '\n');
	cbpf_dis(ret_out->insns, ret_out->n, &text);
	ret_out->text = sbuf_take(&text);
	sbuf_fini(&text);
	return ret_out->text != NULL ? 0 : diag_fail(diag, -ENOMEM, "out of memory");
}

/* What to compile for, and how to move it there. */
struct target {
	int dlt;
	const char *before; /* put before the expression, NULL: nothing */
	bool moved; /* the loads start at opts->l3_off */
	bool has_link; /* it was named, and is not raw IP */
};

/* Read the options, of which --link is the only one. Returns the number of their words. */
static int
read_options(int argc, const char *const *argv, const struct gen_opts *opts, struct target *t,
	struct diag *diag)
{
	int i = 0, r;

	*t = (struct target){.dlt = DLT_RAW_IP, .moved = true};
	for (size_t j = 0; j < DIM(links); j++)
		if (links[j].l3_off == opts->l3_off)
			*t = (struct target){.dlt = links[j].dlt, .before = links[j].before};
	if (argc > 0 && strcmp(argv[0], "--link") == 0) {
		if (argc == 1)
			return diag_fail(
				diag, -EINVAL, "expected a link type behind --link, as in EN10MB");
		if (opts->l3_off != 0)
			return diag_fail(diag, -EINVAL,
				"--link says where the IP header is, and so does an offset; expected one of them");
		r = gen_link(argv[1], &t->dlt, diag);
		if (r < 0)
			return r;
		t->has_link = t->dlt != DLT_RAW_IP;
		i = 2;
	}
	if (i < argc && strcmp(argv[i], "--") == 0)
		i++;
	if (i == argc)
		return diag_fail(
			diag, -EINVAL, "tcpdump needs an expression, as in: tcpdump udp port 53");
	return i;
}

static int
tcpdump_run(const struct gen_opts *opts, int argc, const char *const *argv, struct gen_out *ret_out,
	struct diag *diag)
{
	struct sbuf expr = SBUF_INIT;
	struct target t;
	int used, r;

	used = read_options(argc, argv, opts, &t, diag);
	if (used < 0)
		return used;
	write_expr(&expr, opts, t.before, argc - used, argv + used);
	r = sbuf_ok(&expr) ? 0 : diag_fail(diag, -ENOMEM, "out of memory");
	if (r == 0)
		r = gen_expr_for(sbuf_str(&expr), t.dlt,
			"Ethernet: --link EN10MB, or in a rule expr with link = ether",
			&ret_out->insns, &ret_out->n, diag);
	if (r == 0 && t.moved)
		move_loads(ret_out->insns, ret_out->n, opts->l3_off);
	if (r == 0)
		r = finish(sbuf_str(&expr), ret_out, diag);
	if (r == 0) {
		ret_out->has_link = t.has_link;
		ret_out->dlt = t.dlt;
	}
	sbuf_fini(&expr);
	return r;
}

const struct gen_type gen_tcpdump = {
	.name = "tcpdump",
	.help = "Match a tcpdump expression.",
	.usage = "tcpdump [--link DLT_NAME] EXPRESSION...\n"
		 "\n"
		 "  --link DLT_NAME  compile for this link type: EN10MB, RAW, LINUX_SLL2, PPP …\n"
		 "\n"
		 "The words are one expression of pcap-filter(7). It is compiled for raw IP,\n"
		 "with offset 14 for Ethernet, 16 for Linux cooked captures, 18 for Ethernet\n"
		 "with a VLAN tag, and with any other for raw IP behind so many bytes, which\n"
		 "len, less and greater count too.\n",
	.run = tcpdump_run,
};
