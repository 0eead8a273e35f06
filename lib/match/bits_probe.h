/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The body of the bit-vector kernel, included once for each kind of processor,
 * which defines BITS_PROBE.
 */
#include <stdatomic.h>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "bits.h"
#include "probe.h"
#include "tree_search.h"

/* The frames of a call, those the kernel is asked about side by side. */
struct bits_burst {
	uint32_t n;
	uint8_t frame[MATCH_BURST];
	/* By axis, and the rows of fields behind those of the addresses. */
	uint32_t row[BITS_AXES][MATCH_BURST];
};

/* ---- rows ---- */

static inline uint32_t
bits_class(const struct bits *b, enum bits_field f, uint32_t value)
{
	return b->class[f][value];
}

static inline void
field_rows(const struct bits *b, const struct probe *p, struct bits_burst *u)
{
	for (uint32_t k = 0; k < u->n; k++) {
		const uint32_t i = u->frame[k], key = p->key[i];
		const uint32_t meta = bits_class(b, BITS_META, key >> 16);
		const uint32_t dport = bits_class(b, BITS_DPORT, key & 0xffff);
		const uint32_t sport = bits_class(b, BITS_SPORT, p->view[i]->sport);

		for (uint32_t c = 0; c < b->n_cross; c++) {
			const struct bits_cross *x = &b->cross[c];

			u->row[BITS_ADDRESSES + c][k] = x->row[meta * x->times[BITS_META] +
				dport * x->times[BITS_DPORT] + sport * x->times[BITS_SPORT]];
		}
	}
}

/* Rows of the @n IPv4 addresses @key. */
static inline void
rows_of4(const struct bits_address *a, const int32_t *key, uint32_t n, uint32_t *at)
{
	for (uint32_t i = 0; i < n; i++)
		at[i] = a->start[(uint64_t)(uint32_t)(key[i] ^ INT32_MIN) >> a->shift];
	if (a->paged)
		for (uint32_t i = 0; i < n; i++)
			if ((at[i] & BITS_PAGE) != 0)
				at[i] = a->pages[(at[i] & ~BITS_PAGE) * 256 +
					((uint32_t)key[i] >> 8 & 0xff)];
	for (uint32_t i = 0; i < n; i++) {
		if (a->paged && at[i] == BITS_MANY)
			tree4_count(&a->v4, &key[i], 1, &at[i]);
		else
			at[i] += tree_node4(a->ends4 + at[i], key[i]);
		at[i] = a->row4[MIN(at[i], a->n4)];
	}
}

static inline void
rows_of6(const struct bits_address *a, const uint8_t *const *addr, uint32_t n, uint32_t *at)
{
	ends6_count(&a->v6, addr, n, at);
	for (uint32_t i = 0; i < n; i++)
		at[i] = a->row6[at[i]];
}

/* A burst of IPv4 alone: nothing to sort out. */
static inline void
address_rows4(const struct bits *b, const struct probe *p, struct bits_burst *u)
{
	int32_t src[MATCH_BURST], dst[MATCH_BURST];

	for (uint32_t k = 0; k < u->n; k++) {
		const uint64_t both = load_be64(pkt_src(p->view[u->frame[k]]));

		src[k] = tree_key4((uint32_t)(both >> 32));
		dst[k] = tree_key4((uint32_t)both);
	}
	rows_of4(&b->address[0], src, u->n, u->row[0]);
	rows_of4(&b->address[1], dst, u->n, u->row[1]);
}

static inline void
address_rows(const struct bits *b, const struct probe *p, struct bits_burst *u, uint32_t which)
{
	const struct bits_address *a = &b->address[which];
	uint32_t at4[MATCH_BURST], at6[MATCH_BURST], n4 = 0, n6 = 0;
	uint8_t of4[MATCH_BURST], of6[MATCH_BURST];
	int32_t key[MATCH_BURST];
	const uint8_t *addr[MATCH_BURST];

	for (uint32_t k = 0; k < u->n; k++) {
		const struct pkt_view *v = p->view[u->frame[k]];

		/* What is no IP has no bit of a rule that asks for an address. */
		u->row[which][k] = a->row4[0];
		if (v->family == 4) {
			of4[n4] = (uint8_t)k;
			key[n4++] = tree_key4(load_be32(which == 0 ? pkt_src(v) : pkt_dst(v)));
		} else if (v->family == 6) {
			of6[n6] = (uint8_t)k;
			addr[n6++] = which == 0 ? pkt_src(v) : pkt_dst(v);
		}
	}
	if (n4 > 0)
		rows_of4(a, key, n4, at4);
	for (uint32_t i = 0; i < n4; i++)
		u->row[which][of4[i]] = at4[i];
	if (n6 > 0)
		rows_of6(a, addr, n6, at6);
	for (uint32_t i = 0; i < n6; i++)
		u->row[which][of6[i]] = at6[i];
}

/* ---- lines ---- */

