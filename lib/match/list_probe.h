/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The body of the list kernel, compiled once for each kind of processor:
 * included by list_c.c, list_avx2.c and list_avx512.c, which define LIST_PROBE,
 * list_values(), and of vectors of LIST_WIDTH bytes
 *
 *	list_vec list_shift(list_vec r, const struct list_step *t, uint32_t k)
 *	list_vec list_pick(const uint16_t *values, const uint16_t *numbers)
 *	uint32_t list_equal(const list_vec *r, const struct list_block *b)
 *
 * and are given the processor's options by meson.build. Four vectors go at once, so
 * that the latencies of one hide behind the others': of one frame, or of two or four.
 */

/* The values of frames for vector @k whose numbers are @number. */
static inline list_vec
list_operand(const uint16_t *const *values, const uint16_t *number, bool same, uint32_t k)
{
	const uint16_t *v = values[k / LIST_PARTS];

	if (same)
		return (list_vec){0} + v[number[0]];
	return list_pick(v, LIST_PART(number, k));
}

static inline void
list_do_step(const struct list_step *t, const uint16_t *const *values, list_vec r[LIST_VECS])
{
	const uint32_t does = t->does;

	if ((does & LIST_MUL) != 0)
		for (uint32_t k = 0; k < LIST_VECS; k++)
			r[k] *= LIST_LOAD(t->mul, k);
	if ((does & (LIST_V | LIST_V_MUL)) == LIST_V)
		for (uint32_t k = 0; k < LIST_VECS; k++)
			r[k] += list_operand(values, t->v, (does & LIST_V_SAME) != 0, k);
	else if ((does & LIST_V) != 0)
		for (uint32_t k = 0; k < LIST_VECS; k++)
			r[k] += list_operand(values, t->v, (does & LIST_V_SAME) != 0, k) *
				LIST_LOAD(t->v_mul, k);
	if ((does & LIST_ADD) != 0)
		for (uint32_t k = 0; k < LIST_VECS; k++)
			r[k] += LIST_LOAD(t->add, k);
	if ((does & LIST_BITS) != 0)
		for (uint32_t k = 0; k < LIST_VECS; k++)
			r[k] = (r[k] & LIST_LOAD(t->and, k)) ^ LIST_LOAD(t->xor, k);
	if ((does & LIST_X) != 0)
		for (uint32_t k = 0; k < LIST_VECS; k++)
			r[k] ^= list_operand(values, t->x, (does & LIST_X_SAME) != 0, k) &
				LIST_LOAD(t->x_mask, k);
	if ((does & LIST_SHIFT) != 0)
		for (uint32_t k = 0; k < LIST_VECS; k++)
			r[k] = list_shift(r[k], t, k);
}

/* Bit k of @ret_hits[f]: the test of lane k of @b holds for frame f. Whether any does. */
static inline bool
list_hits(const struct list *l, const struct list_block *b, const uint16_t *const *values,
	uint32_t ret_hits[LIST_FRAMES])
{
	list_vec r[LIST_VECS];
	uint32_t any = 0;

	for (uint32_t k = 0; k < LIST_VECS; k++)
		r[k] = list_operand(values, b->start, b->start_same, k);
	for (uint32_t s = 0; s < b->n_steps; s++)
		list_do_step(&l->steps[b->step + s], values, r);
	for (uint32_t f = 0; f < LIST_FRAMES; f++) {
		ret_hits[f] = list_equal(&r[f * LIST_PARTS], b);
		any |= ret_hits[f];
	}
	return any != 0;
}

/* The frames that pass a test, and the last of them again, up to a multiple of LIST_FRAMES. */
struct list_frames {
	uint32_t n;
	uint8_t frame[MATCH_BURST + LIST_FRAMES];
};

static inline void
list_take(struct list_frames *f, uint64_t some)
{
	f->n = 0;
	for (uint64_t m = some; m != 0; m &= m - 1)
		f->frame[f->n++] = (uint8_t)__builtin_ctzll(m);
	for (uint32_t k = 0; k < LIST_FRAMES && f->n > 0; k++)
		f->frame[f->n + k] = f->frame[f->n - 1];
}

/* Ask block @b of LIST_FRAMES frames. */
static inline void
list_ask(const struct list *l, const struct list_block *b, struct probe *p, const uint8_t *frame,
	const uint16_t (*values)[LIST_VALUES])
{
	const uint16_t *v[LIST_FRAMES];
	uint32_t hits[LIST_FRAMES];

	for (uint32_t j = 0; j < LIST_FRAMES; j++)
		v[j] = values[frame[j]];
	if (!list_hits(l, b, v, hits))
		return;
	for (uint32_t j = 0; j < LIST_FRAMES; j++)
		if (hits[j] != 0)
			list_try(b, p, frame[j], hits[j]);
}

void
LIST_PROBE(const struct list *l, struct probe *p, uint64_t some)
{
	uint16_t values[MATCH_BURST][LIST_VALUES] __attribute__((aligned(64)));
	struct list_frames f;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		list_values(l, p, i, values[i]);
	}
	for (uint32_t k = 0; k < l->n_blocks; k++) {
		const struct list_block *b = &l->blocks[k];

		/* Most blocks ask what the one before them asks. */
		if (k == 0 || !scope_test_equal(&b->test, &b[-1].test))
			list_take(&f, search_keys_test(p->key, p->n, b->test) & some);
		for (uint32_t i = 0; i < f.n; i += LIST_FRAMES)
			list_ask(l, b, p, &f.frame[i], values);
	}
}
