/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The body of the hash kernel, compiled once for each kind of processor:
 * included by hash_c.c, hash_avx2.c and hash_avx512.c, which define HASH_PROBE
 * and hash_tags(), and are given the processor's options by meson.build.
 */

#include "hash.h"
#include "probe.h"
#include "scope.h"
#include "search.h"

static inline bool
needs_hold(const struct hash_item *it, const struct probe *p, uint32_t i)
{
	const struct window *windows = p->im->index->windows;

	for (uint32_t k = 0; k < it->n_needs; k++) {
		const struct item_need *n = &it->needs[k];
		const struct window *w = &windows[n->win];
		const uint64_t caplen = p->caplen[w->space][i];

		if (w->kind == WINDOW_TAIL) {
			const uint64_t len = p->len[w->space][i];

			if (len < n->a || caplen + n->b < len)
				return false;
		} else if ((uint64_t)p->pos[n->win][i] + n->a > caplen) {
			return false;
		}
	}
	return true;
}

static inline bool
words_hold(
	const struct hash_table *t, const struct hash_item *it, const struct probe *p, uint32_t i)
{
	const struct hash_shape *s = &t->shapes[it->shape];
	uint64_t differ = (probe_key_word(p, i) & s->key_mask) ^ it->val[0];

	for (uint32_t k = 0; k < s->n_words; k++) {
		const struct hash_word *w = &s->words[k];

		differ |= (probe_load(p, i, w->win, w->space, w->off) & w->mask) ^ it->val[k + 1];
	}
	return differ == 0;
}

/* What the words cannot say. */
static bool
rest_holds(const struct hash_item *it, const struct probe *p, uint32_t i)
{
	const struct match_entry *e = &p->im->entries[it->rule];

	if ((it->flags & p->refuse_mask) == p->refuse_val)
		return false;
	if ((it->flags & ITEM_PORTS) != 0 && (e->ports >> p->port & 1) == 0)
		return false;
	if ((it->flags & ITEM_RUN) != 0 &&
		!search_run(e, p->im->is_jit, (enum match_run)e->run, p->view[i]))
		return false;
	return (it->flags & ITEM_MORE) == 0 || scope_more_holds(e->scope.more, p->view[i], false);
}

static inline bool
in_force(const struct probe *p, uint32_t i, uint32_t rule)
{
	/* Pairs with match_image_enable(); nothing else depends on it. */
	const uint8_t state = atomic_load_explicit(&p->im->state[rule], memory_order_relaxed);

	return rule >= p->from[i] && (state & p->want[i]) == p->want[i];
}

/* Go along the chain from @place on, which is in the order of rules. */
static inline void
try_chain(const struct hash_table *t, struct probe *p, uint32_t i, uint32_t place)
{
	do {
		const struct hash_item *it = (const void *)&t->items[place];

		if (it->rule >= p->best[i])
			return;
		if (words_hold(t, it, p, i) && in_force(p, i, it->rule) && needs_hold(it, p, i) &&
			((it->flags | p->refuse_mask) == 0 || rest_holds(it, p, i))) {
			p->best[i] = it->rule;
			return;
		}
		place = it->next;
	} while (place != 0);
}

/* Called with constants, so that each number of words is a loop of its own. */
static inline uint64_t
hash_of(const struct hash_table *t, const struct probe *p, uint32_t i, uint32_t n_words, bool two)
{
	uint64_t w[HASH_DATA_WORDS] = {0}, key = 0;

	for (uint32_t k = 0; k < n_words; k++)
		w[k] = probe_load(p, i, t->words[k].win, t->words[k].space, t->words[k].off) &
			t->words[k].mask;
	if (two)
		key = probe_key_word(p, i) & t->key_mask;
	return hash_words(t->seed, w, key, two);
}

static inline void
probe_all(const struct hash_table *t, struct probe *p, uint64_t some, uint32_t n_words, bool two)
{
	uint64_t h[MATCH_BURST];

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		h[i] = hash_of(t, p, i, n_words, two);
		__builtin_prefetch(&t->buckets[h[i] & t->bucket_mask]);
	}
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const struct hash_bucket *b = &t->buckets[h[i] & t->bucket_mask];

		for (uint32_t s = hash_tags(b, hash_tag(h[i])); s != 0; s &= s - 1)
			try_chain(t, p, i, b->items[__builtin_ctz(s)]);
	}
}

void
HASH_PROBE(const struct hash_table *t, struct probe *p, uint64_t some)
{
	const bool two = hash_needs_two(t);

	switch (t->n_words) {
	case 0: probe_all(t, p, some, 0, true); break;
	case 1:
		if (two)
			probe_all(t, p, some, 1, true);
		else
			probe_all(t, p, some, 1, false);
		break;
	case 2:
		if (two)
			probe_all(t, p, some, 2, true);
		else
			probe_all(t, p, some, 2, false);
		break;
	default: probe_all(t, p, some, 3, true); break;
	}
}