/* What all @n lines have in common, in @ret. Returns which of its words are not 0. */
static inline uint32_t
bits_common(const struct bits_line *const *line, uint32_t n, struct bits_line *ret)
{
#ifdef __AVX512F__
	__m512i all = _mm512_load_si512(line[0]->w);

	for (uint32_t a = 1; a < n; a++)
		all = _mm512_and_si512(all, _mm512_load_si512(line[a]->w));
	_mm512_store_si512(ret->w, all);
	return _mm512_test_epi64_mask(all, all);
#else
	uint32_t words = 0;

	*ret = *line[0];
	for (uint32_t a = 1; a < n; a++)
		for (uint32_t w = 0; w < DIM(ret->w); w++)
			ret->w[w] &= line[a]->w[w];
	for (uint32_t w = 0; w < DIM(ret->w); w++)
		words |= (uint32_t)(ret->w[w] != 0) << w;
	return words;
#endif
}

/*
 * The first bit of @l, whose words @words are not 0, that is for frame @i; or
 * MATCH_NONE. A call: nearly always it is the very first one.
 */
static __attribute__((noinline)) uint32_t
bits_search(const struct bits *b, const struct probe *p, uint32_t i, const struct bits_line *l,
	uint32_t words, uint32_t line)
{
	for (; words != 0; words &= words - 1) {
		const uint32_t w = (uint32_t)__builtin_ctz(words);

		for (uint64_t m = l->w[w]; m != 0; m &= m - 1) {
			const uint32_t entry = b->rule[line * BITS_OF_LINE + w * 64 +
				(uint32_t)__builtin_ctzll(m)];
			const uint32_t rule = entry & ~BITS_ASK_PORT;
			const uint8_t state =
				atomic_load_explicit(&p->im->state[rule], memory_order_relaxed);

			if (rule < p->from[i] || (state & p->want[i]) != p->want[i])
				continue;
			if (entry == rule || (p->im->entries[rule].ports >> p->port & 1) != 0)
				return rule;
		}
	}
	return MATCH_NONE;
}

static inline uint32_t
bits_first(const struct bits *b, const struct probe *p, uint32_t i, const struct bits_line *l,
	uint32_t words, uint32_t line)
{
	const uint32_t w = (uint32_t)__builtin_ctz(words);
	const uint32_t rule =
		b->rule[line * BITS_OF_LINE + w * 64 + (uint32_t)__builtin_ctzll(l->w[w])];

	/* With BITS_ASK_PORT it is greater than any rule. */
	if (rule < p->im->n && rule >= p->from[i] &&
		(atomic_load_explicit(&p->im->state[rule], memory_order_relaxed) & p->want[i]) ==
			p->want[i])
		return rule;
	return bits_search(b, p, i, l, words, line);
}

/* Go through the lines that all @n rows of frame number @k have. */
static inline void
cross_rows(
	const struct bits *b, struct probe *p, const struct bits_burst *u, uint32_t k, uint32_t n)
{
	const uint32_t i = u->frame[k];
	const uint32_t *row[BITS_AXES];
	uint32_t has = UINT32_MAX, best = p->best[i];

	for (uint32_t a = 0; a < n; a++) {
		row[a] = &b->rows[u->row[a][k]];
		has &= row[a][0];
	}
	for (; has != 0; has &= has - 1) {
		const uint32_t line = (uint32_t)__builtin_ctz(has);
		const uint32_t before = (UINT32_C(1) << line) - 1;
		const struct bits_line *l[BITS_AXES];
		struct bits_line all;
		uint32_t words;

		if (b->line_first[line] >= best)
			continue;
		for (uint32_t a = 0; a < n; a++)
			l[a] = &b->lines[row[a][1 + __builtin_popcount(row[a][0] & before)]];
		words = bits_common(l, n, &all);
		if (words != 0)
			best = MIN(best, bits_first(b, p, i, &all, words, line));
	}
	p->best[i] = best;
}

void
BITS_PROBE(const struct bits *b, struct probe *p, uint64_t some)
{
	struct bits_burst u;
	bool only4 = true;

	u.n = 0;
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		u.frame[u.n++] = (uint8_t)i;
		only4 &= p->view[i]->family == 4;
	}
	field_rows(b, p, &u);
	if (only4) {
		address_rows4(b, p, &u);
	} else {
		address_rows(b, p, &u, 0);
		address_rows(b, p, &u, 1);
	}
	/* With constants, so that each is a loop without a loop in it. */
	if (b->n_cross == 1)
		for (uint32_t k = 0; k < u.n; k++)
			cross_rows(b, p, &u, k, BITS_ADDRESSES + 1);
	else if (b->n_cross == 2)
		for (uint32_t k = 0; k < u.n; k++)
			cross_rows(b, p, &u, k, BITS_ADDRESSES + 2);
	else
		for (uint32_t k = 0; k < u.n; k++)
			cross_rows(b, p, &u, k, BITS_ADDRESSES + 3);
}
