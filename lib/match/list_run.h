/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Lists that are machine code, for vectors that there is code for: included by list_c.c,
 * list_avx2.c and list_avx512.c, behind list_vec.h, which define
 *
 *	uint32_t list_some(list_vec v)
 *
 * which numbers of 16 bits of @v are not 0.
 */

#define RUN_TIMES (MATCH_BURST / LIST_PACKETS)
#define RUN_LANES (LIST_WIDTH / (uint32_t)sizeof(uint16_t)) /* whose results are a vector */

/* Of frames that go at once, by lane: for whom the test holds. */
struct list_holds {
	uint16_t v[RUN_TIMES][LIST_BLOCK + RUN_LANES] __attribute__((aligned(64)));
};

static inline list_vec *
holds_of(struct list_holds *h, uint32_t time, uint32_t lane)
{
	return (list_vec *)(void *)&h->v[time][lane / RUN_LANES * RUN_LANES];
}

/* Note for whom in @some the lane @lane of @block holds. */
static inline void
run_note(const struct list_block *block, uint32_t lane, const struct list_holds *holds,
	uint32_t times, uint64_t some, struct list_hits *h)
{
	uint64_t frames = 0;

	for (uint32_t k = 0; k < times; k++)
		frames |= (uint64_t)holds->v[k][lane] << LIST_PACKETS * k;
	frames &= some;
	h->v[h->n] = (struct list_hit){.frames = frames, .lane = block->lane + lane};
	h->n += frames != 0;
}

/* Ask the lanes of @block; only frames in @some count. */
static inline void
run_block(const struct list *l, const struct list_block *block, struct probe *p,
	const struct list_frames *f, uint64_t some, struct list_hits *h)
{
	const uint32_t times = f->room / LIST_PACKETS;
	struct list_holds holds;

	for (uint32_t k = 0; k < times; k++) {
		/* Behind the last lane none holds. */
		*holds_of(&holds, k, block->n) = (list_vec){0};
		block->fn(&f->rows[0][k * LIST_PACKETS], holds.v[k]);
	}
	for (uint32_t i = 0; i < block->n; i += RUN_LANES) {
		list_vec any = {0};

		for (uint32_t k = 0; k < times; k++)
			any |= *holds_of(&holds, k, i);
		for (uint32_t m = list_some(any); m != 0; m &= m - 1) {
			const uint32_t k = i + (uint32_t)__builtin_ctz(m);

			run_note(block, k, &holds, times, some, h);
			if (h->n == LIST_HITS)
				list_done(l, h, p, f);
		}
	}
}

/* Ask the lanes of @part; only frames in @some count. */
static inline void
run_part(const struct list *l, const struct list_part *part, struct probe *p,
	const struct list_frames *f, uint64_t some, struct list_hits *h)
{
	for (uint32_t i = 0; i < part->n_blocks; i++)
		run_block(l, &l->blocks[part->block + i], p, f, some, h);
}
