// SPDX-License-Identifier: BSD-3-Clause
/*
 * Neighbouring compares as one, and other instructions that are less together:
 *
 *	ldh [x + 4]; jneq #0x6162, no; ldb [x + 6]; jneq #0x63, no
 *
 * behind a compare of the byte before is "ld [x + 3]; jneq #0x..616263, no".
 */
#include "base/util.h"
#include "shrink.h"

/* "load; [or #mask;] jeq #k, @yes, @no" */
struct compare {
	uint32_t load, branch; /* nodes */
	uint32_t at, size; /* bytes compared */
	uint32_t mask, k;
	uint32_t yes, no;
};

static uint32_t
real(const struct shrink *s, uint32_t i)
{
	return graph_real(&s->g, i);
}

/* @n loads A from the packet. */
static bool
is_load(const struct gnode *n)
{
	return (node_is_abs(n) || node_is_ind(n)) && n->code != CBPF_CODE_LDX_MSH;
}

/* Bits of a load of @size bytes. */
static uint32_t
all_bits(uint32_t size)
{
	return size >= 4 ? UINT32_MAX : (1u << 8 * size) - 1;
}

static bool
read_compare(const struct shrink *s, uint32_t i, struct compare *c)
{
	const struct gnode *n = &s->g.v[i];
	uint32_t next;

	if (!is_load(n))
		return false;
	*c = (struct compare){.load = i, .at = n->k, .size = node_size(n)};
	next = real(s, n->t);
	if (s->ahead[next].preds != 1)
		return false;
	if (s->g.v[next].code == CBPF_CODE_ALU_OR_K) {
		c->mask = s->g.v[next].k;
		next = real(s, s->g.v[next].t);
		if (s->ahead[next].preds != 1)
			return false;
	}
	n = &s->g.v[next];
	if (n->code != CBPF_CODE_JEQ_K)
		return false;
	c->branch = next;
	c->k = n->k;
	c->yes = real(s, n->t);
	c->no = real(s, n->f);
	/* What cannot be equal is not ours to merge. */
	return ((c->k | c->mask) & ~all_bits(c->size)) == 0 && (c->k & c->mask) == c->mask;
}

/* @b is tested where @a holds, and both fail to the same place; A is of no use there. */
static bool
belong_together(const struct shrink *s, const struct compare *a, const struct compare *b)
{
	return a->yes == b->load && s->ahead[b->load].preds == 1 && a->no == b->no &&
		(s->g.v[a->load].code & 0xe0u) == (s->g.v[b->load].code & 0xe0u) &&
		(s->ahead[b->no].live & LIVE_A) == 0 && (s->ahead[b->yes].live & LIVE_A) == 0;
}

/* Whether a load at @node up to @end ends no run that would go on at @no to another result. */
static bool
may_reach(struct shrink *s, uint32_t node, uint64_t end, uint32_t no)
{
	struct gnode probe = s->g.v[node];
	const struct ahead *a = &s->ahead[no];

	probe.code = node_is_ind(&probe) ? CBPF_CODE_LD_B_IND : CBPF_CODE_LD_B_ABS;
	probe.k = (uint32_t)(end - 1);
	if (a->zero || flow_is_safe(&s->vals, &s->in[node], &probe))
		return true;
	return (node_is_ind(&probe) ? a->ind_end : a->abs_end) >= end;
}

/* Make @c, whose nodes are there, compare @size bytes at @at with @k under @mask. */
static void
rewrite(struct shrink *s, const struct compare *c, uint32_t at, uint32_t size, uint32_t mask,
	uint32_t k, uint32_t yes)
{
	struct gnode *load = &s->g.v[c->load];
	const uint32_t mode = load->code & 0xe0u;
	uint32_t next = real(s, load->t);

	load->code = mode | (size == 4 ? 0 : size == 2 ? 0x08u : 0x10u);
	load->k = at;
	if (s->g.v[next].code == CBPF_CODE_ALU_OR_K)
		s->g.v[next].k = mask; /* 0 goes in the next round */
	s->g.v[c->branch].k = k;
	s->g.v[c->branch].t = yes;
}

