// SPDX-License-Identifier: BSD-3-Clause
/*
 * From match, expr, bytecode or file to validated programs, one per family
 * where a generator makes them, and what a generator's program takes for
 * granted into the rule's scope.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "base/vec.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "gen/gen.h"
#include "keys.h"

#define DLT_RAW_IP 12 /* pcap-linktype(7): RAW, as pcap_open_dead() takes it */
#define DLT_ETHER 1 /* EN10MB */

/* An entry and its sentence, or memory. */
static int
fail(struct load *l, const struct draft *d, const struct ini_entry *e, int err,
	const struct diag *why)
{
	if (err == -ENOMEM)
		return load_out_of_memory(l->diag);
	return ini_fail(l->diag, -EINVAL, d->s, e, "%s: %s", e->key, why->msg);
}

/* Validate @insns and give the program to the ruleset, which frees it. */
static int
keep_program(struct load *l, const struct cbpf_insn *insns, size_t n,
	const struct cbpf_prog **ret_prog, struct diag *why)
{
	struct diag d = {0};
	struct cbpf_prog *prog;
	struct cbpf_prog **slot = vec_push(&l->rs->store->progs);
	int r;

	if (slot == NULL)
		return load_out_of_memory(why);
	r = cbpf_prog_new(insns, n, &prog, &d);
	if (r == -ENOMEM)
		return load_out_of_memory(why);
	if (r < 0)
		return diag_fail(why, r, "%s", d.msg);
	*slot = prog;
	*ret_prog = prog;
	return 0;
}

/* Keep @text, of program @number, for who asked for it. */
static int
keep_text(struct load *l, struct draft *d, size_t number, const char *text, struct diag *why)
{
	if (!l->opts->keep_text || text == NULL)
		return 0;
	d->text[number] = arena_strndup(&l->rs->store->arena, text, strlen(text));
	return d->text[number] != NULL ? 0 : load_out_of_memory(why);
}

/* The words of "match =", sorted into options for all generators and the rest. */
struct words {
	struct gen_opts opts;
	bool inet6;
	const char *type;
	const char **argv; /* the generator's own */
	int argc;
};

static bool
is_one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* Options stand before or behind the type, up to "--"; those that make no sense here are refused. */
static int
sort_words(char **argv, int argc, struct words *w, struct diag *why)
{
	bool options = true;

	for (int i = 0; i < argc; i++) {
		const char *a = argv[i];

		if (options && is_one_of(a, "-6", "--inet6")) {
			w->inet6 = true;
		} else if (options && is_one_of(a, "-n", "--negate")) {
			w->opts.negate = true;
		} else if (options &&
			(is_one_of(a, "-o", "--offset") || is_one_of(a, "-s", "--assembly") ||
				is_one_of(a, "-f", "--format") ||
				is_one_of(a, "-x", "--extensions"))) {
			return diag_fail(why, -EINVAL, "a rule has no option %s", a);
		} else if (w->type == NULL) {
			if (a[0] == '-')
				return diag_fail(why, -EINVAL,
					"expected a generator's name, got '%.60s'", a);
			w->type = a;
		} else if (options && strcmp(a, "--") == 0) {
			options = false; /* what follows is the generator's own, as in sluice gen */
		} else {
			w->argv[w->argc++] = a;
		}
	}
	/* A rule's link decides that. */
	if (w->argc > 0 && strcmp(w->argv[0], "--link") == 0)
		return diag_fail(why, -EINVAL, "a rule has no option --link");
	return w->type != NULL ? 0 : diag_fail(why, -EINVAL, "expected a generator's name");
}

/*
 * A range of one number for a scope, in the ruleset's arena. 0 is "any".
 */
static int
one_number(struct load *l, uint16_t v, struct match_ranges *ret, struct diag *why)
{
	struct u16_range *range;

	if (v == 0)
		return 0;
	range = arena_zalloc(&l->rs->store->arena, sizeof(*range));
	if (range == NULL)
		return load_out_of_memory(why);
	*range = (struct u16_range){v, v};
	*ret = (struct match_ranges){range, 1};
	return 0;
}

/*
 * Ports that the rule does not name come from the generator. The protocol is
 * what its program reads: a rule may repeat it but not change it.
 */
