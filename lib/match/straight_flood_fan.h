/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What fans find where many frames of a burst have the same item, for kernels that compare such
 * at once. Included behind straight_have.h; before it: FLOOD_MIN, have_flood(), fan_find() and
 * flood_of(), which is what have_flood() calls an item.
 */

/* The place that two of three of the @n found by the fan @t have; or 0. */
static inline uint32_t
fan_place_of_most(const struct hash_table *t, const uint32_t *found, uint32_t n)
{
	const uint32_t *heads = t->fan->heads;
	const uint32_t a = heads[found[0] & FAN_HEAD_MASK];
	const uint32_t b = heads[found[n / 2] & FAN_HEAD_MASK];
	const uint32_t c = heads[found[n - 1] & FAN_HEAD_MASK];

	return a == b || a == c ? a : b == c ? b : 0;
}

/*
 * have_flood() for what most of the @n found by the fan @t have, if most have one. Returns how
 * many are left in @found.
 */
static inline uint32_t
have_most_found(struct straight *s, const struct hash_table *t, uint32_t *found, uint32_t n)
{
	const uint32_t place = n >= FLOOD_MIN ? fan_place_of_most(t, found, n) : 0;
	const uint32_t *heads = t->fan->heads;
	uint32_t left = 0, head = 0;
	uint64_t same = 0;

	if (place == 0)
		return n;
	for (uint32_t k = 0; k < n; k++) {
		const uint32_t at = found[k] & FAN_HEAD_MASK;
		const bool is_same = heads[at] == place;

		head = is_same ? at : head;
		same |= (uint64_t)is_same << (found[k] >> FAN_FRAME_SHIFT);
		found[left] = found[k];
		left += !is_same;
	}
	same &= ~have_flood(s, t, flood_of(t, place), same);
	for (; same != 0; same &= same - 1)
		found[left++] = (uint32_t)__builtin_ctzll(same) << FAN_FRAME_SHIFT | head;
	return left;
}

/* Look the frames @some up in the fan @t, and let them have the first rules of what is found. */
static void
have_fan(struct straight *s, const struct hash_table *t, uint64_t some)
{
	uint32_t found[FAN_FOUND_MAX];
	uint32_t n = fan_find(t->fan, windows_of(s, t->run_at.win), s->n, some, found);

	n = have_most_found(s, t, found, n);
	have_found(s, t, found, n);
}
