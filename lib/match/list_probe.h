/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The body of the list kernel, compiled once for each kind of processor:
 * included by list_c.c, list_avx2.c and list_avx512.c, which are given the
 * processor's options by meson.build and define LIST_PROBE, the vectors of
 * list_vec.h, LIST_VECS, how many of them go at once so that the latencies of one
 * hide behind the others', LIST_AT_ONCE, of how many lanes of four, as many as there
 * are registers for, LIST_PACKETS, how many frames go through machine code at once, and
 *
 *	list_vec list_shift(list_vec v, uint32_t n) to the right, n < 32
 *	list_vec list_shift_left(list_vec v, uint32_t n)
 *	uint64_t list_equal(const list_vec *r, uint32_t vecs, uint32_t mask, uint32_t val)
 *	bool list_any(const list_vec *r, uint32_t vecs, const uint32_t *mask, const uint32_t *val)
 *
 * which of the frames in the @vecs vectors at @r pass the test of @mask and @val; and
 * whether any may, where each of LIST_AT_ONCE lanes has its own vectors and test.
 */

#define LIST_INLINE static inline __attribute__((always_inline))

/* For vectors i, those of lane g0 first, then those of the others that go at once. */
#define EACH(x) \
	do { \
		_Pragma("GCC unroll 16") for (uint32_t i = 0; i < LIST_AT_ONCE * vecs; i++) \
		{ \
			const uint32_t g = g0 + i / vecs; \
			r[i] = (x); \
		} \
	} while (0)

/* Of row @r, as steps name it, what vector i wants. */
#define ROW(r) (*(const list_vec *)(const void *)(rows + (r) + i % vecs * LIST_WIDTH))

/* Note for whom in @some the lanes of test @s from @g0 on hold; @r is of the frames from @at on. */
LIST_INLINE void
list_note(const struct list_step *s, uint32_t g0, const list_vec *r, uint32_t vecs, uint32_t at,
	uint64_t some, struct list_hits *h)
{
	for (uint32_t g = 0; g < LIST_AT_ONCE; g++) {
		const uint64_t hits =
			list_equal(&r[g * vecs], vecs, s->mask[g0 + g], s->val[g0 + g]) & some;

		h->v[h->n] = (struct list_hit){.frames = hits << at, .lane = s->lane[g0 + g]};
		h->n += hits != 0;
	}
}

/*
 * Ask lanes of @part, from the @g0-th of each four on, of the frames from number @at on; only those
 * in @some count.
 */
LIST_INLINE void
list_ask(const struct list *l, const struct list_part *part, uint32_t g0, struct probe *p,
	const struct list_frames *f, uint32_t at, uint64_t some, uint32_t vecs, struct list_hits *h)
{
	const uint8_t *rows = (const uint8_t *)&f->rows[0][at];
	list_vec r[LIST_AT_ONCE * LIST_VECS];

	EACH(ROW(part->start[g]));
	for (const struct list_step *s = &l->steps[part->step];; s++) {
		switch ((enum list_step_kind)s->kind) {
		case LIST_AND: EACH(r[i] & s->mul[g]); continue;
		case LIST_V: EACH(r[i] + ROW(s->v[g])); continue;
		case LIST_MUL_V: EACH(r[i] * s->mul[g] + ROW(s->v[g])); continue;
		case LIST_X: EACH((r[i] + ROW(s->v[g]) + s->add[g]) ^ ROW(s->x[g])); continue;
		case LIST_MUL_X:
			EACH((r[i] * s->mul[g] + ROW(s->v[g]) + s->add[g]) ^ ROW(s->x[g]));
			continue;
		case LIST_ALL:
			EACH(list_shift(
				(r[i] + ROW(s->v[g]) + s->add[g]) ^ ROW(s->x[g]) ^ s->flip[g],
				s->shift[g]));
			continue;
		case LIST_MUL_ALL:
			EACH(list_shift((r[i] * s->mul[g] + ROW(s->v[g]) + s->add[g]) ^
					ROW(s->x[g]) ^ s->flip[g],
				s->shift[g]));
			continue;
		case LIST_TEST:
			if (__builtin_expect(list_any(r, vecs, &s->mask[g0], &s->val[g0]), 0)) {
				list_note(s, g0, r, vecs, at, some, h);
				if (h->n > LIST_HITS - LIST_AT_ONCE)
					list_try(l, h, p, f);
			}
			EACH(ROW(s->v[g]));
			continue;
		case LIST_END: return;
		}
		__builtin_unreachable();
	}
}

/* Rows for the values that are no columns. */
static inline void
list_put_pieces(const struct list *l, struct list_frames *f)
{
	const uint32_t n = f->room / LIST_LANES;

	for (uint32_t i = 0; i < l->n_pieces; i++) {
		const struct list_piece *piece = &l->pieces[i];
		const list_vec *a = (const list_vec *)(const void *)f->rows[piece->a];
		const list_vec *b = (const list_vec *)(const void *)f->rows[piece->b];
		list_vec *to = (list_vec *)(void *)f->rows[piece->row];

		for (uint32_t k = 0; k < n; k++) {
			const list_vec v = list_shift(
				list_shift_left(a[k], piece->up) | list_shift(b[k], piece->rest),
				piece->down);

			to[k] = piece->negative ? -v : v;
		}
	}
}

/* Ask the lanes of @part; only frames in @some count. */
static inline void
list_ask_part(const struct list *l, const struct list_part *part, struct probe *p,
	const struct list_frames *f, uint64_t some, struct list_hits *h)
{
	for (uint32_t at = 0; at < f->n; at += LIST_GROUP) {
		const uint64_t left = some >> at;

		for (uint32_t g = 0; g < LIST_FOUR; g += LIST_AT_ONCE)
			if (left >> LIST_LANES != 0)
				list_ask(l, part, g, p, f, at, left, LIST_VECS, h);
			else if (left != 0)
				list_ask(l, part, g, p, f, at, left, 1, h);
	}
}

void
LIST_PROBE(const struct list *l, struct probe *p, uint64_t some)
{
	const bool is_code = l->n_blocks > 0;
	struct list_frames f;
	struct list_hits h;

	h.n = 0;
	list_take(l, p, some, is_code ? LIST_PACKETS : LIST_LANES,
		is_code ? LIST_PACKETS : LIST_GROUP, &f);
	list_put_pieces(l, &f);
	for (uint32_t k = 0; k < l->n_parts; k++) {
		const struct list_part *part = &l->parts[k];
		uint64_t asked = search_mask(f.n);

		if (!scope_test_equal(&part->test, &l->test))
			asked = list_taken(&f, search_keys_test(p->key, p->n, part->test));
		if (asked == 0)
			continue;
#ifdef LIST_HAS_CODE
		if (is_code) {
			run_part(l, part, p, &f, asked, &h);
			continue;
		}
#endif
		list_ask_part(l, part, p, &f, asked, &h);
	}
	list_try(l, &h, p, &f);
}
