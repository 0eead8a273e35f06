// SPDX-License-Identifier: BSD-3-Clause
/*
 * A program as C, one statement an instruction: what the compiler makes of it is
 * the compiler's affair, except for the guards of loads. Where the first byte of
 * a window is looked at, one guard asks for all that every way from there to a
 * match loads, and loads that it covers have none. Helpers are guarded, so that
 * several functions may stand in one file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "shrink.h"

static const char helpers[] = "#ifndef CBPF_C_HELPERS\n"
			      "#define CBPF_C_HELPERS\n"
			      "#include <stdint.h>\n"
			      "#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__\n"
			      "#error \"written for little-endian machines\"\n"
			      "#endif\n"
			      "static inline uint32_t\n"
			      "cbpf_be32(const uint8_t *p)\n"
			      "{\n"
			      "\tuint32_t v;\n"
			      "\t__builtin_memcpy(&v, p, sizeof(v));\n"
			      "\treturn __builtin_bswap32(v);\n"
			      "}\n"
			      "static inline uint32_t\n"
			      "cbpf_be16(const uint8_t *p)\n"
			      "{\n"
			      "\tuint16_t v;\n"
			      "\t__builtin_memcpy(&v, p, sizeof(v));\n"
			      "\treturn __builtin_bswap16(v);\n"
			      "}\n"
			      "#endif\n";

/* What is made into C, and per node the bytes that its guard asks for; 0: it has none. */
struct emit {
	struct shrink s;
	uint64_t *guard;
	bool *target; /* something jumps to it */
	uint32_t sets; /* by any node */
};

/* How far every way from load @i to a match loads, or it alone where none matches. */
static uint64_t
window_end(const struct shrink *s, uint32_t i)
{
	const struct gnode *n = &s->g.v[i];
	const uint64_t end = node_is_ind(n) ? s->ahead[i].ind_end : s->ahead[i].abs_end;

	return end == AHEAD_FAR ? (uint64_t)n->k + node_size(n) : end;
}

/* Decide about the guard of load @i, where @now holds. */
static void
place_guard(struct emit *e, uint32_t i, struct state *now)
{
	struct gnode last = e->s.g.v[i];

	if (flow_is_safe(&e->s.vals, now, &last))
		return;
	e->guard[i] = window_end(&e->s, i);
	if (e->guard[i] > UINT32_MAX)
		return; /* never passed */
	last.code = node_is_ind(&last) ? CBPF_CODE_LD_B_IND : CBPF_CODE_LD_B_ABS;
	last.k = (uint32_t)e->guard[i] - 1;
	flow_reach(&e->s.vals, now, &last);
}

static void
place_guards(struct emit *e)
{
	const struct graph *g = &e->s.g;

	state_init(&e->s.vals, &e->s.in[g->entry]);
	for (uint32_t i = 0; i < g->n; i++) {
		const struct gnode *n = &g->v[i];
		struct state now = e->s.in[i];

		e->sets |= node_sets(n);
		if (node_is_ret(n))
			continue;
		if (node_is_abs(n) || node_is_ind(n))
			place_guard(e, i, &now);
		if (!node_is_branch(n))
			flow_step(&e->s.vals, &now, n);
		else
			state_meet(&e->s.vals, &e->s.in[n->f], &now, n->f);
		state_meet(&e->s.vals, &e->s.in[n->t], &now, n->t);
		e->target[n->t] |= n->t != i + 1;
		e->target[n->f] |= n->f != i + 1;
	}
}

static void
write_guard(struct sbuf *out, const struct gnode *n, uint64_t end)
{
	if (end == 0)
		return;
	if (end > UINT32_MAX)
		sbuf_adds(out, "\treturn 0; /* beyond every packet */\n");
	else if (node_is_ind(n))
		sbuf_addf(out, "\tif ((uint64_t)x + %" PRIu64 "u > caplen)\n\t\treturn 0;\n", end);
	else
		sbuf_addf(out, "\tif (caplen < %" PRIu64 "u)\n\t\treturn 0;\n", end);
}