static int
merge_scope(struct load *l, struct draft *d, const struct words *w, const struct gen_scope *g)
{
	struct match_scope *s = &d->m.scope;
	const struct ini_entry *e = d->given[RULE_KEY_proto];
	struct diag why = {0};
	int r = 0;

	if (e != NULL && g->proto != 0 &&
		(s->proto.n != 1 || s->proto.v[0].lo != g->proto || s->proto.v[0].hi != g->proto))
		return draft_fail(l, d, e,
			"proto: '%.60s' contradicts match = %.20s, whose program is for protocol %u alone",
			e->value, w->type, g->proto);
	if (e == NULL)
		r = one_number(l, g->proto, &s->proto, &why);
	if (r == 0 && d->given[RULE_KEY_sport] == NULL)
		r = one_number(l, g->sport, &s->sport, &why);
	if (r == 0 && d->given[RULE_KEY_dport] == NULL)
		r = one_number(l, g->dport, &s->dport, &why);
	return r < 0 ? load_out_of_memory(l->diag) : 0;
}

/* The generator's program for @family, 4 or 6. */
static int
generate(struct load *l, struct draft *d, const struct words *w, uint8_t family,
	struct gen_scope *ret_scope, struct diag *why)
{
	struct gen_opts opts = w->opts;
	struct gen_out out;
	int r;

	opts.family = family;
	r = gen_run(w->type, &opts, w->argc, w->argv, &out, why);
	if (r < 0)
		return r;
	r = keep_program(l, out.insns, out.n, &d->m.prog[family == 6], why);
	if (r == 0)
		r = keep_text(l, d, family == 6, out.text, why);
	*ret_scope = out.scope;
	gen_out_fini(&out);
	return r;
}

static int
generate_families(struct load *l, struct draft *d, const struct ini_entry *e, struct words *w)
{
	const struct ini_entry *fam = d->given[RULE_KEY_family];
	const struct ini_entry *link = d->given[RULE_KEY_link];
	struct gen_scope scope = {0};
	struct diag why = {0};
	int r = 0;

	if (d->m.link == MATCH_LINK_ETHER)
		return draft_fail(l, d, link,
			"link: ether contradicts match = %.20s, whose program begins at the IP header; expected expr = … or link = raw",
			w->type);
	if (w->inet6 && fam != NULL && d->m.scope.family != 6)
		return draft_fail(l, d, fam, "family: '%.20s' contradicts the option -6 of match",
			fam->value);
	if (w->inet6)
		d->m.scope.family = 6;
	if (d->m.scope.family != 6)
		r = generate(l, d, w, 4, &scope, &why);
	if (r == 0 && d->m.scope.family != 4)
		r = generate(l, d, w, 6, &scope, &why);
	if (r < 0)
		return fail(l, d, e, r, &why);
	d->m.generated = true;
	return merge_scope(l, d, w, &scope);
}

static int
program_match(struct load *l, struct draft *d, const struct ini_entry *e)
{
	struct words w = {0};
	struct diag why = {0};
	char **argv = NULL;
	int argc, r;

	if (d->match_all) {
		d->m.scope_only = true;
		return 0;
	}
	argc = gen_split(e->value, &argv, &why);
	if (argc < 0)
		return fail(l, d, e, argc, &why);
	w.argv = mem_calloc((size_t)argc + 1, sizeof(*w.argv));
	r = w.argv != NULL ? sort_words(argv, argc, &w, &why) : -ENOMEM;
	if (r < 0)
		r = fail(l, d, e, r, &why);
	else
		r = generate_families(l, d, e, &w);
	mem_free(w.argv);
	mem_free(argv);
	return r;
}

/* One program for whatever the rule is for. */
static int
set_program(
	struct load *l, struct draft *d, const struct cbpf_insn *insns, size_t n, struct diag *why)
{
	const struct cbpf_prog *prog;
	int r = keep_program(l, insns, n, &prog, why);

	if (r < 0)
		return r;
	if (d->m.link == MATCH_LINK_ETHER || d->m.scope.family != 6)
		d->m.prog[0] = prog;
	if (d->m.link == MATCH_LINK_RAW && d->m.scope.family != 4)
		d->m.prog[1] = prog;
	return 0;
}

/* "(ip) and (ip proto 17 or ip proto 6)": the scope as an expression; "" when it says nothing. */
static void
scope_expr(const struct match_scope *s, struct sbuf *out)
{
	const char *ip = s->family == 6 ? "ip6" : "ip";
	const char *sep = "";
	unsigned int n = 0;

	if (s->family != 0)
		sbuf_adds(out, ip);
	for (size_t i = 0; i < s->proto.n; i++)
		n += (unsigned int)(s->proto.v[i].hi - s->proto.v[i].lo) + 1;
	if (s->family != 4 || n == 0 || n > 8)
		return; /* ip6 proto looks at the first header only: extension headers would not count */
	sbuf_adds(out, " and (");
	for (size_t i = 0; i < s->proto.n; i++)
		for (unsigned int p = s->proto.v[i].lo; p <= s->proto.v[i].hi; p++) {
			sbuf_addf(out, "%sip proto %u", sep, p);
			sep = " or ";
		}
	sbuf_addc(out, ')');
}