/* Two compares of neighbouring bytes, 2 or 4 together; the first may have a mask when both do. */
static bool
merge_two(struct shrink *s, const struct compare *a, const struct compare *b)
{
	const struct compare *first = a->at < b->at ? a : b, *second = first == a ? b : a;
	const uint32_t size = a->size + b->size;
	const uint32_t shift = 8 * second->size;
	const bool has_or = s->g.v[real(s, s->g.v[a->load].t)].code == CBPF_CODE_ALU_OR_K;
	uint32_t mask;

	if ((size != 2 && size != 4) || (uint64_t)first->at + first->size != second->at)
		return false;
	mask = first->mask << shift | second->mask; /* a shift by 8 or 16 */
	/* Without an "or" to use, one would have to be made. */
	if (mask != 0 && !has_or)
		return false;
	if (!may_reach(s, a->load, (uint64_t)first->at + size, a->no))
		return false;
	rewrite(s, a, first->at, size, mask, first->k << shift | second->k, b->yes);
	return true;
}

/* The same for 3 bytes behind a compare of a byte before them, which is compared once more. */
static bool
merge_three(struct shrink *s, const struct compare *before, const struct compare *a,
	const struct compare *b)
{
	const uint32_t mask_byte = before->mask & 0xff, k_byte = before->k & 0xff;
	const bool has_or = s->g.v[real(s, s->g.v[a->load].t)].code == CBPF_CODE_ALU_OR_K;
	const uint32_t mask = mask_byte << 24 | a->mask << 8 | b->mask;

	if (a->size != 2 || b->size != 1 || (uint64_t)a->at + 2 != b->at ||
		(uint64_t)before->at + before->size != a->at || (mask != 0 && !has_or))
		return false;
	if (!may_reach(s, a->load, (uint64_t)b->at + 1, a->no))
		return false;
	rewrite(s, a, a->at - 1, 4, mask, k_byte << 24 | a->k << 8 | b->k, b->yes);
	return true;
}

/*
 *	and #m			jset #m, no, yes
 *	jeq #0, yes, no	=>
 */
static bool
merge_and(struct shrink *s, uint32_t i)
{
	struct gnode *n = &s->g.v[i];
	const uint32_t next = real(s, n->t);
	const struct gnode *test = &s->g.v[next];
	const bool one_bit = n->k != 0 && (n->k & (n->k - 1)) == 0;
	uint32_t yes, no;

	if (n->code != CBPF_CODE_ALU_AND_K || test->code != CBPF_CODE_JEQ_K)
		return false;
	if (test->k != 0 && !(one_bit && test->k == n->k))
		return false;
	yes = test->k == 0 ? test->f : test->t; /* where a bit is set */
	no = test->k == 0 ? test->t : test->f;
	if (((s->ahead[yes].live | s->ahead[no].live) & LIVE_A) != 0)
		return false;
	*n = (struct gnode){CBPF_CODE_JSET_K, n->k, yes, no};
	return true;
}

/* "add #a; add #b" is one "add"; the first one becomes nothing. */
static bool
merge_add(struct shrink *s, uint32_t i)
{
	struct gnode *n = &s->g.v[i];
	const uint32_t next = real(s, n->t);

	if (n->code != CBPF_CODE_ALU_ADD_K || s->g.v[next].code != CBPF_CODE_ALU_ADD_K ||
		s->ahead[next].preds != 1)
		return false;
	s->g.v[next].k += n->k;
	n->code = GRAPH_SKIP;
	return true;
}

static bool
merge_at(struct shrink *s, uint32_t i)
{
	struct compare a, b, c;

	if (merge_and(s, i) || merge_add(s, i))
		return true;
	if (!read_compare(s, i, &a) || !read_compare(s, a.yes, &b) || !belong_together(s, &a, &b))
		return false;
	if (merge_two(s, &a, &b))
		return true;
	return read_compare(s, b.yes, &c) && belong_together(s, &b, &c) &&
		merge_three(s, &a, &b, &c);
}

bool
shrink_merge(struct shrink *s)
{
	bool done = false;

	for (uint32_t i = 0; i < s->g.n; i++)
		if (s->ahead[i].preds > 0 && s->in[i].reached)
			done |= merge_at(s, i);
	return done;
}
