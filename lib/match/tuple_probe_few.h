/* SPDX-License-Identifier: BSD-3-Clause */
/* Part of tuple_probe.h: the comparison with all lanes of a very small set. */

/* What lanes are compared with. */
struct tuple_frame {
	const uint8_t *addrs;
	const struct pkt_view *view;
};

static inline struct tuple_frame
tuple_frame(const struct probe *p, uint32_t i)
{
	return (struct tuple_frame){tuple_addrs(p, i), p->view[i]};
}

/* Of a frame that may be no IPv4. Such a one has no addresses to read, and no lane holds for it. */
static inline struct tuple_frame
tuple_frame_of(const struct pkt_view *v)
{
	static const uint8_t none[8];

	return (struct tuple_frame){v->family == 4 ? v->frame + v->l3_off + 12 : none, v};
}

#ifdef __AVX512F__

/* The lanes, to be kept in registers for a burst. */
struct tuple_held {
	__m512i addr[TUPLE_SIDES], mask[TUPLE_SIDES], ports_lo, ports_hi, rule;
	__m256i meta, meta_mask;
};

static inline struct tuple_held
tuple_hold(const struct tuple *t)
{
	const struct tuple_few *f = t->few;

	return (struct tuple_held){
		.addr = {_mm512_load_si512(f->addr[0]), _mm512_load_si512(f->addr[1])},
		.mask = {_mm512_load_si512(f->mask[0]), _mm512_load_si512(f->mask[1])},
		.ports_lo = _mm512_load_si512(f->ports_lo),
		.ports_hi = _mm512_load_si512(f->ports_hi),
		.rule = _mm512_load_si512(f->rule),
		.meta = _mm256_load_si256((const __m256i *)(const void *)f->meta),
		.meta_mask = _mm256_load_si256((const __m256i *)(const void *)f->meta_mask),
	};
}

/* Those of the lanes @some that hold for @frame. */
static inline uint32_t
tuple_compare_few(struct tuple_frame frame, const struct tuple_held *f, uint32_t some)
{
	const __m512i src = _mm512_set1_epi32((int)tuple_word(frame.addrs));
	const __m512i dst = _mm512_set1_epi32((int)tuple_word(frame.addrs + 4));
	const __m512i ports = _mm512_set1_epi32((int)tuple_word(&frame.view->sport));
	const __m256i key = _mm256_set1_epi16((short)(frame.view->key >> 16));
	const __m512i inside = _mm512_min_epu16(_mm512_max_epu16(ports, f->ports_lo), f->ports_hi);
	__mmask16 hold;

	hold = _mm512_mask_testn_epi32_mask(
		(__mmask16)some, _mm512_xor_si512(src, f->addr[0]), f->mask[0]);
	hold = _mm512_mask_testn_epi32_mask(hold, _mm512_xor_si512(dst, f->addr[1]), f->mask[1]);
	hold = _mm512_mask_cmpeq_epi32_mask(hold, inside, ports);
	return _mm256_mask_cmpeq_epi16_mask(hold, _mm256_and_si256(key, f->meta_mask), f->meta);
}

/* The rule of the first lane in @hold, or MATCH_NONE. */
static inline uint32_t
tuple_few_rule(const struct tuple_held *f, uint32_t hold)
{
	const __m512i rule =
		_mm512_mask_compress_epi32(_mm512_set1_epi32(-1), (__mmask16)hold, f->rule);

	return (uint32_t)_mm_cvtsi128_si32(_mm512_castsi512_si128(rule));
}

#else

struct tuple_held {
	const struct tuple_few *few;
	uint32_t n; /* lanes, those behind never hold */
};

static inline struct tuple_held
tuple_hold(const struct tuple *t)
{
	return (struct tuple_held){t->few, t->n_lanes};
}

#ifdef __AVX2__

/* Half the lanes, 8 from @k on. */
static inline uint32_t
tuple_compare_half(
	const struct tuple_few *f, __m256i src, __m256i dst, __m256i ports, __m128i key, uint32_t k)
{
	const __m256i *sa = (const __m256i *)(const void *)&f->addr[TUPLE_SRC][k];
	const __m256i *sm = (const __m256i *)(const void *)&f->mask[TUPLE_SRC][k];
	const __m256i *da = (const __m256i *)(const void *)&f->addr[TUPLE_DST][k];
	const __m256i *dm = (const __m256i *)(const void *)&f->mask[TUPLE_DST][k];
	const __m256i *lo = (const __m256i *)(const void *)&f->ports_lo[k];
	const __m256i *hi = (const __m256i *)(const void *)&f->ports_hi[k];
	const __m128i *meta = (const __m128i *)(const void *)&f->meta[k];
	const __m128i *mask = (const __m128i *)(const void *)&f->meta_mask[k];
	const __m256i differ = _mm256_or_si256(_mm256_and_si256(_mm256_xor_si256(src, *sa), *sm),
		_mm256_and_si256(_mm256_xor_si256(dst, *da), *dm));
	const __m256i inside = _mm256_min_epu16(_mm256_max_epu16(ports, *lo), *hi);
	const __m256i two = _mm256_and_si256(_mm256_cmpeq_epi32(differ, _mm256_setzero_si256()),
		_mm256_cmpeq_epi32(inside, ports));
	const __m128i third = _mm_cmpeq_epi16(_mm_and_si128(key, *mask), *meta);

	return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(two)) &
		(uint32_t)_mm_movemask_epi8(_mm_packs_epi16(third, _mm_setzero_si128()));
}

