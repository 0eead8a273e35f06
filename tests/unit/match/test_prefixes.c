// SPDX-License-Identifier: BSD-3-Clause
/*
 * Lists of prefixes against a walk over the list: lists of every kind, and of each the
 * addresses on both sides of where a prefix begins and ends.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/util.h"
#include "match/rule.h"
#include "prefixes.h"
#include "world.h"

#define ASKED 3000 /* addresses of each list */

/* How the prefixes of a list lie. */
struct kind {
	const char *name;
	uint8_t family;
	uint32_t n;
	unsigned int len_min, len_max;
	unsigned int
		spread; /* leading bits that differ from prefix to prefix; the rest of the head is shared */
};

static const struct kind kinds[] = {
	{"none", 4, 0, 0, 0, 0},
	{"none", 6, 0, 0, 0, 0},
	{"one", 4, 1, 0, 32, 32},
	{"one", 6, 1, 0, 128, 128},
	{"few", 4, 40, 0, 32, 8},
	{"few", 6, 40, 0, 128, 8},
	{"a node and one", 4, 9, 24, 24, 24},
	{"networks", 4, 3000, 16, 24, 24},
	{"networks", 6, 3000, 32, 64, 60},
	{"side by side", 4, 600, 24, 24, 10},
	{"all of it", 4, 600, 8, 8, 8},
	{"all of it", 6, 600, 8, 8, 8},
	{"hosts", 4, 9000, 32, 32, 32},
	{"hosts", 6, 9000, 128, 128, 60},
	{"hosts of a few networks", 4, 20000, 30, 32, 18},
	{"hosts of a network", 6, 9000, 120, 128, 12},
	{"every length", 6, 9000, 20, 128, 20},
	{"every length", 4, 9000, 10, 32, 17},
};

static unsigned int
width(uint8_t family)
{
	return family == 4 ? 32 : 128;
}

static void
set_bit(uint8_t *bytes, unsigned int bit, bool on)
{
	const uint8_t mask = (uint8_t)(0x80 >> bit % 8);

	bytes[bit / 8] = (uint8_t)(on ? bytes[bit / 8] | mask : bytes[bit / 8] & ~mask);
}

/* The bits of @p that differ between its list's prefixes are those before its length ends. */
static struct ip_prefix
prefix_new(const struct kind *k)
{
	struct ip_prefix p = {.addr.family = k->family};
	const unsigned int len = k->len_min + rng_below(&world_rng, k->len_max - k->len_min + 1);
	const unsigned int from = len > k->spread ? len - k->spread : 0;

	p.len = (uint8_t)len;
	for (unsigned int i = from; i < len; i++)
		set_bit(p.addr.bytes, i, world_percent(50));
	return p;
}

static bool
covers(const struct ip_prefix *p, const uint8_t *addr)
{
	const unsigned int whole = p->len / 8, rest = p->len % 8;

	return memcmp(p->addr.bytes, addr, whole) == 0 &&
		(rest == 0 || (p->addr.bytes[whole] ^ addr[whole]) >> (8 - rest) == 0);
}

static bool
walk(const struct match_prefixes *list, uint8_t family, const uint8_t *addr)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].addr.family == family && covers(&list->v[i], addr))
			return true;
	return false;
}

/* Add @by (1 or -1) to the number at @addr. */
static void
step(uint8_t *addr, unsigned int bytes, int by)
{
	const uint8_t end = by > 0 ? 0 : 0xff;

	for (unsigned int i = bytes; i-- > 0;) {
		addr[i] = (uint8_t)(addr[i] + by);
		if (addr[i] != end)
			return;
	}
}

/* An address near an end of a prefix of @list, or anywhere. */
static void
pick(const struct match_prefixes *list, uint8_t family, uint8_t *addr)
{
	const struct ip_prefix *p;

	if (world_percent(1)) {
		memset(addr, 0xff, 16);
		return;
	}
	if (list->n == 0 || world_percent(10)) {
		for (unsigned int i = 0; i < 16; i++)
			addr[i] = (uint8_t)rng_next(&world_rng);
		return;
	}
	p = &list->v[rng_below(&world_rng, (uint32_t)list->n)];
	memcpy(addr, p->addr.bytes, 16);
	if (world_percent(50))
		for (unsigned int i = p->len; i < width(family); i++)
			set_bit(addr, i, true);
	if (world_percent(60))
		step(addr, width(family) / 8, world_percent(50) ? 1 : -1);
}

