// SPDX-License-Identifier: BSD-3-Clause
/* Paths asked of a packet, and paths as text. Slow and plain: for tests and reports. */
#include <inttypes.h>

#include "base/sbuf.h"
#include "base/util.h"
#include "sym_impl.h"

struct packet {
	const uint8_t *data;
	uint32_t caplen, wirelen;
	bool unknown; /* a SYM_ANY was met */
	uint32_t steps; /* that a SYM_WALK makes */
	bool gone; /* it could not, or a load was past the end: whoever loads there fails */
};

static uint32_t value(const struct sym_node *n, struct packet *p);

static uint32_t
load_value(const struct sym_node *n, struct packet *p)
{
	const uint64_t at = (uint64_t)n->k + (n->a != NULL ? value(n->a, p) : 0);

	if (at + n->size > p->caplen) {
		p->gone = true;
		return 0;
	}
	if (n->size == 4)
		return load_be32(p->data + at);
	return n->size == 2 ? load_be16(p->data + at) : p->data[at];
}

static uint32_t
walk_value(const struct sym_node *n, struct packet *p)
{
	const struct sym_step step = sym_walk_step(n);
	uint64_t at = (uint64_t)n->k + (n->a != NULL ? value(n->a, p) : 0);

	for (uint32_t i = 0; i < p->steps && !p->unknown && !p->gone; i++) {
		const uint8_t v = at + step.at < p->caplen ? p->data[at + step.at] : 0;

		if (at + step.at >= p->caplen || v < step.lo || v > step.hi) {
			p->gone = true;
			break;
		}
		at += step.behind + (uint64_t)v;
	}
	return (uint32_t)at;
}

static uint32_t
value(const struct sym_node *n, struct packet *p)
{
	uint32_t v = 0;

	switch ((enum sym_op)n->op) {
	case SYM_CONST: return n->k;
	case SYM_LEN: return p->wirelen;
	case SYM_LOAD: return load_value(n, p);
	case SYM_SUM: return value(n->a, p) + n->k;
	case SYM_ALU:
		if (!cbpf_alu((enum cbpf_alu_op)n->alu, value(n->a, p), value(n->b, p), &v))
			p->unknown = true;
		return v;
	case SYM_ANY: p->unknown = true; return 0;
	case SYM_WALK: return walk_value(n, p);
	}
	return 0;
}

static bool
atom_holds(const struct sym_atom *a, struct packet *p)
{
	const uint32_t v = value(a->node, p), b = a->b != NULL ? value(a->b, p) : 0;
	bool holds = false;

	switch ((enum sym_atom_kind)a->kind) {
	case SYM_EQ: holds = (v & a->mask) == a->val; break;
	case SYM_RANGE: holds = v + a->mask <= a->val; break;
	case SYM_REL_EQ: holds = v == b; break;
	case SYM_REL_GT: holds = v > b; break;
	case SYM_REL_GE: holds = v >= b; break;
	case SYM_REL_SET: holds = (v & b) != 0; break;
	}
	return holds != a->neg;
}

static bool
all_holds(const struct sym_path *path, struct packet *p)
{
	for (uint32_t i = 0; i < path->n_needs; i++) {
		const struct sym_need *need = &path->needs[i];
		const uint64_t base = need->base != NULL ? value(need->base, p) : 0;

		if (!p->unknown && base + need->end > p->caplen)
			return false;
		p->unknown = false;
	}
	for (uint32_t i = 0; i < path->n_atoms; i++) {
		const bool holds = atom_holds(&path->atoms[i], p);

		if (!holds && !p->unknown)
			return false;
		p->unknown = false;
	}
	return !p->gone;
}

bool
sym_path_holds(const struct sym_path *path, const uint8_t *data, uint32_t caplen, uint32_t wirelen)
{
	struct packet p = {data, caplen, wirelen, false, 0, false};

	if (path->steps == 0)
		return all_holds(path, &p);
	for (p.steps = 1; p.steps <= path->steps && !p.gone; p.steps++)
		if (all_holds(path, &p))
			return true;
	return false;
}

