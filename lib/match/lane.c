// SPDX-License-Identifier: BSD-3-Clause
/* From conditions on values of 32 bits to conditions on 16 of them. */
#include "lane.h"

#include "base/util.h"
#include "item.h"
#include "match/sym.h"
#include "windows.h"

#define BITS_MIN 6 /* of a word; a test that more frames pass is not worth it */
#define BITS_LEAST 2 /* of arithmetic, where the alternative is to run the program */

/* A computation under construction. */
struct making {
	struct items *items;
	struct sight sight;
	struct lane lane;
	uint32_t valid; /* of the 16 bits, from the lowest on */
};

/* The operators of a step, in their order. */
enum phase { PHASE_SUM, PHASE_AND, PHASE_XOR, PHASE_SHIFT };

static bool
leaf(struct making *m, const struct sym_node *n, struct lane_value *ret)
{
	int32_t off;
	int win;

	if (n->op != SYM_LOAD || n->k > ITEM_OFF_MAX)
		return false;
	win = windows_of_load(m->items, m->sight, n, &off);
	/* Of a walk's many places none is the one. */
	if (win < 0 || m->items->windows[win].steps_win != 0)
		return false;
	/* Of four bytes the last two. */
	ret->win = (uint8_t)win;
	ret->size = MIN(n->size, 2);
	ret->off = (int16_t)(off + (n->size == 4 ? 2 : 0));
	return true;
}

/* The step whose operators are none behind @phase; NULL: there are too many. */
static struct lane_step *
step_for(struct making *m, enum phase phase)
{
	struct lane *l = &m->lane;
	struct lane_step *s = &l->steps[l->n_steps];

	if (l->n_steps > 0) {
		s = &l->steps[l->n_steps - 1];
		if (phase == PHASE_SHIFT || (s->shift == 0 && phase == PHASE_XOR))
			return s;
		if (phase == PHASE_SUM && s->shift == 0 && s->and == UINT16_MAX && s->xor == 0 &&
			s->x_mask == 0)
			return s;
		s++;
	}
	if (l->n_steps == LANE_STEPS_MAX)
		return NULL;
	*s = LANE_STEP_NONE;
	l->n_steps++;
	return s;
}

/* r * @mul + @add. */
static bool
put_sum(struct making *m, uint32_t mul, uint32_t add)
{
	struct lane_step *s = step_for(m, PHASE_SUM);

	if (s == NULL)
		return false;
	s->mul = (uint16_t)(s->mul * mul);
	s->v_mul = (uint16_t)(s->v_mul * mul);
	s->add = (uint16_t)(s->add * mul + add);
	return true;
}

/* r + @v * @mul. */
static bool
put_value(struct making *m, const struct lane_value *v, uint32_t mul)
{
	struct lane_step *s = step_for(m, PHASE_SUM);

	if (s != NULL && s->v_mul != 0 && !lane_value_equal(&s->v, v)) {
		if (m->lane.n_steps == LANE_STEPS_MAX)
			return false;
		s = &m->lane.steps[m->lane.n_steps++];
		*s = LANE_STEP_NONE;
	}
	if (s == NULL)
		return false;
	s->v = *v;
	s->v_mul = (uint16_t)(s->v_mul + mul);
	return true;
}

/* (r & @and) ^ @xor. Behind a shift: the same before it. */
static bool
put_bits(struct making *m, uint32_t and, uint32_t xor)
{
	struct lane *l = &m->lane;
	struct lane_step *s = l->n_steps > 0 ? &l->steps[l->n_steps - 1] : NULL;

	if (s == NULL || s->shift == 0) {
		s = step_for(m, PHASE_XOR);
		if (s == NULL)
			return false;
	}
	/* What it sets where nothing was shifted to is not to be had. */
	if (xor >> (16 - s->shift) != 0)
		m->valid = MIN(m->valid, 16u - s->shift);
	and = and << s->shift | ((1u << s->shift) - 1);
	s->and &= (uint16_t) and;
	s->x_mask &= (uint16_t) and;
	s->xor = (uint16_t)((s->xor &and) ^ xor << s->shift);
	return true;
}

static bool
put_xor_value(struct making *m, const struct lane_value *v)
{
	struct lane_step *s = step_for(m, PHASE_XOR);

	if (s != NULL && s->x_mask != 0 && !lane_value_equal(&s->x, v)) {
		if (m->lane.n_steps == LANE_STEPS_MAX)
			return false;
		s = &m->lane.steps[m->lane.n_steps++];
		*s = LANE_STEP_NONE;
	}
	if (s == NULL)
		return false;
	s->x = *v;
	s->x_mask ^= UINT16_MAX;
	return true;
}

/* r >> @n, where r is @of. */
static bool
put_shift(struct making *m, uint32_t n, const struct sym_node *of)
{
	struct lane_step *s;

	/* What is not more than 16 bits all told loses none that count. */
	if (m->valid < 16 || of->umax > UINT16_MAX)
		m->valid = m->valid > n ? m->valid - n : 0;
	s = step_for(m, PHASE_SHIFT);
	if (m->valid < BITS_LEAST || s == NULL || s->shift + n > 15)
		return false;
	s->shift = (uint16_t)(s->shift + n);
	return true;
}

/* The exponent of @k where it is a power of two, else -1. */
static int
log2_of(uint32_t k)
{
	return k != 0 && (k & (k - 1)) == 0 ? __builtin_ctz(k) : -1;
}

