/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Lists that are machine code, for vectors that there is code for: included by list_c.c,
 * list_avx2.c and list_avx512.c, behind list_vec.h, which define
 *
 *	uint32_t list_some(list_vec v)
 *	void list_lower(uint32_t *best, const struct list_sure *s)
 *
 * which numbers of 16 bits of @v are not 0; and make best[i] the least of it and the rules of those
 * of the lanes of @s that hold for frame i.
 */

/* Frames on their way through blocks. */
struct run {
	const struct list *l;
	struct probe *p;
	const struct list_frames *f;
	struct list_hits *h;
	uint64_t some; /* only these count */
	struct scope_test test; /* of the key, last asked for; and for whom it holds */
	uint64_t keys;
};

static inline list_vec *
holds_of(struct list_holds *h, uint32_t time, uint32_t lane)
{
	return (list_vec *)(void *)&h->v[time][lane / RUN_LANES * RUN_LANES];
}

/* For whom lanes of @block decide alone. */
static inline uint64_t
run_sure_frames(struct run *r, const struct list_block *block)
{
	/* Of who goes again not all rules are looked for. */
	if (r->p->again || !r->f->in_order)
		return 0;
	if (!scope_test_equal(&r->test, &block->sure)) {
		r->test = block->sure;
		r->keys = search_keys_test(r->p->key, r->p->n, r->test) & r->f->whole;
	}
	return r->keys & r->some;
}

/* Those of the lanes @some of @block, bits from number @i on, that decide alone. */
static inline uint32_t
run_sure_lanes(const struct run *r, const struct list_block *block, uint32_t i, uint32_t some)
{
	const struct match_image *im = r->p->im;
	const uint32_t *rules = &r->l->rules[block->lane + i];
	uint32_t sure = some & (uint32_t)(block->is_sure[i / 64] >> i % 64);

	for (uint32_t m = sure; m != 0; m &= m - 1) {
		const uint32_t rule = rules[__builtin_ctz(m)];
		/* Pairs with match_image_enable(); nothing else depends on it. */
		const uint8_t state = atomic_load_explicit(&im->state[rule], memory_order_relaxed);

		if ((state & MATCH_STATE_ENABLED) == 0 ||
			(im->entries[rule].ports >> r->p->port & 1) == 0)
			sure &= ~(m & -m);
	}
	return sure;
}

/* Note for whom of @frames the lanes @some of @block hold, bits from number @i on. */
static inline void
run_note(struct run *r, const struct list_block *block, uint32_t i, const struct list_holds *holds,
	uint32_t times, uint32_t some, uint64_t frames)
{
	struct list_hits *h = r->h;

	for (uint32_t m = some; m != 0; m &= m - 1) {
		const uint32_t lane = i + (uint32_t)__builtin_ctz(m);
		const uint64_t hits = list_holds_for(holds, lane, times) & frames;

		h->v[h->n] = (struct list_hit){.frames = hits, .lane = block->lane + lane};
		h->n += hits != 0;
		if (h->n == LIST_HITS)
			list_try(r->l, h, r->p, r->f);
	}
}

/* Decide what can be, note the rest: of the lanes @some of @block, bits from number @i on. */
static inline void
run_settle(struct run *r, const struct list_block *block, uint32_t i,
	const struct list_holds *holds, uint32_t times, uint32_t some)
{
	const uint64_t frames = run_sure_frames(r, block);
	struct list_sure sure = {.holds = holds,
		.rules = &r->l->rules[block->lane + i],
		.times = times,
		.first = i,
		.some = frames != 0 ? run_sure_lanes(r, block, i, some) : 0,
		.frames = frames};

	if (sure.some != 0)
		list_lower(r->p->best, &sure);
	if (frames != r->some)
		run_note(r, block, i, holds, times, sure.some, r->some & ~frames);
	if (sure.some != some)
		run_note(r, block, i, holds, times, some & ~sure.some, r->some);
}

/*
 * Those of the @n lanes of a vector to settle, of which those in @some hold for someone: all, where
 * nearly all do, so that how many they are is foreseen.
 */
static inline uint32_t
run_which(uint32_t some, uint32_t n)
{
	return (uint32_t)__builtin_popcount(some) * 4 > n * 3 ? (uint32_t)search_mask(n) : some;
}

/* Ask the lanes of @block. */
static inline void
run_block(struct run *r, const struct list_block *block)
{
	const struct list_frames *f = r->f;
	const uint32_t times = f->room / LIST_PACKETS;
	struct list_holds holds;

	for (uint32_t k = 0; k < times; k++) {
		/* Behind the last lane none holds. */
		*holds_of(&holds, k, block->n) = (list_vec){0};
		block->fn(&f->rows[0][k * LIST_PACKETS], holds.v[k]);
	}
	for (uint32_t i = 0; i < block->n; i += RUN_LANES) {
		list_vec any = {0};
		uint32_t some;

		for (uint32_t k = 0; k < times; k++)
			any |= *holds_of(&holds, k, i);
		some = list_some(any);
		if (some != 0)
			run_settle(r, block, i, &holds, times,
				run_which(some, MIN(block->n - i, RUN_LANES)));
	}
}

/* Ask the lanes of @part; only frames in @some count. */
static inline void
run_part(const struct list *l, const struct list_part *part, struct probe *p,
	const struct list_frames *f, uint64_t some, struct list_hits *h)
{
	struct run r = {.l = l, .p = p, .f = f, .h = h, .some = some, .test = {0, 1}};

	for (uint32_t i = 0; i < part->n_blocks; i++)
		run_block(&r, &l->blocks[part->block + i]);
}
