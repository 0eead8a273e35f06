// SPDX-License-Identifier: BSD-3-Clause
/* Keys of fans, as tables have them. */
#include <errno.h>

#include "base/mem.h"
#include "base/util.h"
#include "hash_build.h"
#include "match/image.h"

static uint32_t
piece_of(uint64_t v, uint32_t number)
{
	return (uint32_t)(v >> FAN_PIECE_BITS * number) & UINT16_MAX;
}

/* The two pieces of @w that its mask has bits of; if they can be the lower and upper half of 4 bytes, these. */
static void
pieces_of(const struct item_word *w, uint32_t *a, uint32_t *b)
{
	*a = (uint32_t)__builtin_ctzll(w->mask) / FAN_PIECE_BITS;
	*b = (63 - (uint32_t)__builtin_clzll(w->mask)) / FAN_PIECE_BITS;
	if (*a / 2 == *b / 2) {
		*a &= ~1u;
		*b = *a + 1;
	}
}

/* Of @v the pieces that key @k of the table has, which is at @off. */
static uint32_t
word_of_key(const struct hash_fan *f, uint32_t k, int32_t off, uint64_t v)
{
	const uint32_t first = (uint32_t)((off - f->off) / 2);

	return piece_of(v, f->piece[k][0] - first) |
		piece_of(v, f->piece[k][1] - first) << FAN_PIECE_BITS;
}

/* Let the next key of the table be @w, of which there may be finer ones: by their pieces. */
static void
put_key(struct hash_builder *b, uint32_t key, uint32_t finest)
{
	const struct item_word *w = &b->c->keys[finest];
	struct hash_fan *f = b->t->fan;
	const uint32_t k = f->n++, first = (uint32_t)((w->off - f->off) / 2);
	uint32_t lower, upper;

	pieces_of(w, &lower, &upper);
	f->piece[k][0] = (uint16_t)(first + lower);
	f->piece[k][1] = (uint16_t)(first + upper);
	f->mask[k] = word_of_key(f, k, w->off, b->c->keys[key].mask);
	b->lane_of[key] = (uint8_t)k;
	if (finest != key) {
		f->fine_mask[k] = word_of_key(f, k, w->off, w->mask);
		f->fine |= 1u << k;
		b->lane_of[finest] = (uint8_t)k;
	}
	f->reach = MAX(f->reach, 2 * (first + upper + 1));
	f->apart |= f->piece[k][0] % 2 != 0 || f->piece[k][1] != f->piece[k][0] + 1;
}

int
hash_fan_init(struct hash_builder *b)
{
	const struct cluster *c = b->c;
	struct hash_fan *f;

	if (c->n_keys == 0)
		return 0;
	b->t->fan = f = mem_zalloc_aligned(BASE_CACHE_LINE, sizeof(*f));
	if (f == NULL)
		return -ENOMEM;
	b->t->bytes += sizeof(*f);
	f->win = c->keys[0].win;
	f->off = INT32_MAX;
	for (uint32_t k = 0; k < c->n_keys; k++) {
		uint32_t lower, upper;

		pieces_of(&c->keys[k], &lower, &upper);
		f->off = MIN(f->off, c->keys[k].off + 2 * (int32_t)(lower & ~1u));
	}
	for (uint32_t k = 0; k < c->n_keys; k++) {
		uint32_t finest = k;

		if (c->coarse[k] != k)
			continue;
		for (uint32_t j = 0; j < c->n_keys; j++)
			finest = c->coarse[j] == k && j != k ? j : finest;
		put_key(b, k, finest);
	}
	return 0;
}

void
hash_fan_seed(struct hash_builder *b)
{
	struct hash_fan *f = b->t->fan;

	for (uint32_t k = 0; k < f->n; k++) {
		f->mul[k] = (uint32_t)rng_next(&b->rng) | 1;
		f->fine_mul[k] = (uint32_t)rng_next(&b->rng) | 1;
	}
}

static bool
is_fine(const struct hash_builder *b, uint32_t i)
{
	const uint32_t key = b->c->key_of[i];

	return b->c->coarse[key] != key;
}

uint64_t
hash_fan_hash(const struct hash_builder *b, uint32_t i)
{
	const struct hash_fan *f = b->t->fan;
	const uint32_t key = b->c->key_of[i], k = b->lane_of[key];
	const uint32_t w = word_of_key(f, k, b->c->keys[key].off, b->keys[i][0]);
	const uint64_t fine = is_fine(b, i) ? fan_hash(w, f->fine_mask[k], f->fine_mul[k]) : 0;

	return fan_hash(w, f->mask[k], f->mul[k]) | fine << 32;
}

uint32_t
hash_fan_own(const struct hash_builder *b, uint32_t i)
{
	return (uint32_t)(is_fine(b, i) ? b->hash[i] >> 32 : b->hash[i]);
}

uint32_t
hash_fan_head(const struct hash_builder *b, uint32_t i)
{
	const uint32_t h = (uint32_t)b->hash[i], shift = b->t->fan->shift;

	return is_fine(b, i) ? fan_fine_head(h, (uint32_t)(b->hash[i] >> 32), shift)
			     : fan_head(h, shift);
}

void
hash_fan_done(struct hash_builder *b)
{
	struct hash_fan *f = b->t->fan;

	if (f == NULL)
		return;
	f->n -= b->fault == HASH_FAULT_FAN;
	f->fine &= (1u << f->n) - 1;
	f->heads = b->t->places[0];
	/* Where a place is none: an item that is nobody's. */
	((struct hash_item *)(void *)b->t->items)->rule = MATCH_NONE;
}