static void
check_list(const struct kind *k, const struct match_prefixes *list, uint8_t family)
{
	static uint8_t addr[ASKED][16];
	struct arena arena = ARENA_INIT;
	const struct prefixes *set = NULL;

	assert_int_equal(prefixes_new(list, &arena, &set), 0);
	for (uint32_t i = 0; i < ASKED; i++)
		pick(list, family, addr[i]);
	for (uint32_t i = 0; i < ASKED;) {
		const uint32_t size = rng_below(&world_rng, PREFIXES_BURST_MAX + 1);
		const uint32_t n = MIN(size, ASKED - i);
		const uint8_t *burst[PREFIXES_BURST_MAX];
		uint64_t have;

		for (uint32_t j = 0; j < n; j++)
			burst[j] = addr[i + j];
		have = prefixes_have(set, family, burst, n);
		assert_true(n == PREFIXES_BURST_MAX || have >> n == 0);
		for (uint32_t j = 0; j < n; j++) {
			const bool want = walk(list, family, burst[j]);

			if ((have >> j & 1) != want || prefixes_has(set, family, burst[j]) != want)
				fail_msg("%s, IPv%d: address %02x%02x%02x%02x…: expected %d",
					k->name, family, burst[j][0], burst[j][1], burst[j][2],
					burst[j][3], want);
		}
		i += n;
	}
	arena_fini(&arena);
}

static void
every_kind_of_list(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(kinds); i++) {
		const struct kind *k = &kinds[i];
		struct match_prefixes list = {.n = k->n};
		struct ip_prefix *v = mem_calloc(k->n + 1, sizeof(*v));

		assert_non_null(v);
		for (uint32_t j = 0; j < k->n; j++)
			v[j] = prefix_new(k);
		list.v = v;
		check_list(k, &list, k->family);
		/* Of the other family it has none. */
		check_list(k, &list, k->family == 4 ? 6 : 4);
		mem_free(v);
	}
}

/* Both families in one list, the first and the last address of each among them. */
static void
both_families(void **state)
{
	static const struct ip_prefix list[] = {
		{{4, {0}}, 32},
		{{4, {255, 255, 255, 255}}, 32},
		{{6, {0}}, 128},
		{{6,
			 {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
				 255}},
			128},
		{{6, {0x20, 0x01, 0x0d, 0xb8}}, 32},
		{{4, {192, 0, 2}}, 24},
	};
	static const struct ip_prefix all[] = {{{4, {0}}, 0}, {{6, {0}}, 0}};
	const struct kind k = {.name = "both"}, a = {.name = "all"};

	(void)state;
	for (uint8_t family = 4; family <= 6; family += 2) {
		check_list(&k, &(struct match_prefixes){false, list, DIM(list)}, family);
		check_list(&a, &(struct match_prefixes){false, all, DIM(all)}, family);
	}
}

/* Each allocation fails once. */
static void
memory_may_fail_anywhere(void **state)
{
	const struct kind *const some[] = {&kinds[8], &kinds[12], &kinds[13]};
	struct match_prefixes list = {.n = 0};
	struct ip_prefix *v;
	uint32_t n = 0;

	(void)state;
	v = mem_calloc(kinds[8].n + kinds[12].n + kinds[13].n, sizeof(*v));
	assert_non_null(v);
	for (size_t i = 0; i < DIM(some); i++)
		for (uint32_t j = 0; j < some[i]->n; j++)
			v[n++] = prefix_new(some[i]);
	list.v = v;
	list.n = n;
	for (long nth = 0;; nth++) {
		struct arena arena = ARENA_INIT;
		const struct prefixes *set = NULL;
		int r;

		mem_fault_set(nth);
		r = prefixes_new(&list, &arena, &set);
		if (mem_fault_set(-1) <= nth) {
			assert_int_equal(r, 0);
			arena_fini(&arena);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_null(set);
		arena_fini(&arena);
	}
	mem_free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_list),
		cmocka_unit_test(both_families),
		cmocka_unit_test(memory_may_fail_anywhere),
	};

	world_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