/* "goto" the node @to, unless it is the one that follows @at. */
static void
jump(struct sbuf *out, const char *indent, uint32_t at, uint32_t to)
{
	if (to != at + 1)
		sbuf_addf(out, "%sgoto L%" PRIu32 ";\n", indent, to);
}

static void
load(struct sbuf *out, const struct gnode *n, uint64_t guard)
{
	static const char *const names[] = {[1] = "", [2] = "cbpf_be16", [4] = "cbpf_be32"};
	const uint32_t size = node_size(n);
	char at[48];

	write_guard(out, n, guard);
	(void)snprintf(at, sizeof(at),
		node_is_ind(n) ? "(uint64_t)x + %" PRIu32 "u" : "%" PRIu32 "u", n->k);
	if (n->code == CBPF_CODE_LDX_MSH)
		sbuf_addf(out, "\tx = 4u * (data[%s] & 15u);\n", at);
	else if (size == 1)
		sbuf_addf(out, "\ta = data[%s];\n", at);
	else
		sbuf_addf(out, "\ta = %s(data + (%s));\n", names[size], at);
}

/* Operators by bits 4 to 7 of an opcode. */
static const char *const alu_names[16] = {[0x0] = "+",
	[0x1] = "-",
	[0x2] = "*",
	[0x3] = "/",
	[0x4] = "|",
	[0x5] = "&",
	[0x6] = "<<",
	[0x7] = ">>",
	[0x9] = "%",
	[0xa] = "^"};
static const char *const test_names[16] = {[1] = "==", [2] = ">", [3] = ">=", [4] = "&"};

static void
alu(struct sbuf *out, const struct gnode *n)
{
	const char *op = alu_names[n->code >> 4 & 15];

	if (n->code == CBPF_CODE_ALU_NEG) {
		sbuf_adds(out, "\ta = 0 - a;\n");
	} else if (!node_takes_x(n)) {
		sbuf_addf(out, "\ta %s= %" PRIu32 "u;\n", op, n->k);
	} else if (n->code == CBPF_CODE_ALU_LSH_X || n->code == CBPF_CODE_ALU_RSH_X) {
		sbuf_addf(out, "\ta = x < 32 ? a %s x : 0;\n", op);
	} else {
		if (node_divides_by_x(n))
			sbuf_adds(out, "\tif (x == 0)\n\t\treturn 0;\n");
		sbuf_addf(out, "\ta %s= x;\n", op);
	}
}

static void
branch(struct sbuf *out, const struct gnode *n, uint32_t at)
{
	const char *op = test_names[n->code >> 4 & 15];
	char b[16];

	if (n->t == n->f) { /* they were two until nothing stood between them */
		jump(out, "\t", at, n->t);
		return;
	}
	(void)snprintf(b, sizeof(b), node_takes_x(n) ? "x" : "%" PRIu32 "u", n->k);
	/* At most one of the two goes to what follows. */
	sbuf_addf(out, n->t == at + 1 ? "\tif (!(a %s %s))\n" : "\tif (a %s %s)\n", op, b);
	jump(out, "\t\t", at, n->t == at + 1 ? n->f : n->t);
	if (n->t != at + 1)
		jump(out, "\t", at, n->f);
}

/* Loads that do not read the packet. */
static void
load_other(struct sbuf *out, const struct gnode *n)
{
	const char reg = node_class(n) == 0 ? 'a' : 'x';

	switch (n->code & 0xe0u) {
	case 0x60: sbuf_addf(out, "\t%c = m[%" PRIu32 "];\n", reg, n->k); break;
	case 0x80: sbuf_addf(out, "\t%c = wirelen;\n", reg); break;
	default: sbuf_addf(out, "\t%c = %" PRIu32 "u;\n", reg, n->k); break;
	}
}

