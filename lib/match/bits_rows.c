// SPDX-License-Identifier: BSD-3-Clause
#include "bits_rows.h"

#include <errno.h>
#include <string.h>

#include "base/vec.h"

/* Lines and words that rows may take: 16 and 8 MiB; real rulesets of 10,000 take a tenth. */
#define LINES_LIMIT (UINT32_C(1) << 18)
#define WORDS_LIMIT (UINT32_C(1) << 21)

/* Two odd numbers without a pattern; nothing bad happens to who knows them but a slower build. */
#define SEED_A UINT64_C(0x9e3779b97f4a7c15)
#define SEED_B UINT64_C(0xc2b2ae3d27d4eb4f)

/* The two halves of a product, folded: every bit depends on all bits of both. */
static inline uint64_t
hash_fold(uint64_t a, uint64_t b)
{
	const unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t
hash_bytes(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t h = SEED_B, v;

	for (; n >= sizeof(v); n -= sizeof(v), p += sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		h = hash_fold(v ^ SEED_A, h ^ SEED_B);
	}
	v = 0;
	memcpy(&v, p, n);
	return hash_fold(v ^ SEED_A, h ^ SEED_B);
}

int
bits_rows_init(struct bits_rows *r, uint32_t n_lines)
{
	memset(r, 0, sizeof(*r));
	r->n_lines = n_lines;
	r->n_line_slots = r->n_row_slots = 1024;
	r->line_slots = mem_calloc(r->n_line_slots, sizeof(*r->line_slots));
	r->row_slots = mem_calloc(r->n_row_slots, sizeof(*r->row_slots));
	return r->line_slots != NULL && r->row_slots != NULL ? 0 : -ENOMEM;
}

void
bits_rows_fini(struct bits_rows *r)
{
	mem_free(r->lines.v);
	mem_free(r->words.v);
	mem_free(r->line_slots);
	mem_free(r->row_slots);
	memset(r, 0, sizeof(*r));
}

void
bits_rows_clear(struct bits_rows *r)
{
	memset(r->now, 0, r->n_lines * sizeof(r->now[0]));
	r->has = 0;
	r->changed = 0;
}

/* Make *@slots twice as large; @hash_of gives the hash of what a slot's number stands for. */
static int
grow(uint32_t **slots, uint32_t *n, const struct bits_rows *r,
	uint64_t (*hash_of)(const struct bits_rows *r, uint32_t number))
{
	const uint32_t size = *n * 2;
	uint32_t *v = mem_calloc(size, sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < *n; i++) {
		uint32_t at;

		if ((*slots)[i] == 0)
			continue;
		at = (uint32_t)hash_of(r, (*slots)[i] - 1) & (size - 1);
		while (v[at] != 0)
			at = (at + 1) & (size - 1);
		v[at] = (*slots)[i];
	}
	mem_free(*slots);
	*slots = v;
	*n = size;
	return 0;
}

static uint64_t
line_hash(const struct bits_rows *r, uint32_t number)
{
	return hash_bytes(&r->lines.v[number], sizeof(r->lines.v[0]));
}

/* Words of the row at @v. */
static size_t
row_size(const uint32_t *v)
{
	return 1 + (size_t)__builtin_popcount(v[0]);
}

static uint64_t
row_hash(const struct bits_rows *r, uint32_t at)
{
	const uint32_t *v = &r->words.v[at];

	return hash_bytes(v, row_size(v) * sizeof(*v));
}

static int
intern_line(struct bits_rows *r, const struct bits_line *line, uint32_t *ret)
{
	uint32_t at = (uint32_t)hash_bytes(line, sizeof(*line)) & (r->n_line_slots - 1);
	struct bits_line *new;

	for (; r->line_slots[at] != 0; at = (at + 1) & (r->n_line_slots - 1)) {
		*ret = r->line_slots[at] - 1;
		if (memcmp(&r->lines.v[*ret], line, sizeof(*line)) == 0)
			return 0;
	}
	if (r->lines.n >= LINES_LIMIT)
		return -E2BIG;
	new = vec_push(&r->lines);
	if (new == NULL)
		return -ENOMEM;
	memcpy(new, line, sizeof(*line));
	*ret = (uint32_t)r->lines.n - 1;
	r->line_slots[at] = *ret + 1;
	if (r->lines.n * 2 > r->n_line_slots)
		return grow(&r->line_slots, &r->n_line_slots, r, line_hash);
	return 0;
}

static bool
is_empty(const struct bits_line *line)
{
	uint64_t any = 0;

	for (size_t i = 0; i < DIM(line->w); i++)
		any |= line->w[i];
	return any == 0;
}

/* The numbers of the lines that changed. */
static int
intern_lines(struct bits_rows *r)
{
	for (; r->changed != 0; r->changed &= r->changed - 1) {
		const uint32_t l = (uint32_t)__builtin_ctz(r->changed);
		int err;

		r->has &= ~(UINT32_C(1) << l);
		if (is_empty(&r->now[l]))
			continue;
		err = intern_line(r, &r->now[l], &r->now_ids[l]);
		if (err < 0)
			return err;
		r->has |= UINT32_C(1) << l;
	}
	return 0;
}

int
bits_rows_intern(struct bits_rows *r, uint32_t *ret)
{
	uint32_t row[1 + BITS_LINES_MAX], n = 1, at;
	int err = intern_lines(r);

	if (err < 0)
		return err;
	row[0] = r->has;
	for (uint32_t m = r->has; m != 0; m &= m - 1)
		row[n++] = r->now_ids[__builtin_ctz(m)];
	at = (uint32_t)hash_bytes(row, n * sizeof(row[0])) & (r->n_row_slots - 1);
	for (; r->row_slots[at] != 0; at = (at + 1) & (r->n_row_slots - 1)) {
		const uint32_t *old;

		*ret = r->row_slots[at] - 1;
		old = &r->words.v[*ret];
		if (old[0] == row[0] && memcmp(old, row, n * sizeof(row[0])) == 0)
			return 0;
	}
	if (r->words.n + n > WORDS_LIMIT)
		return -E2BIG;
	*ret = (uint32_t)r->words.n;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t *word = vec_push(&r->words);

		if (word == NULL)
			return -ENOMEM;
		*word = row[i];
	}
	r->row_slots[at] = *ret + 1;
	if (++r->n_rows * 2 > r->n_row_slots)
		return grow(&r->row_slots, &r->n_row_slots, r, row_hash);
	return 0;
}

/* Line @l of the row at @at; NULL: it is empty. */
static const struct bits_line *
line_of(const struct bits_rows *r, uint32_t at, uint32_t l)
{
	const uint32_t *row = &r->words.v[at];
	const uint32_t before = row[0] & ((UINT32_C(1) << l) - 1);

	if ((row[0] >> l & 1) == 0)
		return NULL;
	return &r->lines.v[row[1 + __builtin_popcount(before)]];
}

void
bits_rows_cross(struct bits_rows *r, uint32_t a, uint32_t b)
{
	bits_rows_clear(r);
	for (uint32_t m = r->words.v[a] & r->words.v[b]; m != 0; m &= m - 1) {
		const uint32_t l = (uint32_t)__builtin_ctz(m);
		const struct bits_line *x = line_of(r, a, l), *y = line_of(r, b, l);

		for (size_t i = 0; i < DIM(x->w); i++)
			r->now[l].w[i] = x->w[i] & y->w[i];
		r->changed |= UINT32_C(1) << l;
	}
}
