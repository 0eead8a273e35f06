/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Whether items hold, for straight ways that compare runs by pieces, see hash_pieces.h: what
 * straight_have.h asks for. Before it: hash_run_holds(), hash_run_fits(), hash_near_hold().
 */

/* hash_run_holds() where that cannot say it: word by word, of which some may be behind the end. */
static __attribute__((noinline)) bool
run_holds_at_edge(const struct hash_shape *s, const struct hash_item *it, const struct probe_at *at,
	int32_t off)
{
	uint64_t differ = 0;

	for (uint32_t b = 0; b < s->run; b += sizeof(uint64_t)) {
		uint64_t mask;

		memcpy(&mask, &s->run_mask[b], sizeof(mask));
		differ |= (probe_load(at, off + (int32_t)b) ^ it->val[1 + b / sizeof(mask)]) & mask;
	}
	return differ == 0;
}

static inline __attribute__((always_inline)) bool
item_holds(const struct straight *s, const struct straight_table *t, const struct hash_item *it,
	uint32_t i, const struct probe_at *at)
{
	const struct hash_shape *shape = &t->shapes[it->shape];

	if (!hash_run_is_there(it, at->left, at->pos, t->at_tail))
		return false;
	if (__builtin_expect(hash_run_fits(at, t->off, t->run), 1)) {
		if (!hash_run_holds(shape, it, at, t->off, t->run))
			return false;
	} else if (!run_holds_at_edge(shape, it, at, t->off)) {
		return false;
	}
	if (t->ranges && shape->led) {
		if (!led_hold(s, shape, &it->val[1 + shape->n_words], i))
			return false;
	} else if (t->ranges && shape->near != 0 &&
		!hash_near_hold(shape, &it->val[1 + shape->n_words], at->bytes)) {
		return false;
	}
	/* Pairs with match_image_enable(); nothing else depends on it. */
	return (atomic_load_explicit(&t->state[it->rule], memory_order_relaxed) &
		       MATCH_STATE_ENABLED) != 0;
}
