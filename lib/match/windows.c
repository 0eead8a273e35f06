// SPDX-License-Identifier: BSD-3-Clause
#include "windows.h"

#include <string.h>

#include "base/util.h"
#include "match/sym.h"

static bool
window_equal(const struct window *a, const struct window *b)
{
	return a->kind == b->kind && a->space == b->space && a->parent == b->parent &&
		a->off == b->off && memcmp(&a->step, &b->step, sizeof(a->step)) == 0;
}

int
windows_add(struct items *items, struct window w)
{
	for (uint32_t i = 0; i < items->n_windows; i++)
		if (window_equal(&items->windows[i], &w))
			return (int)i;
	if (items->n_windows == WINDOWS_MAX)
		return -1;
	if (w.kind == WINDOW_STEPS)
		w.steps_win = (uint8_t)items->n_windows;
	items->windows[items->n_windows] = w;
	if (w.steps_win != 0)
		items->windows[w.steps_win].below |= 1u << items->n_windows;
	return (int)items->n_windows++;
}

static bool
is_byte(const struct sym_node *n)
{
	return n->op == SYM_LOAD && n->size == 1;
}

static bool
is_alu(const struct sym_node *n, enum cbpf_alu_op alu)
{
	return n->op == SYM_ALU && n->alu == alu;
}

static bool
is_alu_const(const struct sym_node *n, enum cbpf_alu_op alu, uint32_t k)
{
	return is_alu(n, alu) && n->b->op == SYM_CONST && n->b->k == k;
}

static const struct place nowhere = {-1, 0};

static struct place place_of(struct items *items, struct sight sight, const struct sym_node *node);

static struct place
start_of(struct sight sight)
{
	return (struct place){WINDOW_OF_START(sight.space), 0};
}

static struct place
window_at(struct items *items, struct sight sight, enum window_kind kind, uint32_t off)
{
	return (struct place){windows_add(items,
				      (struct window){.kind = (uint8_t)kind,
					      .space = sight.space,
					      .parent = WINDOW_OF_START(sight.space),
					      .off = off}),
		0};
}

/* Where byte @k behind @base is loaded from; in IPv6 L4 is at a fixed place. */
static struct place
place_at(struct items *items, struct sight sight, const struct sym_node *base, uint32_t k)
{
	struct place p;

	if (base != NULL || sight.family != 6 || k < WINDOW_L4_IP6)
		return place_of(items, sight, base);
	p = window_at(items, sight, WINDOW_L4, 0);
	p.back = WINDOW_L4_IP6;
	return p;
}

/* Window @w, found by the byte at @k behind @from, which nothing must be behind. */
static struct place
place_from(struct items *items, struct window w, struct place from, uint32_t k, uint32_t back)
{
	const struct window *parent = &items->windows[MAX(from.win, 0)];

	if (from.win < 0 || k > ITEM_OFF_MAX || k < from.back || parent->kind == WINDOW_TAIL ||
		(w.kind == WINDOW_STEPS && parent->steps_win != 0))
		return nowhere;
	w.parent = (uint8_t)from.win;
	w.off = k - from.back;
	w.steps_win = parent->steps_win;
	return (struct place){windows_add(items, w), back};
}

/* The start, or @from, and the byte at @k behind @from on from there. */
static struct place
place_of_byte(struct items *items, struct sight sight, const struct sym_node *byte, bool is_walk)
{
	const struct place from = place_at(items, sight, byte->a, byte->k);
	struct window w = {.kind = WINDOW_BYTE, .space = sight.space};

	/* What is counted from the start is counted from L4, of an L4 that is found so. */
	if (is_walk || (byte->a == NULL && from.back > 0))
		w.kind = WINDOW_WALK;
	return place_from(items, w, from, byte->k, w.kind == WINDOW_WALK ? from.back : 0);
}

/* What @node is: bytes from the start on. */
static struct place
find_place(struct items *items, struct sight sight, const struct sym_node *node)
{
	const struct sym_node *byte = node;

	if (node->op == SYM_LEN)
		return window_at(items, sight, WINDOW_TAIL, 0);
	if (node->op == SYM_WALK && node->b != NULL)
		return place_from(items,
			(struct window){.kind = WINDOW_STEPS,
				.space = sight.space,
				.step = sym_walk_step(node)},
			place_of(items, sight, node->a), node->k, 0);
	if (is_alu_const(node, CBPF_ALU_LSH, 2) && is_alu_const(node->a, CBPF_ALU_AND, 15) &&
		is_byte(node->a->a) && node->a->a->a == NULL && node->a->a->k <= ITEM_OFF_MAX)
		return window_at(items, sight,
			sight.family == 4 && node->a->a->k == 0 ? WINDOW_L4 : WINDOW_IHL,
			node->a->a->k);
	if (is_alu(node, CBPF_ALU_ADD)) {
		byte = is_byte(node->b) && node->b->a == node->a ? node->b : node->a;
		if (!is_byte(byte) || byte->a != (byte == node->b ? node->a : node->b))
			return nowhere;
	}
	return is_byte(byte) ? place_of_byte(items, sight, byte, byte != node) : nowhere;
}

/* The same; NULL: none. All programs of a kind look behind the same few nodes. */
static struct place
place_of(struct items *items, struct sight sight, const struct sym_node *node)
{
	struct node_place *known;
	struct place p;

	if (node == NULL)
		return start_of(sight);
	known = &items->places[node->id % ITEMS_PLACES];
	if (known->node == node && known->sight.space == sight.space &&
		known->sight.family == sight.family)
		return (struct place){known->win, known->back};
	p = find_place(items, sight, node);
	*known = (struct node_place){node, sight, (int8_t)p.win, p.back};
	return p;
}

struct place
windows_place(struct items *items, struct sight sight, const struct sym_node *base, uint32_t k)
{
	struct place p;

	if (base != NULL && base->op == SYM_LEN)
		return nowhere;
	if (base == NULL || base->op != SYM_SUM || base->a->op != SYM_LEN ||
		0 - base->k > ITEM_OFF_MAX)
		return place_at(items, sight, base, k);
	p = place_of(items, sight, base->a);
	p.back = 0 - base->k;
	return p;
}

int
windows_of_load(struct items *items, struct sight sight, const struct sym_node *n, int32_t *ret_off)
{
	const struct place p = windows_place(items, sight, n->a, n->k);

	*ret_off = (int32_t)n->k - (int32_t)p.back;
	return p.win;
}
