// SPDX-License-Identifier: BSD-3-Clause
/*
 * A plan as C. What all programs have in common is the skeleton's; here stand
 * the numbers it needs, the tables, a function for each rule, and the programs
 * of the chain.
 */
#include "write_c.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/util.h"
#include "plan.h"

/* ---- numbers and tables ---- */

/* @text as a C string; locations may have anything in them. */
static void
put_string(struct sbuf *out, const char *text)
{
	sbuf_addc(out, '"');
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\' || *c < ' ' || *c == 0x7f || *c == '?')
			sbuf_addf(out, "\\%03o", (unsigned char)*c);
		else
			sbuf_addc(out, *c);
	}
	sbuf_addc(out, '"');
}

static void
put_defines(struct sbuf *out, const struct xdp_plan *plan)
{
	uint64_t cost, depth;

	plan_vital(plan, &cost, &depth);
	sbuf_addf(out, "#define SLOTS %zu\n#define SAMPLING %d\n#define VITAL %d\n",
		MAX(plan->n, (size_t)1), plan->opts.sampling, plan->opts.vital);
	sbuf_addf(out, "#define GTSM %d\n#define VITAL_COST_NS %" PRIu64 "ULL\n", plan->opts.gtsm,
		cost);
	sbuf_addf(out, "#define VITAL_DEPTH_NS %" PRIu64 "ULL\n", depth);
	if (plan->hook_name != NULL)
		sbuf_addf(out, "#define HOOK %s\n", plan->hook_name);
}

/* Constants that may be changed in the object before it is loaded. */
static void
put_constants(struct sbuf *out, const struct xdp_plan *plan)
{
	const size_t n = MAX(plan->n, (size_t)1);

	sbuf_adds(out,
		"\n/* By slot: 1: enabled and armed, 2: one of its locations is ours; in force with both. */\n");
	sbuf_addf(out, "const volatile unsigned char sluice_on[%zu] = {", n);
	for (size_t i = 0; i < plan->n; i++)
		sbuf_addf(out, "%s%d,", i % 32 == 0 ? "\n\t" : " ",
			plan->rules[i].r->on + 2 * plan->rules[i].r->here);
	sbuf_addf(out, "\n};\n__attribute__((used)) const char sluice_names[%zu][%d] = {\n", n,
		XDP_NAME_BYTES);
	for (size_t i = 0; i < plan->n; i++)
		sbuf_addf(out, "\t\"%s\",\n", plan->rules[i].r->m->name);
	sbuf_addf(out, "};\n__attribute__((used)) const char sluice_where[%zu][%zu] = {\n", n,
		plan->locations_bytes);
	for (size_t i = 0; i < plan->n; i++) {
		if (plan->locations_bytes > 1) {
			sbuf_adds(out, "\t");
			put_string(out, plan->rules[i].r->locations);
			sbuf_adds(out, ",\n");
		}
	}
	sbuf_addf(out,
		"};\n/* One in so many (0: none), bytes of each, the largest random number that samples. */\n"
		"const volatile unsigned int sluice_sample[3] = {%" PRIu32 ", %" PRIu32 ", %" PRIu32
		"u};\n\n",
		plan->opts.sample_one_in, plan->opts.snaplen,
		plan_sample_max(plan->opts.sample_one_in));
}

static void
put_table(struct sbuf *out, size_t number, const struct plan_table *t)
{
	sbuf_addf(out, "const struct range%d t%zu[%" PRIu32 "] = {\n", t->wide ? 6 : 4, number,
		t->size);
	for (uint32_t i = 0; i < t->size; i++) {
		const struct plan_range6 *w = (const struct plan_range6 *)t->v + i;
		const struct plan_range4 *v = (const struct plan_range4 *)t->v + i;

		if (t->wide)
			sbuf_addf(out,
				"\t{{0x%" PRIx64 ", 0x%" PRIx64 "}, {0x%" PRIx64 ", 0x%" PRIx64
				"}},\n",
				w->lo[0], w->lo[1], w->hi[0], w->hi[1]);
		else
			sbuf_addf(out, "\t{0x%" PRIx32 ", 0x%" PRIx32 "},\n", v->lo, v->hi);
	}
	sbuf_adds(out, "};\n\n");
}

