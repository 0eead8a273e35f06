// SPDX-License-Identifier: BSD-3-Clause
/* Lists of numbers and addresses as sorted, disjoint ranges. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "base/vec.h"
#include "plan.h"

static int
order4(const void *pa, const void *pb)
{
	const struct plan_range4 *a = pa, *b = pb;

	return (a->lo > b->lo) - (a->lo < b->lo);
}

static int
compare6(const uint64_t *a, const uint64_t *b)
{
	if (a[0] != b[0])
		return a[0] < b[0] ? -1 : 1;
	return (a[1] > b[1]) - (a[1] < b[1]);
}

static int
order6(const void *pa, const void *pb)
{
	const struct plan_range6 *a = pa, *b = pb;

	return compare6(a->lo, b->lo);
}

/* Sort and join what overlaps. Returns how many are left. */
static uint32_t
tidy4(struct plan_range4 *v, uint32_t n)
{
	uint32_t kept = 0;

	if (n > 1)
		qsort(v, n, sizeof(*v), order4);
	for (uint32_t i = 0; i < n; i++) {
		if (kept > 0 && v[i].lo <= v[kept - 1].hi)
			v[kept - 1].hi = MAX(v[kept - 1].hi, v[i].hi);
		else
			v[kept++] = v[i];
	}
	return kept;
}

static uint32_t
tidy6(struct plan_range6 *v, uint32_t n)
{
	uint32_t kept = 0;

	if (n > 1)
		qsort(v, n, sizeof(*v), order6);
	for (uint32_t i = 0; i < n; i++) {
		if (kept == 0 || compare6(v[i].lo, v[kept - 1].hi) > 0)
			v[kept++] = v[i];
		else if (compare6(v[i].hi, v[kept - 1].hi) > 0)
			memcpy(v[kept - 1].hi, v[i].hi, sizeof(v[i].hi));
	}
	return kept;
}

/* Memory for ranges of @bytes each, as many as a table of @n needs. */
static void *
table_room(struct xdp_plan *plan, size_t n, size_t bytes)
{
	if (n >= UINT32_C(1) << 31)
		return NULL;
	return arena_zalloc(&plan->arena, power_of_2(n + 1) * bytes);
}

/* Number the table of the @n tidy ranges at @v, which has room for its size. */
static int
add_table(struct xdp_plan *plan, void *v, uint32_t n, bool wide, uint32_t *ret)
{
	const size_t bytes = wide ? sizeof(struct plan_range6) : sizeof(struct plan_range4);
	const uint32_t size = (uint32_t)power_of_2(n);
	struct plan_table *t = vec_push(&plan->tables);

	if (t == NULL)
		return -ENOMEM;
	for (uint32_t i = n; i < size; i++)
		memcpy((char *)v + i * bytes, (const char *)v + (n - 1) * bytes, bytes);
	*t = (struct plan_table){.wide = wide, .n = n, .size = size, .v = v};
	*ret = (uint32_t)plan->tables.n - 1;
	return 0;
}

int
plan_list_make(struct xdp_plan *plan, const struct match_ranges *list, struct plan_list *ret)
{
	struct plan_range4 *v;

	*ret = (struct plan_list){0};
	if (list->n == 0)
		return 0;
	v = table_room(plan, list->n, sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++)
		v[i] = (struct plan_range4){list->v[i].lo, list->v[i].hi};
	ret->v = v;
	ret->n = tidy4(v, (uint32_t)list->n);
	if (ret->n <= PLAN_INLINE_MAX)
		return 0;
	return add_table(plan, v, ret->n, false, &ret->table);
}

static struct plan_range4
range4(const struct ip_prefix *p)
{
	const struct ip_addr last = ip_prefix_last(p);

	return (struct plan_range4){load_be32(p->addr.bytes), load_be32(last.bytes)};
}

static struct plan_range6
range6(const struct ip_prefix *p)
{
	const struct ip_addr last = ip_prefix_last(p);

	return (struct plan_range6){
		.lo = {load_be64(p->addr.bytes), load_be64(p->addr.bytes + 8)},
		.hi = {load_be64(last.bytes), load_be64(last.bytes + 8)},
	};
}

static int
make_tables(struct xdp_plan *plan, const struct match_prefixes *list, struct plan_set *ret)
{
	struct plan_range4 *v4;
	struct plan_range6 *v6;
	uint32_t n4 = 0, n6 = 0;
	int r = 0;

	for (size_t i = 0; i < list->n; i++)
		n4 += list->v[i].addr.family == 4;
	v4 = table_room(plan, n4, sizeof(*v4));
	v6 = table_room(plan, list->n - n4, sizeof(*v6));
	if (v4 == NULL || v6 == NULL)
		return -ENOMEM;
	n4 = 0;
	for (size_t i = 0; i < list->n; i++) {
		if (list->v[i].addr.family == 4)
			v4[n4++] = range4(&list->v[i]);
		else
			v6[n6++] = range6(&list->v[i]);
	}
	ret->has4 = n4 > 0;
	ret->has6 = n6 > 0;
	if (n4 > 0)
		r = add_table(plan, v4, tidy4(v4, n4), false, &ret->table4);
	if (r == 0 && n6 > 0)
		r = add_table(plan, v6, tidy6(v6, n6), true, &ret->table6);
	return r;
}

int
plan_set_make(struct xdp_plan *plan, const struct match_prefixes *list, struct plan_set *ret)
{
	struct plan_known *known;
	int r;

	*ret = (struct plan_set){.any = list->any};
	if (list->any)
		return 0;
	for (known = plan->known; known != NULL; known = known->next) {
		if (known->v == list->v && known->n == list->n) {
			*ret = known->set;
			return 0;
		}
	}
	r = make_tables(plan, list, ret);
	if (r < 0)
		return r;
	known = arena_zalloc(&plan->arena, sizeof(*known));
	if (known == NULL)
		return -ENOMEM;
	*known = (struct plan_known){plan->known, list->v, list->n, *ret};
	plan->known = known;
	return 0;
}
