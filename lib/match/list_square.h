/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Four columns of a list at once, whose bytes lie behind each other: 16 bytes of four frames are a
 * square of numbers, of which lines become columns. Included behind list_vec.h by list_c.c,
 * list_avx2.c and list_avx512.c, which define
 *
 *	list_vec list_lines(const uint8_t *const *bytes, uint32_t step, int32_t off)
 *	list_vec list_swap(list_vec v)
 *	LOW32, HIGH32, LOW64, HIGH64(list_vec a, list_vec b)
 *
 *	bool list_all_whole(const struct probe_at *at, uint32_t n, int32_t begin, int32_t end)
 *
 * 16 bytes at @off of every fourth frame from @bytes[0] on, of which the next is at @bytes[@step],
 * as many as a vector holds; numbers with their bytes turned round; what unpacking makes of
 * each 16 bytes of two vectors; and whether all windows have the bytes from @begin to @end.
 */

/* The square from row @row on of the frames from the @i-th on. */
static inline void
list_put_square(struct list_frames *f, uint32_t row, const uint8_t *const *bytes, uint32_t step,
	int32_t off, uint32_t i)
{
	list_vec line[4], half[4];

	for (uint32_t k = 0; k < 4; k++)
		line[k] = list_lines(bytes + (i + k) * step, step, off);
	half[0] = LOW32(line[0], line[1]);
	half[1] = LOW32(line[2], line[3]);
	half[2] = HIGH32(line[0], line[1]);
	half[3] = HIGH32(line[2], line[3]);
	*(list_vec *)(void *)&f->rows[row][i] = list_swap(LOW64(half[0], half[1]));
	*(list_vec *)(void *)&f->rows[row + 1][i] = list_swap(HIGH64(half[0], half[1]));
	*(list_vec *)(void *)&f->rows[row + 2][i] = list_swap(LOW64(half[2], half[3]));
	*(list_vec *)(void *)&f->rows[row + 3][i] = list_swap(HIGH64(half[2], half[3]));
}

/* Columns of @place of frames that are whole, of which the next is at @bytes[@step]. */
static inline __attribute__((always_inline)) void
list_put_whole(const struct list *l, const struct list_place *place, const uint8_t *const *bytes,
	uint32_t step, struct list_frames *f)
{
	for (uint32_t k = 0; k < place->n_squares; k++) {
		const uint32_t row = l->squares[place->square + k];

		for (uint32_t i = 0; i < f->room; i += LIST_LANES)
			list_put_square(f, row, bytes, step, l->column[row], i);
	}
	for (uint32_t k = 0; k < place->n_singles; k++) {
		const uint32_t row = l->singles[place->single + k];

		for (uint32_t i = 0; i < f->room; i++)
			f->rows[row][i] = load_be32(bytes[i * step] + l->column[row]);
	}
}

/* Columns of @place. */
static inline void
list_put_place(const struct list *l, const struct list_place *place, const struct probe *p,
	struct list_frames *f)
{
	const struct probe_at *at = p->at[place->win];
	const uint8_t *bytes[MATCH_BURST];
	uint64_t near;

	_Static_assert(
		sizeof(*at) == 2 * sizeof(at->bytes) && offsetof(struct probe_at, bytes) == 0,
		"every second pointer");
	if (f->in_order && f->room == f->n && list_all_whole(at, f->n, place->begin, place->end)) {
		list_put_whole(l, place, &at->bytes, 2, f);
		return;
	}
	near = list_place_bytes(place, at, f, bytes);
	if (near != search_mask(f->n))
		list_put_whole(l, place, bytes, 1, f);
	f->whole &= ~near;
	for (uint64_t m = near; m != 0; m &= m - 1)
		list_put_near(l, place, &at[f->frame[__builtin_ctzll(m)]], f,
			(uint32_t)__builtin_ctzll(m));
}

/* Number the frames in @some. */
static inline void
list_number(const struct probe *p, uint64_t some, struct list_frames *f)
{
	uint32_t n = 0;

	f->in_order = some == search_mask(p->n);
	if (f->in_order) {
		f->n = p->n;
		memcpy(f->frame, search_in_order, sizeof(f->frame));
		return;
	}
	for (uint64_t m = some; m != 0; m &= m - 1)
		f->frame[n++] = (uint8_t)__builtin_ctzll(m);
	f->n = n;
}

/* Take the frames in @some; @lanes are in a vector, @group go at once where one is not enough. */
static inline void
list_take(const struct list *l, const struct probe *p, uint64_t some, uint32_t lanes,
	uint32_t group, struct list_frames *f)
{
	list_number(p, some, f);
	f->whole = search_mask(f->n);
	f->room = f->n <= lanes ? lanes : (f->n + group - 1) / group * group;
	for (uint32_t i = f->n; i < f->room; i++)
		f->frame[i] = f->frame[0];
	for (uint32_t k = 0; k < l->n_places; k++)
		list_put_place(l, &l->places[k], p, f);
	if (l->n_steps > 0)
		memset(f->rows[LIST_ZERO], 0, f->room * sizeof(f->rows[0][0]));
}