static void
statement(const struct emit *e, struct sbuf *out, uint32_t i)
{
	const struct gnode *n = &e->s.g.v[i];

	if (node_is_abs(n) || node_is_ind(n)) {
		load(out, n, e->guard[i]);
		return;
	}
	switch (node_class(n)) {
	case 0:
	case 1: load_other(out, n); break;
	case 2: sbuf_addf(out, "\tm[%" PRIu32 "] = a;\n", n->k); break;
	case 3: sbuf_addf(out, "\tm[%" PRIu32 "] = x;\n", n->k); break;
	case 4: alu(out, n); break;
	case 5: branch(out, n, i); break;
	case 6:
		if (n->code == CBPF_CODE_RET_A)
			sbuf_adds(out, "\treturn a;\n");
		else
			sbuf_addf(out, "\treturn %" PRIu32 "u;\n", n->k);
		break;
	default: sbuf_adds(out, n->code == CBPF_CODE_TAX ? "\tx = a;\n" : "\ta = x;\n"); break;
	}
}

static void
write_function(const struct emit *e, const char *name, struct sbuf *out)
{
	sbuf_adds(out, helpers);
	sbuf_addf(out,
		"\nuint32_t %s(const uint8_t *data, uint32_t caplen, uint32_t wirelen);\n"
		"uint32_t\n%s(const uint8_t *data, uint32_t caplen, uint32_t wirelen)\n{\n"
		"\tuint32_t a = 0, x = 0;\n",
		name, name);
	if ((e->sets & (LIVE_A - 1)) != 0)
		sbuf_addf(out, "\tuint32_t m[%d];\n", CBPF_MEM_WORDS);
	sbuf_adds(out,
		"\n\t(void)data;\n\t(void)caplen;\n\t(void)wirelen;\n"
		"\t(void)a;\n\t(void)x;\n");
	if ((e->sets & (LIVE_A - 1)) != 0)
		sbuf_adds(out, "\t(void)m;\n");
	for (uint32_t i = 0; i < e->s.g.n; i++) {
		const struct gnode *n = &e->s.g.v[i];

		if (e->target[i])
			sbuf_addf(out, "L%" PRIu32 ":\n", i);
		statement(e, out, i);
		if (!node_is_ret(n) && !node_is_branch(n))
			jump(out, "\t", i, n->t);
	}
	sbuf_adds(out, "}\n");
}

/*
 * Compilers warn of a test whose outcome is known without looking: it goes, and
 * with it what only it leads to.
 */
static void
drop_idle_tests(struct graph *g)
{
	for (uint32_t i = 0; i < g->n; i++) {
		struct gnode *n = &g->v[i];

		if (!node_is_branch(n))
			continue;
		if ((n->code == CBPF_CODE_JGT_K && n->k == UINT32_MAX) ||
			(n->code == CBPF_CODE_JSET_K && n->k == 0))
			n->t = n->f;
		if (n->t == n->f || (n->code == CBPF_CODE_JGE_K && n->k == 0))
			n->code = GRAPH_SKIP;
	}
}

static int
emit_init(struct emit *e, const struct cbpf_prog *prog)
{
	int r = graph_init(&e->s.g, prog);

	if (r < 0)
		return r;
	drop_idle_tests(&e->s.g);
	r = graph_sort(&e->s.g);
	if (r == 0)
		r = vals_init(&e->s.vals);
	if (r < 0)
		return r;
	e->s.in = mem_calloc(e->s.g.n, sizeof(*e->s.in));
	e->s.ahead = mem_calloc(e->s.g.n, sizeof(*e->s.ahead));
	e->guard = mem_calloc(e->s.g.n, sizeof(*e->guard));
	e->target = mem_calloc(e->s.g.n, sizeof(*e->target));
	if (e->s.in == NULL || e->s.ahead == NULL || e->guard == NULL || e->target == NULL)
		return -ENOMEM;
	shrink_look_ahead(&e->s);
	place_guards(e);
	return e->s.vals.failed ? -ENOMEM : 0;
}

void
cbpf_write_c(const struct cbpf_prog *prog, const char *name, struct sbuf *out)
{
	struct emit *e = mem_zalloc(sizeof(*e));

	if (e == NULL || emit_init(e, prog) < 0)
		out->failed = true;
	else
		write_function(e, name, out);
	if (e == NULL)
		return;
	mem_free(e->s.in);
	mem_free(e->s.ahead);
	mem_free(e->guard);
	mem_free(e->target);
	vals_fini(&e->s.vals);
	graph_fini(&e->s.g);
	mem_free(e);
}