static void
put_peers(struct sbuf *out, const struct xdp_plan *plan)
{
	sbuf_adds(out,
		"INLINE int\nis_peer(u32 key, u64 hi, u64 lo)\n{\n\t(void)hi;\n\t(void)lo;\n\tif (key & KEY_V6)\n"
		"\t\treturn 0");
	for (size_t i = 0; i < plan->opts.n_peers; i++) {
		const struct ip_addr *a = &plan->opts.peers[i];

		if (a->family == 6)
			sbuf_addf(out, " || (hi == 0x%" PRIx64 "ULL && lo == 0x%" PRIx64 "ULL)",
				load_be64(a->bytes), load_be64(a->bytes + 8));
	}
	sbuf_adds(out, ";\n\treturn 0");
	for (size_t i = 0; i < plan->opts.n_peers; i++) {
		const struct ip_addr *a = &plan->opts.peers[i];

		if (a->family == 4)
			sbuf_addf(out, " || hi == 0x%" PRIx32 "u", load_be32(a->bytes));
	}
	sbuf_adds(out, ";\n}\n\n");
}

/* ---- one rule ---- */

/* "if none of @list is @what, no match" */
static void
put_list(struct sbuf *out, const char *indent, const struct plan_list *list, const char *what,
	const struct xdp_plan *plan)
{
	if (list->n == 0)
		return;
	sbuf_addf(out, "%sif (!(", indent);
	if (list->n > PLAN_INLINE_MAX)
		sbuf_addf(out, "in4(t%" PRIu32 ", %" PRIu32 ", %s)", list->table,
			plan->tables.v[list->table].size, what);
	for (uint32_t i = 0; i < list->n && list->n <= PLAN_INLINE_MAX; i++)
		sbuf_addf(out, "%sin_range(%s, %" PRIu32 ", %" PRIu32 ")", i > 0 ? " || " : "",
			what, list->v[i].lo, list->v[i].hi);
	sbuf_addf(out, "))\n%s\treturn 0;\n", indent);
}

static void
put_set(struct sbuf *out, const struct plan_set *set, const char *field,
	const struct xdp_plan *plan)
{
	if (set->any)
		return;
	sbuf_adds(out, "\tif (!(GET(f->key) & KEY_V6 ? ");
	if (set->has6)
		sbuf_addf(out, "in6(t%" PRIu32 ", %" PRIu32 ", GET(f->%s[0]), GET(f->%s[1]))",
			set->table6, plan->tables.v[set->table6].size, field, field);
	else
		sbuf_adds(out, "0");
	sbuf_adds(out, " : ");
	if (set->has4)
		sbuf_addf(out, "in4(t%" PRIu32 ", %" PRIu32 ", GET(f->%s[0]))", set->table4,
			plan->tables.v[set->table4].size, field);
	else
		sbuf_adds(out, "0");
	sbuf_adds(out, "))\n\t\treturn 0;\n");
}

/* The program for IPv6; a generated one is not shown extension headers. */
static void
put_run6(struct sbuf *out, const struct plan_rule *p, size_t i)
{
	const bool same = plan_prog(p, 6) == plan_prog(p, 4);
	char call[64];

	(void)snprintf(call, sizeof(call), "prog_%zu_%d(ctx, &w)", i, same ? 4 : 6);
	if (p->r->m->generated) {
		sbuf_adds(out,
			"\tif (GET(f->key) & KEY_EXTS) {\n"
			"\t\tconst u32 cut = GET(f->bare) - w.off;\n"
			"\t\tint hit;\n\n"
			"\t\tif (GET(f->bare) == 0 || !swap_head(ctx, f))\n"
			"\t\t\treturn 0;\n"
			"\t\tw.off += cut;\n\t\tw.len -= cut;\n");
		sbuf_addf(out,
			"\t\thit = %s;\n\t\t(void)swap_head(ctx, f);\n\t\treturn hit;\n\t}\n",
			call);
	}
	sbuf_addf(out, "\treturn %s;\n", call);
}