/* ---- text ---- */

#define TEXT_DEPTH 12 /* of an expression; what is deeper is "…" */

static void node_text(const struct sym_node *n, int depth, struct sbuf *out);

static void
walk_text(const struct sym_node *n, int depth, struct sbuf *out)
{
	const struct sym_step s = sym_walk_step(n);

	sbuf_adds(out, "walk(");
	if (n->a != NULL) {
		node_text(n->a, depth + 1, out);
		sbuf_adds(out, " + ");
	}
	sbuf_addf(out, "%" PRIu32 " by %u + [%u:1] in %u..%u)", n->k, s.behind, s.at, s.lo, s.hi);
}

static void
node_text(const struct sym_node *n, int depth, struct sbuf *out)
{
	static const char *const ops[] = {"+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"};

	if (depth > TEXT_DEPTH) {
		sbuf_adds(out, "...");
		return;
	}
	switch ((enum sym_op)n->op) {
	case SYM_CONST: sbuf_addf(out, "%" PRIu32, n->k); return;
	case SYM_LEN: sbuf_adds(out, "len"); return;
	case SYM_ANY: sbuf_adds(out, "?"); return;
	case SYM_WALK: walk_text(n, depth, out); return;
	case SYM_LOAD:
		sbuf_addc(out, '[');
		if (n->a != NULL) {
			node_text(n->a, depth + 1, out);
			sbuf_adds(out, " + ");
		}
		sbuf_addf(out, "%" PRIu32 ":%u]", n->k, n->size);
		return;
	case SYM_SUM:
		sbuf_addc(out, '(');
		node_text(n->a, depth + 1, out);
		if ((int32_t)n->k < 0)
			sbuf_addf(out, " - %" PRIu32 ")", 0 - n->k);
		else
			sbuf_addf(out, " + %" PRIu32 ")", n->k);
		return;
	case SYM_ALU:
		sbuf_addc(out, '(');
		node_text(n->a, depth + 1, out);
		sbuf_addf(out, " %s ", ops[n->alu]);
		node_text(n->b, depth + 1, out);
		sbuf_addc(out, ')');
		return;
	}
}

static void
atom_text(const struct sym_atom *a, struct sbuf *out)
{
	static const char *const rels[] = {
		[SYM_REL_EQ] = "==", [SYM_REL_GT] = ">", [SYM_REL_GE] = ">=", [SYM_REL_SET] = "&"};

	if (a->neg)
		sbuf_adds(out, "not ");
	node_text(a->node, 0, out);
	if (a->kind == SYM_EQ) {
		if (a->mask != UINT32_MAX)
			sbuf_addf(out, " & 0x%" PRIx32, a->mask);
		sbuf_addf(out, " == 0x%" PRIx32, a->val);
	} else if (a->kind == SYM_RANGE) {
		sbuf_addf(out, " in %" PRIu32 "..%" PRIu32, 0 - a->mask, a->val - a->mask);
	} else {
		sbuf_addf(out, " %s ", rels[a->kind]);
		node_text(a->b, 0, out);
	}
}

void
sym_path_text(const struct sym_path *path, const char *indent, struct sbuf *out)
{
	for (uint32_t i = 0; i < path->n_needs; i++) {
		sbuf_addf(out, "%s%" PRIu32 " bytes from ", indent, path->needs[i].end);
		if (path->needs[i].base != NULL)
			node_text(path->needs[i].base, 0, out);
		else
			sbuf_addc(out, '0');
		sbuf_addc(out, '\n');
	}
	for (uint32_t i = 0; i < path->n_atoms; i++) {
		sbuf_adds(out, indent);
		atom_text(&path->atoms[i], out);
		sbuf_addc(out, '\n');
	}
	if (path->steps > 0)
		sbuf_addf(out, "%sfor some walk of 1..%u steps\n", indent, path->steps);
	if (!path->exact)
		sbuf_addf(out, "%sand more\n", indent);
}