/* r alu @k, where r is @of. */
static bool
put_number(struct making *m, enum cbpf_alu_op op, uint32_t k, const struct sym_node *of)
{
	switch (op) {
	case CBPF_ALU_ADD: return put_sum(m, 1, k);
	case CBPF_ALU_SUB: return put_sum(m, 1, 0 - k);
	case CBPF_ALU_MUL: return put_sum(m, k, 0);
	case CBPF_ALU_LSH: return put_sum(m, k < 16 ? 1u << k : 0, 0);
	case CBPF_ALU_RSH: return put_shift(m, k, of);
	case CBPF_ALU_AND: return put_bits(m, k, 0);
	case CBPF_ALU_OR: return put_bits(m, ~k, k);
	case CBPF_ALU_XOR: return put_bits(m, UINT32_MAX, k);
	case CBPF_ALU_DIV: return log2_of(k) >= 0 && put_shift(m, (uint32_t)log2_of(k), of);
	case CBPF_ALU_MOD: return log2_of(k) >= 0 && put_bits(m, k - 1, 0);
	}
	return false;
}

/* r alu the value @n; or, @turned, the value alu r. */
static bool
put_operand(struct making *m, enum cbpf_alu_op op, const struct sym_node *n, bool turned)
{
	struct lane_value v;

	if (!leaf(m, n, &v))
		return false;
	if (op == CBPF_ALU_XOR)
		return put_xor_value(m, &v);
	if (op == CBPF_ALU_ADD)
		return put_value(m, &v, 1);
	if (op == CBPF_ALU_SUB && turned)
		return put_sum(m, UINT32_MAX, 0) && put_value(m, &v, 1);
	return op == CBPF_ALU_SUB && put_value(m, &v, UINT32_MAX);
}

#define DEPTH_MAX 32

/* The computation of @n: a chain, of which every operator but the first has one operand at hand. */
static bool
compute(struct making *m, const struct sym_node *n, int depth)
{
	if (depth == DEPTH_MAX)
		return false;
	if (n->op == SYM_SUM)
		return compute(m, n->a, depth + 1) && put_sum(m, 1, n->k);
	if (n->op == SYM_LOAD) {
		m->valid = 16;
		return leaf(m, n, &m->lane.start);
	}
	if (n->op != SYM_ALU)
		return false;
	if (n->b->op == SYM_CONST)
		return compute(m, n->a, depth + 1) &&
			put_number(m, (enum cbpf_alu_op)n->alu, n->b->k, n->a);
	if (n->a->op == SYM_CONST)
		return n->alu == CBPF_ALU_SUB && compute(m, n->b, depth + 1) &&
			put_sum(m, UINT32_MAX, n->a->k);
	if (n->b->op == SYM_LOAD)
		return compute(m, n->a, depth + 1) &&
			put_operand(m, (enum cbpf_alu_op)n->alu, n->b, false);
	return n->a->op == SYM_LOAD && compute(m, n->b, depth + 1) &&
		put_operand(m, (enum cbpf_alu_op)n->alu, n->a, true);
}

/* (r & @mask) == @val, of which the bits that are had are asked. */
static bool
test(struct making *m, uint32_t mask, uint32_t val)
{
	struct lane *l = &m->lane;

	l->mask = (uint16_t)(mask & ((1u << m->valid) - 1));
	l->val = (uint16_t)(val & l->mask);
	l->bits = (uint8_t)__builtin_popcount(l->mask);
	return l->bits >= BITS_LEAST;
}

bool
lane_of_atom(struct items *items, struct sight sight, const struct sym_atom *atom, struct lane *ret)
{
	struct making m = {.items = items, .sight = sight};

	if (atom->neg)
		return false;
	if (atom->kind == SYM_EQ) {
		if (!compute(&m, atom->node, 0) || !test(&m, atom->mask, atom->val))
			return false;
	} else if (atom->kind == SYM_REL_EQ) {
		const bool turned = atom->node->op == SYM_LOAD;

		/* The difference is 0. */
		if (!compute(&m, turned ? atom->b : atom->node, 0) ||
			!put_operand(&m, CBPF_ALU_SUB, turned ? atom->node : atom->b, false) ||
			!test(&m, UINT32_MAX, 0))
			return false;
	} else {
		return false;
	}
	*ret = m.lane;
	return true;
}

/* What nearly every frame has: protocols, versions, lengths of headers, zeros. */
static bool
is_common(const struct items *items, const struct lane *l, uint16_t val)
{
	const struct window *w = &items->windows[l->start.win];

	if (val == 0)
		return true;
	if (w->kind != WINDOW_START)
		return false;
	if (w->space == SPACE_ETHER)
		return l->start.off >= 12 && l->start.off < 24;
	return l->bits <= 8 && l->start.off < 10;
}

bool
lane_of_word(
	const struct items *items, const struct item_word *word, uint32_t which, struct lane *ret)
{
	const uint16_t mask = __builtin_bswap16((uint16_t)(word->mask >> 16 * which));
	const uint16_t val = __builtin_bswap16((uint16_t)(word->val >> 16 * which));

	if (word->win == WINDOW_OF_KEY || items->windows[word->win].steps_win != 0 ||
		__builtin_popcount(mask) < BITS_MIN)
		return false;
	*ret = (struct lane){
		.start = {word->win, 2, (int16_t)(word->off + 2 * (int)which)},
		.mask = mask,
		.val = val,
		.bits = (uint8_t)__builtin_popcount(mask),
	};
	return !is_common(items, ret, val);
}

bool
lane_possible(const struct items *items, const struct item *it)
{
	struct lane lane;

	for (uint32_t k = 0; k < 4u * it->n_words; k++)
		if (lane_of_word(items, &it->words[k / 4], k % 4, &lane))
			return true;
	return it->lane != NULL;
}