static void
put_run(struct sbuf *out, const struct plan_rule *p, size_t i)
{
	const struct cbpf_prog *prog4 = plan_prog(p, 4), *prog6 = plan_prog(p, 6);

	if (p->r->m->scope_only) {
		sbuf_adds(out, "\treturn 1;\n");
		return;
	}
	if (p->r->m->link == MATCH_LINK_ETHER) {
		sbuf_addf(out,
			"\tw.off = 0;\n\tw.end = w.len = GET(f->wire);\n"
			"\treturn prog_%zu_4(ctx, &w);\n",
			i);
		return;
	}
	sbuf_adds(out,
		"\tw.off = GET(f->l3);\n\tw.end = w.off + GET(f->cap);\n\tw.len = GET(f->len);\n");
	/* The key has been asked where a family has no program. */
	if (prog4 != NULL && (prog6 != prog4 || p->r->m->generated)) {
		if (prog6 != NULL)
			sbuf_adds(out, "\tif (!(GET(f->key) & KEY_V6))\n\t");
		sbuf_addf(out, "\treturn prog_%zu_4(ctx, &w);\n", i);
	} else if (prog4 != NULL) {
		sbuf_addf(out, "\treturn prog_%zu_4(ctx, &w);\n", i);
		return;
	}
	if (prog6 != NULL)
		put_run6(out, p, i);
}

static void
put_scope(struct sbuf *out, const struct plan_rule *p, const struct xdp_plan *plan)
{
	const bool ports = p->sport.n > 0 || p->dport.n > 0;

	if (p->has_late)
		sbuf_addf(out,
			"\tconst int late = (GET(f->key) & 0x%" PRIx32 ") == 0x%" PRIx32 ";\n\n",
			p->late.mask, p->late.val);
	if (p->test.mask != 0)
		sbuf_addf(out,
			"\tif (%s(GET(f->key) & 0x%" PRIx32 ") != 0x%" PRIx32 ")\n\t\treturn 0;\n",
			p->has_late ? "!late && " : "", p->test.mask, p->test.val);
	put_list(out, "\t", &p->proto, "(GET(f->key) >> 16 & 0xff)", plan);
	if (ports && p->has_late)
		sbuf_adds(out, "\tif (!late) {\n");
	put_list(out, p->has_late ? "\t\t" : "\t", &p->sport, "GET(f->sport)", plan);
	put_list(out, p->has_late ? "\t\t" : "\t", &p->dport, "(GET(f->key) & 0xffff)", plan);
	if (ports && p->has_late)
		sbuf_adds(out, "\t}\n");
	put_set(out, &p->dst, "dst", plan);
	put_set(out, &p->src, "src", plan);
}

static void
put_rule(struct sbuf *out, const struct xdp_plan *plan, size_t i)
{
	const struct plan_rule *p = &plan->rules[i];
	const struct match_rule *m = p->r->m;
	const struct cbpf_prog *prog4 = plan_prog(p, 4), *prog6 = plan_prog(p, 6);
	char name[48];

	if (p->never)
		return;
	(void)snprintf(name, sizeof(name), "prog_%zu_4", i);
	if (prog4 != NULL)
		write_c_body(out, name, prog4);
	(void)snprintf(name, sizeof(name), "prog_%zu_6", i);
	if (m->link == MATCH_LINK_RAW && prog6 != NULL && prog6 != prog4)
		write_c_body(out, name, prog6);
	sbuf_addf(out,
		"/* %s */\nINLINE int\nrule_%zu(struct xdp_md *ctx, struct sluice_frame *f)\n{\n",
		m->name, i);
	if (!m->scope_only)
		sbuf_adds(out, "\tstruct window w;\n");
	put_scope(out, p, plan);
	if (p->has_late)
		sbuf_adds(out, "\tif (late)\n\t\treturn 1;\n");
	put_run(out, p, i);
	sbuf_adds(out, "}\n\n");
}

/* ---- the programs ---- */

static void
put_step(struct sbuf *out, const struct xdp_plan *plan, size_t i, bool *drops, bool *passes)
{
	const struct plan_rule *p = &plan->rules[i];

	if (p->never)
		return;
	if (!p->deciding) {
		sbuf_addf(out,
			"\tif (GET(f->n_seen) < SEEN_MAX && rule_%zu(ctx, f) && in_force(%zu))\n"
			"\t\tsee(f, %zu, %d, %d, %d);\n",
			i, i, i, p->is_shadow, p->would_drop, i + 1 == plan->n);
		return;
	}
	sbuf_addf(out,
		"\tif (rule_%zu(ctx, f) && in_force(%zu)) {\n\t\tf->slot = %zu;\n\t\tgoto %s;\n\t}\n",
		i, i, i, p->r->m->action == MATCH_DROP ? "drop" : "pass");
	if (p->r->m->action == MATCH_DROP)
		*drops = true;
	else
		*passes = true;
}

