/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Hits whose lanes say all: decided for a whole burst at once, without a branch on whose they are.
 * Included by list_c.c, list_avx2.c and list_avx512.c, which define
 *
 *	void list_lower(uint32_t *best, uint32_t n, uint64_t some, uint32_t rule)
 *
 * make best[i] @rule where bit i of @some is set and it is higher, i < @n.
 */

/* Decide what is sure of @h; frames that are dealt with are taken out of it. */
static inline void
list_settle(const struct list *l, struct list_hits *h, struct probe *p, const struct list_frames *f)
{
	const struct match_image *im = p->im;
	struct scope_test test = {0, 1};
	uint64_t keys = 0; /* for whom it holds */

	if (p->again || !f->in_order)
		return;
	for (uint32_t i = 0; i < h->n; i++) {
		struct list_hit *hit = &h->v[i];
		const uint32_t rule = l->rules[hit->lane];
		/* Pairs with match_image_enable(); nothing else depends on it. */
		const uint8_t state = atomic_load_explicit(&im->state[rule], memory_order_relaxed);

		/* Rules of a list mostly ask the same of the key. */
		if (!scope_test_equal(&l->sure[hit->lane], &test)) {
			test = l->sure[hit->lane];
			keys = search_keys_test(p->key, p->n, test) & f->whole;
		}
		/* Of others the rule is asked, which knows what is wrong. */
		if ((state & MATCH_STATE_ENABLED) == 0 ||
			(im->entries[rule].ports >> p->port & 1) == 0 ||
			!probe_wants(p, &im->entries[rule]))
			continue;
		list_lower(p->best, p->n, hit->frames & keys, rule);
		hit->frames &= ~keys;
	}
}

/* Ask the rules of @h; then it is empty. */
static inline void
list_done(const struct list *l, struct list_hits *h, struct probe *p, const struct list_frames *f)
{
	list_settle(l, h, p, f);
	list_try(l, h, p, f);
}