static inline uint32_t
tuple_compare_few(struct tuple_frame frame, const struct tuple_held *held, uint32_t some)
{
	const __m256i src = _mm256_set1_epi32((int)tuple_word(frame.addrs));
	const __m256i dst = _mm256_set1_epi32((int)tuple_word(frame.addrs + 4));
	const __m256i ports = _mm256_set1_epi32((int)tuple_word(&frame.view->sport));
	const __m128i key = _mm_set1_epi16((short)(frame.view->key >> 16));
	uint32_t hold = tuple_compare_half(held->few, src, dst, ports, key, 0);

	if (held->n > TUPLE_LANES)
		hold |= tuple_compare_half(held->few, src, dst, ports, key, TUPLE_LANES)
			<< TUPLE_LANES;
	return hold & some;
}

#else

static inline uint32_t
tuple_compare_few(struct tuple_frame frame, const struct tuple_held *held, uint32_t some)
{
	const struct tuple_few *f = held->few;
	const uint32_t src = tuple_word(frame.addrs), dst = tuple_word(frame.addrs + 4);
	const struct tuple_ports4 ports = tuple_ports4(frame.view);
	tuple_vec hold = {0};

	for (uint32_t k = 0; k < held->n; k += TUPLE_FOUR) {
		const tuple_vec differ = ((src ^ *(const tuple_vec *)&f->addr[TUPLE_SRC][k]) &
						 *(const tuple_vec *)&f->mask[TUPLE_SRC][k]) |
			((dst ^ *(const tuple_vec *)&f->addr[TUPLE_DST][k]) &
				*(const tuple_vec *)&f->mask[TUPLE_DST][k]);

		hold |= tuple_hold_bits(differ |
				tuple_ports_differ(&ports, &f->ports_lo[k], &f->ports_hi[k],
					&f->meta[k], &f->meta_mask[k]),
			k);
	}
	return tuple_bits(hold) & some;
}

#endif

static inline uint32_t
tuple_few_rule(const struct tuple_held *held, uint32_t hold)
{
	const uint32_t k = (uint32_t)__builtin_ctz(hold | 1u << TUPLE_FEW) % TUPLE_FEW;

	return hold == 0 ? MATCH_NONE : held->few->rule[k];
}

#endif

/* Of the lanes @hold those whose rules are not before @from. */
static inline uint32_t
tuple_few_from(const struct tuple_few *f, uint32_t hold, uint32_t from)
{
	uint32_t left = 0;

	for (; hold != 0; hold &= hold - 1)
		left |= f->rule[__builtin_ctz(hold)] >= from ? hold & -hold : 0;
	return left;
}

static inline void
tuple_all_few(const struct tuple *t, const struct probe *p, struct tuple_burst *u, uint64_t some,
	bool again)
{
	const struct tuple_held held = tuple_hold(t);

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		uint32_t hold = tuple_compare_few(tuple_frame(p, i), &held, TUPLE_ALL_FEW);

		if (again)
			hold = tuple_few_from(t->few, hold, p->from[i]);
		u->best[TUPLE_SRC][i] = tuple_few_rule(&held, hold);
	}
}

/* As tuple_search(). */
static __attribute__((noinline)) uint32_t
tuple_search_few(const struct tuple *t, const struct probe *p, uint32_t i)
{
	const struct tuple_held held = tuple_hold(t);
	uint32_t hold = tuple_few_from(
		t->few, tuple_compare_few(tuple_frame(p, i), &held, TUPLE_ALL_FEW), p->from[i]);

	for (; hold != 0; hold &= hold - 1) {
		const uint32_t rule = t->few->rule[__builtin_ctz(hold)];
		const uint8_t state =
			atomic_load_explicit(&p->im->state[rule], memory_order_relaxed);

		if ((state & p->want[i]) == p->want[i])
			return MIN(rule, p->best[i]);
	}
	return p->best[i];
}

/* ---- the straight way ---- */

/* The lanes of rules that are in force. */
static inline uint32_t
tuple_few_on(const struct tuple_few *f, const struct match_image *im, uint32_t n)
{
	uint32_t on = 0;

	for (uint32_t k = 0; k < n; k++) {
		/* Pairs with match_image_enable(); nothing else depends on it. */
		const uint8_t state =
			atomic_load_explicit(&im->state[f->rule[k]], memory_order_relaxed);

		on |= (uint32_t)((state & MATCH_STATE_ENABLED) != 0) << k;
	}
	return on;
}

/* Called with constants, so that a burst in a row is a loop without @which. */
static inline __attribute__((always_inline)) void
tuple_straight_few(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint32_t n, uint32_t *ret)
{
	const struct tuple *t = im->index->tuple;
	const struct tuple_held held = tuple_hold(t);
	const uint32_t on = tuple_few_on(t->few, im, t->n_lanes);

	for (uint32_t i = 0; i < n; i++) {
		const struct pkt_view *v = &views[which != NULL ? which[i] : i];

		ret[i] = tuple_few_rule(&held, tuple_compare_few(tuple_frame_of(v), &held, on));
	}
}

uint64_t
TUPLE_STRAIGHT(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint32_t n, uint32_t *ret)
{
	if (which == NULL || straight_in_row(which, n))
		tuple_straight_few(im, views, NULL, n, ret);
	else
		tuple_straight_few(im, views, which, n, ret);
	return 0;
}
