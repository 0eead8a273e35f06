/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What lanes decide, lane by lane for a vector of frames: included by list_avx2.c and
 * list_avx512.c, which define
 *
 *	list_vec lower_to(list_vec best, uint32_t some, uint32_t rule)
 *
 * @best, but @rule where that is less and bit i of @some is set, which may have others behind.
 */

static inline void
list_lower(uint32_t *best, const struct list_sure *s)
{
	for (uint32_t k = 0; k < s->times; k++) {
		const uint16_t *holds = &s->holds->v[k][s->first];
		const uint32_t frames = (uint32_t)(s->frames >> k * LIST_PACKETS);
		list_vec *to = (list_vec *)(void *)&best[k * LIST_PACKETS];
		list_vec v[LIST_PACKETS / LIST_LANES];

		/* In registers: numbers are slow to be read behind stores of some of them. */
		memcpy(v, to, sizeof(v));
		for (uint32_t m = s->some; m != 0; m &= m - 1) {
			const size_t lane = (size_t)__builtin_ctz(m);
			const uint32_t some = holds[lane] & frames;

			for (uint32_t i = 0; i < LIST_PACKETS / LIST_LANES; i++)
				v[i] = lower_to(v[i], some >> i * LIST_LANES, s->rules[lane]);
		}
		memcpy(to, v, sizeof(v));
	}
}