/*
 * An expression that its scope leaves nothing of is an error, not a rule that
 * never matches. libpcap finds that out when it compiles both together.
 */
static int
check_expr(struct load *l, struct draft *d, const struct ini_entry *e, int dlt)
{
	struct sbuf both = SBUF_INIT;
	struct cbpf_insn *insns = NULL;
	struct diag why = {0};
	size_t n;
	int r = 0;

	scope_expr(&d->m.scope, &both);
	if (both.len == 0)
		goto out;
	sbuf_addf(&both, " and (%s)", e->value);
	if (!sbuf_ok(&both)) {
		r = load_out_of_memory(l->diag);
		goto out;
	}
	r = gen_expr(sbuf_str(&both), dlt, &insns, &n, &why);
	if (r == -ENOMEM)
		r = load_out_of_memory(l->diag);
	else if (r < 0 && strstr(why.msg, "rejects all packets") != NULL)
		r = draft_fail(l, d, e, "expr: contradicts the rule's family and proto");
	else
		r = 0; /* it compiled alone; more than that is not asked here */
out:
	mem_free(insns);
	sbuf_fini(&both);
	return r;
}

static int
program_expr(struct load *l, struct draft *d, const struct ini_entry *e)
{
	const int dlt = d->m.link == MATCH_LINK_ETHER ? DLT_ETHER : DLT_RAW_IP;
	struct cbpf_insn *insns = NULL;
	struct diag why = {0};
	size_t n;
	int r = gen_expr(e->value, dlt, &insns, &n, &why);

	if (r == 0)
		r = set_program(l, d, insns, n, &why);
	mem_free(insns);
	if (r < 0)
		return fail(l, d, e, r, &why);
	return check_expr(l, d, e, dlt);
}

static int
program_bytecode(struct load *l, struct draft *d, const struct ini_entry *e)
{
	struct cbpf_insn *insns = NULL;
	struct diag why = {0};
	size_t n;
	int r = cbpf_read_xt(e->value, &insns, &n, &why);

	if (r == 0)
		r = set_program(l, d, insns, n, &why);
	mem_free(insns);
	return r < 0 ? fail(l, d, e, r, &why) : 0;
}

static int
program_file(struct load *l, struct draft *d, const struct ini_entry *e)
{
	struct cbpf_insn *insns = NULL;
	struct diag why = {0}, in_file = {0};
	char path[4096], buf[800];
	char *text = NULL;
	size_t n;
	int r = load_file(d->s, e->value, path, sizeof(path), &text, &why);

	if (r < 0)
		return fail(l, d, e, r, &why);
	diag_set_file(&in_file, path);
	r = cbpf_read(text, &insns, &n, &in_file);
	if (r == 0) {
		in_file.line = 0;
		in_file.col = 0;
		r = set_program(l, d, insns, n, &in_file);
		for (size_t i = 0; r == 0 && i < DIM(d->text); i++)
			r = keep_text(l, d, i, text, &in_file);
	}
	if (r < 0 && r != -ENOMEM)
		(void)diag_fail(&why, r, "%s", diag_format(&in_file, buf, sizeof(buf)));
	mem_free(insns);
	mem_free(text);
	return r < 0 ? fail(l, d, e, r, &why) : 0;
}

int
draft_program(struct load *l, struct draft *d)
{
	static const struct {
		enum rule_key key;
		int (*make)(struct load *l, struct draft *d, const struct ini_entry *e);
	} kinds[] = {
		{RULE_KEY_match, program_match},
		{RULE_KEY_expr, program_expr},
		{RULE_KEY_bytecode, program_bytecode},
		{RULE_KEY_file, program_file},
	};
	const struct ini_entry *e = NULL;
	size_t kind = 0;

	for (size_t i = 0; i < DIM(kinds); i++) {
		const struct ini_entry *other = d->given[kinds[i].key];

		if (other != NULL && e != NULL)
			return draft_fail(l, d, other,
				"%s: there is %s in line %u already; expected one of match, expr, bytecode and file",
				other->key, e->key, e->line);
		if (other != NULL) {
			e = other;
			kind = i;
		}
	}
	if (e != NULL)
		return kinds[kind].make(l, d, e);
	d->m.scope_only = true;
	return 0;
}
