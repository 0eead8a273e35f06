// SPDX-License-Identifier: BSD-3-Clause
/* From prefixes to the boundaries of prefixes_impl.h. */
#include "prefixes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/util.h"
#include "match/rule.h"
#include "prefixes_impl.h"

struct prefixes {
	struct map4 map4; /* either this or v4 */
	struct tree v4;
	struct ends6 v6;
};

struct range6 {
	struct addr6 first, last; /* inclusive */
};

static int
order4(const void *pa, const void *pb)
{
	const uint64_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

static int
order6(const void *pa, const void *pb)
{
	const struct range6 *a = pa, *b = pb;

	return addr6_below(b->first, a->first) - addr6_below(a->first, b->first);
}

static struct addr6
addr6_load(const struct ip_addr *a)
{
	return (struct addr6){load_be64(a->bytes), load_be64(a->bytes + 8)};
}

/* The first address above the last one in one number, so that ranges order as numbers do. */
static uint64_t
range4(const struct ip_prefix *p)
{
	const struct ip_addr last = ip_prefix_last(p);

	return (uint64_t)load_be32(p->addr.bytes) << 32 | load_be32(last.bytes);
}

static struct range6
range6(const struct ip_prefix *p)
{
	const struct ip_addr last = ip_prefix_last(p);

	return (struct range6){addr6_load(&p->addr), addr6_load(&last)};
}

/* Boundaries of the @n ranges @v, which are sorted, in @ret. Returns how many. */
static uint32_t
boundaries4(uint64_t *v, uint32_t n, uint32_t *ret)
{
	uint32_t kept = 0;

	qsort(v, n, sizeof(*v), order4);
	for (uint32_t i = 0; i < n;) {
		const uint32_t first = (uint32_t)(v[i] >> 32);
		uint64_t end = (v[i] & UINT32_MAX) + 1;

		/* What overlaps or begins right behind it belongs to it. */
		for (i++; i < n && v[i] >> 32 <= end; i++)
			end = MAX(end, (v[i] & UINT32_MAX) + 1);
		ret[kept++] = first;
		if (end <= UINT32_MAX)
			ret[kept++] = (uint32_t)end;
	}
	return kept;
}

/* The address behind @a; false: it was the last one. */
static bool
behind(struct addr6 a, struct addr6 *ret)
{
	*ret = (struct addr6){a.hi + (a.lo == UINT64_MAX), a.lo + 1};
	return (ret->hi | ret->lo) != 0;
}

static uint32_t
boundaries6(struct range6 *v, uint32_t n, struct addr6 *ret)
{
	uint32_t kept = 0;

	qsort(v, n, sizeof(*v), order6);
	for (uint32_t i = 0; i < n;) {
		const struct addr6 first = v[i].first;
		struct addr6 last = v[i].last, end;
		bool more = behind(last, &end);

		for (i++; i < n && (!more || !addr6_below(end, v[i].first)); i++) {
			if (!addr6_below(last, v[i].last))
				continue;
			last = v[i].last;
			more = behind(last, &end);
		}
		ret[kept++] = first;
		if (more)
			ret[kept++] = end;
	}
	return kept;
}

static int
make4(struct prefixes *set, const struct match_prefixes *list, size_t n4, struct arena *arena)
{
	uint64_t *v = mem_calloc(n4 + 1, sizeof(*v));
	uint32_t *b = mem_calloc(2 * n4 + 1, sizeof(*b));
	uint32_t n = 0;
	int r = -ENOMEM;

	if (v == NULL || b == NULL)
		goto out;
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].addr.family == 4)
			v[n++] = range4(&list->v[i]);
	n = boundaries4(v, n, b);
	r = n >= MAP4_MIN ? map4_new(&set->map4, b, n, arena) : tree4_new(&set->v4, b, n, arena);
out:
	mem_free(v);
	mem_free(b);
	return r;
}

static int
make6(struct prefixes *set, const struct match_prefixes *list, size_t n6, struct arena *arena)
{
	struct range6 *v = mem_calloc(n6 + 1, sizeof(*v));
	struct addr6 *b = mem_calloc(2 * n6 + 1, sizeof(*b));
	uint32_t n = 0;
	int r = -ENOMEM;

	if (v == NULL || b == NULL)
		goto out;
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].addr.family != 4)
			v[n++] = range6(&list->v[i]);
	n = boundaries6(v, n, b);
	r = ends6_new(&set->v6, b, n, arena);
out:
	mem_free(v);
	mem_free(b);
	return r;
}

int
prefixes_new(
	const struct match_prefixes *list, struct arena *arena, const struct prefixes **ret_set)
{
	struct prefixes *set = arena_zalloc(arena, sizeof(*set));
	size_t n4 = 0;
	int r;

	if (set == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++)
		n4 += list->v[i].addr.family == 4;
	r = make4(set, list, n4, arena);
	if (r == 0)
		r = make6(set, list, list->n - n4, arena);
	if (r == 0)
		*ret_set = set;
	return r;
}

static uint64_t
odd(const uint32_t *count, uint32_t n)
{
	uint64_t found = 0;

	for (uint32_t i = 0; i < n; i++)
		found |= (uint64_t)(count[i] & 1) << i;
	return found;
}

static uint64_t
have4(const struct prefixes *set, const uint8_t *const *addr, uint32_t n)
{
	uint32_t at[PREFIXES_BURST_MAX], a[PREFIXES_BURST_MAX];
	int32_t key[PREFIXES_BURST_MAX];

	for (uint32_t i = 0; i < n; i++)
		a[i] = load_be32(addr[i]);
	if (set->map4.index != NULL)
		return map4_have(&set->map4, a, n);
	if (set->v4.n_keys == 0 || n == 0)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		key[i] = tree_key4(a[i]);
	tree4_count(&set->v4, key, n, at);
	return odd(at, n);
}

static uint64_t
have6(const struct prefixes *set, const uint8_t *const *addr, uint32_t n)
{
	uint32_t at[PREFIXES_BURST_MAX];

	if (n == 0)
		return 0;
	ends6_count(&set->v6, addr, n, at);
	return odd(at, n);
}

uint64_t
prefixes_have(const struct prefixes *set, uint8_t family, const uint8_t *const *addr, uint32_t n)
{
	return family == 4 ? have4(set, addr, n) : have6(set, addr, n);
}

bool
prefixes_has(const struct prefixes *set, uint8_t family, const uint8_t *addr)
{
	return prefixes_have(set, family, &addr, 1) != 0;
}
