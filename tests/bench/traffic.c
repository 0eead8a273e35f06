// SPDX-License-Identifier: BSD-3-Clause
#include "traffic.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define FRAME_ROOM 256 /* bytes; every frame here is smaller */

static const uint8_t eth[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};

static uint32_t
put_ip(struct rng *r, uint8_t *p, uint8_t proto, uint8_t ttl)
{
	memset(p, 0, 20);
	p[0] = 0x45;
	store_be16(p + 4, (uint16_t)(1 + rng_below(r, 65535)));
	p[6] = proto == 6 ? 0x40 : 0;
	p[8] = ttl;
	p[9] = proto;
	store_be32(p + 12, (uint32_t)rng_next(r));
	store_be32(p + 16, 0xc6336407);
	return 20;
}

static uint32_t
put_label(uint8_t *p, const char *s)
{
	size_t n = strlen(s);

	p[0] = (uint8_t)n;
	memcpy(p + 1, s, n);
	return 1 + (uint32_t)n;
}

static uint32_t
put_random_label(struct rng *r, uint8_t *p)
{
	uint32_t n = 4 + rng_below(r, 12);

	p[0] = (uint8_t)n;
	for (uint32_t i = 1; i <= n; i++)
		p[i] = (uint8_t)('a' + rng_below(r, 26));
	return 1 + n;
}

/* A query; @labels after a random one where @random_first. */
static uint32_t
put_dns(struct rng *r, uint8_t *p, bool random_first, const char *const *labels)
{
	uint32_t n = put_ip(r, p, 17, 64);

	store_be16(p + n, (uint16_t)(1024 + rng_below(r, 60000)));
	store_be16(p + n + 2, 53);
	memset(p + n + 4, 0, 16);
	store_be16(p + n + 8, (uint16_t)rng_next(r));
	p[n + 10] = 1;
	p[n + 13] = 1;
	n += 20;
	if (random_first)
		n += put_random_label(r, p + n);
	for (; *labels != NULL; labels++)
		n += put_label(p + n, *labels);
	memcpy(p + n, "\0\0\1\0\1", 5);
	n += 5;
	store_be16(p + 2, (uint16_t)n);
	return n;
}

/* A SYN with the options of Linux, or with another layout. */
static uint32_t
put_syn(struct rng *r, uint8_t *p, bool linux_like)
{
	static const uint8_t options[] = {
		2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
	static const uint8_t other[] = {
		2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2, 0, 0, 0, 0, 0, 0, 0, 0};
	uint32_t n = put_ip(r, p, 6, linux_like ? 40 + (uint8_t)rng_below(r, 24) : 118);
	uint8_t *t = p + n;

	memset(t, 0, 20);
	store_be16(t, (uint16_t)(1024 + rng_below(r, 60000)));
	store_be16(t + 2, 443);
	store_be32(t + 4, (uint32_t)rng_next(r) | 1);
	t[12] = 0xa0;
	t[13] = 2;
	store_be16(t + 14, linux_like ? 29200 : 8192);
	memcpy(t + 20, linux_like ? options : other, 20);
	store_be32(t + 28, (uint32_t)rng_next(r) | 1);
	n += 40;
	store_be16(p + 2, (uint16_t)n);
	return n;
}

static uint32_t
put_other(struct rng *r, uint8_t *p)
{
	uint32_t n = put_ip(r, p, rng_below(r, 3) ? 6 : 1, (uint8_t)(32 + rng_below(r, 200)));
	uint32_t more = 20 + rng_below(r, 60);

	for (uint32_t i = 0; i < more; i++)
		p[n + i] = (uint8_t)rng_next(r);
	p[n + 12] = 0x50;
	n += more;
	store_be16(p + 2, (uint16_t)n);
	return n;
}

static uint32_t
put_attack(struct rng *r, uint8_t *p, const struct filter *f)
{
	static const char *const name[] = {"www", "example", "uk", NULL};

	return f->traffic == FILTER_SYN ? put_syn(r, p, true) : put_dns(r, p, true, name);
}

static uint32_t
put_mixed(struct rng *r, uint8_t *p, const struct filter *f)
{
	static const char *const names[][5] = {
		{"www", "example", "com", NULL},
		{"a", "example", "uk", NULL},
		{"b", "example", "com", NULL},
		{"mail", "provider", "net", NULL},
		{"cdn", "assets", "example", "org", NULL},
		{"www", "example", "uk", NULL},
	};

	switch (rng_below(r, 6)) {
	case 0: return put_attack(r, p, f);
	case 1: return put_syn(r, p, false);
	case 2: return put_other(r, p);
	case 3: return put_dns(r, p, true, names[rng_below(r, DIM(names))]);
	default: return put_dns(r, p, false, names[rng_below(r, DIM(names))]);
	}
}

struct bench_frame *
bench_traffic(const struct filter *f, bool flood, size_t n, uint64_t seed)
{
	struct bench_frame *frames = malloc(n * (sizeof(*frames) + FRAME_ROOM));
	uint8_t *room = (uint8_t *)(frames + n);
	struct rng r = {seed};

	if (frames == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		uint8_t *p = room + i * FRAME_ROOM;
		uint32_t len = 0;

		if (f->link == FILTER_ETHER) {
			memcpy(p, eth, sizeof(eth));
			len = sizeof(eth);
			if (!flood && rng_below(&r, 5) == 0)
				store_be16(p + 12, rng_below(&r, 2) ? 0x0806 : 0x86dd);
		}
		if (flood && rng_below(&r, 100) < 97)
			len += put_attack(&r, p + len, f);
		else
			len += put_mixed(&r, p + len, f);
		frames[i].data = p;
		frames[i].len = len;
	}
	return frames;
}
