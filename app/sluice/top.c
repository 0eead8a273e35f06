// SPDX-License-Identifier: BSD-3-Clause
#include "top.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"

#define PLACES_MIN 16

static size_t
place_of(const struct top *t, const uint8_t *key)
{
	uint64_t a, b;
	uint32_t c;
	size_t i;

	memcpy(&a, key, sizeof(a));
	memcpy(&b, key + 8, sizeof(b));
	memcpy(&c, key + 16, sizeof(c));
	a = (a ^ b * UINT64_C(0xff51afd7ed558ccd) ^ c) * UINT64_C(0x9e3779b97f4a7c15);
	a ^= a >> 29;
	i = (size_t)(a * UINT64_C(0xbf58476d1ce4e5b9) >> 32) & (t->cap - 1);
	while (t->v[i].packets != 0 && memcmp(t->v[i].key, key, TOP_KEY_BYTES) != 0)
		i = (i + 1) & (t->cap - 1);
	return i;
}

/* Twice the places, or the first ones. False: out of memory. */
static bool
grow(struct top *t)
{
	struct top bigger = {.n = t->n, .cap = MAX(2 * t->cap, (size_t)PLACES_MIN)};

	bigger.v = mem_calloc(bigger.cap, sizeof(*bigger.v));
	if (bigger.v == NULL)
		return false;
	for (size_t i = 0; i < t->cap; i++)
		if (t->v[i].packets != 0)
			bigger.v[place_of(&bigger, t->v[i].key)] = t->v[i];
	mem_free(t->v);
	t->v = bigger.v;
	t->cap = bigger.cap;
	return true;
}

void
top_add(struct top *t, const uint8_t key[TOP_KEY_BYTES], uint64_t bytes)
{
	/* A place stays free, so that every search ends. */
	bool room = t->n < TOP_KEYS_MAX && (2 * t->n < t->cap || grow(t) || t->n + 1 < t->cap);
	struct top_entry *e = NULL;

	if (t->cap > 0)
		e = &t->v[place_of(t, key)];
	if (e == NULL || (e->packets == 0 && !room)) {
		t->other_packets++;
		t->other_bytes += bytes;
		return;
	}
	if (e->packets == 0) {
		memcpy(e->key, key, TOP_KEY_BYTES);
		t->n++;
	}
	e->packets++;
	e->bytes += bytes;
}

static bool
is_before(const struct top_entry *a, const struct top_entry *b)
{
	if (a->packets != b->packets)
		return a->packets > b->packets;
	return memcmp(a->key, b->key, TOP_KEY_BYTES) < 0;
}

size_t
top_most(const struct top *t, const struct top_entry **ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < t->cap; i++) {
		const struct top_entry *e = &t->v[i];
		size_t at;

		if (e->packets == 0 || (n == max && (max == 0 || !is_before(e, ret[n - 1]))))
			continue;
		/* Into its place among those so far; @max is small. */
		for (at = n < max ? n++ : n - 1; at > 0 && is_before(e, ret[at - 1]); at--)
			ret[at] = ret[at - 1];
		ret[at] = e;
	}
	return n;
}

const struct top_entry *
top_find(const struct top *t, const uint8_t key[TOP_KEY_BYTES])
{
	const struct top_entry *e;

	if (t->cap == 0)
		return NULL;
	e = &t->v[place_of(t, key)];
	return e->packets != 0 ? e : NULL;
}

void
top_fini(struct top *t)
{
	mem_free(t->v);
	*t = (struct top){0};
}
