// SPDX-License-Identifier: BSD-3-Clause
/* Lanes of a list as steps, which kernels make one after another. */
#include "list_build.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"

/* Which operators come behind which in a step, and the least kind of step that has them. */
static const struct {
	uint8_t phase, kind;
} of_step[LANE_KINDS] = {
	[LANE_MUL] = {1, LIST_MUL_V},
	[LANE_ADD_VALUE] = {2, LIST_V},
	[LANE_SUB_VALUE] = {2, LIST_V},
	[LANE_ADD] = {3, LIST_X},
	[LANE_XOR_VALUE] = {4, LIST_X},
	[LANE_XOR] = {5, LIST_ALL},
	[LANE_SHIFT] = {6, LIST_ALL},
	[LANE_AND] = {7, LIST_AND},
};

/* The kind of step that does what both @a and @b do; with a product it is one more. */
static uint8_t
join_kinds(uint8_t a, uint8_t b)
{
	const bool a_mul = a != LIST_AND && a % 2 == 0, b_mul = b != LIST_AND && b % 2 == 0;

	return (uint8_t)(MAX(a - a_mul, b - b_mul) + (a_mul || b_mul));
}

_Static_assert(LIST_V % 2 == 1 && LIST_MUL_V == LIST_V + 1 && LIST_MUL_X == LIST_X + 1 &&
		LIST_MUL_ALL == LIST_ALL + 1,
	"join_kinds");

/* Lane @k of step @s does what @op does. */
static void
put_op(struct list_builder *b, struct list_step *s, uint32_t k, const struct lane_op *op)
{
	s->kind = join_kinds(s->kind, of_step[op->kind].kind);
	switch ((enum lane_op_kind)op->kind) {
	case LANE_ADD_VALUE:
	case LANE_SUB_VALUE: s->v[k] = list_operand_row(b, op); break;
	case LANE_XOR_VALUE: s->x[k] = list_operand_row(b, op); break;
	case LANE_AND:
	case LANE_MUL: s->mul[k] = op->k; break;
	case LANE_ADD: s->add[k] = op->k; break;
	case LANE_XOR: s->flip[k] = op->k; break;
	case LANE_SHIFT: s->shift[k] = op->k; break;
	case LANE_KINDS: break;
	}
}

/* Behind the operators of @l from @at on that go into one step. */
static uint32_t
step_end(const struct lane *l, uint32_t at)
{
	uint32_t end = at + 1;

	while (end < l->n_ops && l->ops[end].kind != LANE_AND &&
		of_step[l->ops[end].kind].phase > of_step[l->ops[end - 1].kind].phase)
		end++;
	return end;
}

void
list_steps_find(struct list_entry *e)
{
	const struct lane *l = &e->lane;

	e->n_steps = 0;
	for (uint32_t at = 0, end; at < l->n_ops; at = end) {
		uint8_t kind = 0;

		end = step_end(l, at);
		for (uint32_t i = at; i < end; i++)
			kind = join_kinds(kind, of_step[l->ops[i].kind].kind);
		e->kinds[e->n_steps++] = kind;
	}
}

/* Whether lanes @a and @b can go together: where one has LIST_AND, so has the other. */
static bool
goes_with(const struct list_entry *a, const struct list_entry *b)
{
	for (uint32_t i = 0; i < MAX(a->n_steps, b->n_steps); i++)
		if ((i < a->n_steps && a->kinds[i] == LIST_AND) !=
			(i < b->n_steps && b->kinds[i] == LIST_AND))
			return false;
	return true;
}

/* Steps that change nothing. */
static void
clear_steps(struct list_step *s, uint32_t n)
{
	memset(s, 0, n * sizeof(*s));
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < LIST_FOUR; k++) {
			s[i].mul[k] = 1;
			s[i].v[k] = s[i].x[k] = LIST_ROW_OF(LIST_ZERO);
		}
}

/* Lane @k of the steps at @s is @l's; *@test is behind them. */
static void
put_lane(struct list_builder *b, struct list_step *s, uint32_t k, const struct list_entry *e)
{
	for (uint32_t at = 0, end; at < e->lane.n_ops; at = end, s++) {
		end = step_end(&e->lane, at);
		for (uint32_t i = at; i < end; i++)
			put_op(b, s, k, &e->lane.ops[i]);
	}
}

/* A lane that is none starts with 0, which nothing changes. */
static void
put_test(struct list_step *s, uint32_t k, const struct list_entry *e, uint32_t lane)
{
	s->mask[k] = e != NULL ? e->lane.mask : 1;
	s->val[k] = e != NULL ? e->lane.val : 1;
	s->lane[k] = lane;
}

int
list_steps_order(const struct list_entry *a, const struct list_entry *b)
{
	if (a->n_steps != b->n_steps)
		return a->n_steps < b->n_steps ? -1 : 1;
	return memcmp(a->kinds, b->kinds, a->n_steps);
}

/* ---- fours ---- */

/* Behind the lanes from @i on, before @end, that go together, and *@ret_n, their steps. */
static uint32_t
four_end(const struct list_builder *b, uint32_t i, uint32_t end, uint32_t *ret_n)
{
	uint32_t to = i;

	*ret_n = 0;
	for (; to < MIN(i + LIST_FOUR, end) && goes_with(&b->v[i], &b->v[to]); to++)
		*ret_n = MAX(*ret_n, b->v[to].n_steps);
	return to;
}

/* The rows that the lanes from @i to @end start with. */
static void
put_starts(struct list_builder *b, uint16_t start[LIST_FOUR], uint32_t i, uint32_t end)
{
	for (uint32_t k = 0; k < LIST_FOUR; k++)
		start[k] = i + k < end ? list_start_row(b, &b->v[i + k]) : LIST_ROW_OF(LIST_ZERO);
}

/* Steps of the lanes of @part. */
static void
make_part(struct list_builder *b, struct list_part *part)
{
	const uint32_t end = part->lane + part->n_lanes;
	struct list *l = b->l;
	uint16_t *start = part->start;
	uint32_t n;

	part->step = l->n_steps;
	for (uint32_t i = part->lane, to; i < end; i = to) {
		struct list_step *s = &l->steps[l->n_steps];

		to = four_end(b, i, end, &n);
		put_starts(b, start, i, to);
		clear_steps(s, n + 1);
		for (uint32_t k = 0; k < LIST_FOUR; k++) {
			const struct list_entry *e = i + k < to ? &b->v[i + k] : NULL;

			put_test(&s[n], k, e, i + k);
			if (e != NULL)
				put_lane(b, s, k, e);
		}
		s[n].kind = LIST_TEST;
		start = s[n].v;
		l->n_steps += n + 1;
	}
	l->steps[l->n_steps++] = (struct list_step){.kind = LIST_END};
}

/* Steps of all parts. */
static uint32_t
count_steps(const struct list_builder *b)
{
	uint32_t n_steps = 0, n;

	for (uint32_t k = 0; k < b->l->n_parts; k++) {
		const struct list_part *part = &b->l->parts[k];
		const uint32_t end = part->lane + part->n_lanes;

		for (uint32_t i = part->lane; i < end; n_steps += n + 1)
			i = four_end(b, i, end, &n);
		n_steps++;
	}
	return n_steps;
}

int
list_steps_make(struct list_builder *b)
{
	struct list *l = b->l;
	const size_t bytes = count_steps(b) * sizeof(*l->steps);

	l->steps = mem_zalloc_aligned(BASE_CACHE_LINE, bytes);
	if (l->steps == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->n_parts; i++)
		make_part(b, &l->parts[i]);
	l->bytes += bytes;
	return 0;
}