static void
put_program(struct sbuf *out, const struct xdp_plan *plan, size_t chunk)
{
	const bool is_last = chunk + 1 == plan->chunks.n;
	bool drops = false, passes = false;

	if (chunk == 0)
		sbuf_adds(out, "SEC(\"xdp\") int\nsluice_xdp(struct xdp_md *ctx)\n{\n");
	else
		sbuf_addf(out, "SEC(\"xdp\") int\nsluice_xdp_%zu(struct xdp_md *ctx)\n{\n", chunk);
	sbuf_adds(out, "\tstruct sluice_frame *f = frame();\n\n\tif (!f)\n\t\treturn XDP_PASS;\n");
	if (chunk == 0)
		sbuf_adds(out, "\tbegin(ctx, f);\n");
	for (size_t i = plan->chunks.v[chunk]; i < plan_chunk_end(plan, chunk); i++)
		put_step(out, plan, i, &drops, &passes);
	if (!is_last)
		sbuf_addf(out,
			"\t(void)tail_call(ctx, &sluice_chain, %zu);\n\treturn chain_broken(ctx, f);\n",
			chunk + 1);
	else
		sbuf_adds(out, "\treturn leave(ctx, f, XDP_PASS);\n");
	if (passes)
		sbuf_adds(out, "pass:\n\treturn pass(ctx, f);\n");
	if (drops)
		sbuf_adds(out, "drop:\n\treturn drop(ctx, f);\n");
	sbuf_adds(out, "}\n\n");
}

static void
put_chain(struct sbuf *out, const struct xdp_plan *plan)
{
	if (plan->chunks.n < 2)
		return;
	for (size_t i = 1; i < plan->chunks.n; i++)
		sbuf_addf(out, "int sluice_xdp_%zu(struct xdp_md *ctx);\n", i);
	sbuf_addf(out,
		"\nstruct {\n\tUINT(type, MAP_PROG_ARRAY);\n\tUINT(max_entries, %zu);\n"
		"\tUINT(key_size, 4);\n\tint (*values[])(struct xdp_md *ctx);\n"
		"} sluice_chain SEC(\".maps\") = {\n\t.values = {\n",
		plan->chunks.n);
	for (size_t i = 1; i < plan->chunks.n; i++)
		sbuf_addf(out, "\t\t[%zu] = sluice_xdp_%zu,\n", i, i);
	sbuf_adds(out, "\t},\n};\n\n");
}

/* What xdpcap takes for a hook. */
static void
put_hook(struct sbuf *out, const struct xdp_plan *plan)
{
	if (plan->hook_name != NULL)
		sbuf_addf(out,
			"struct {\n\tint(*type)[3]; /* PROG_ARRAY */\n\tint(*max_entries)[%d];\n"
			"\tint(*key_size)[4];\n\tint(*value_size)[4];\n%s"
			"} %s __attribute__((section(\".maps\"), used));\n\n",
			XDP_HOOK_ENTRIES,
			plan->hook_by_name ? "\tint(*pinning)[1]; /* by name */\n" : "",
			plan->hook_name);
}

int
xdp_write_c(const struct xdp_plan *plan, struct sbuf *out)
{
	sbuf_adds(out,
		"// SPDX-License-Identifier: BSD-3-Clause\n"
		"/* Made by sluice xdp -f c; build it with: clang -O2 -g -target bpf -c */\n");
	put_defines(out, plan);
	put_constants(out, plan);
	put_hook(out, plan);
	sbuf_adds(out, xdp_skeleton);
	sbuf_addc(out, '\n');
	for (size_t i = 0; i < plan->tables.n; i++)
		put_table(out, i, &plan->tables.v[i]);
	if (plan->opts.vital)
		put_peers(out, plan);
	for (size_t i = 0; i < plan->n; i++)
		put_rule(out, plan, i);
	put_chain(out, plan);
	for (size_t i = 0; i < plan->chunks.n; i++)
		put_program(out, plan, i);
	sbuf_adds(out, "char sluice_license[] SEC(\"license\") = \"Dual BSD/GPL\";\n");
	return sbuf_ok(out) ? 0 : -ENOMEM;
}
