// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "base/mem.h"
#include "names.h"
#include "rules/ruleset.h"

#define SLOTS_MAX (UINT32_C(1) << 20)

struct rules_slots {
	struct names names;
};

int
rules_slots_new(struct rules_slots **ret_slots)
{
	struct rules_slots *slots = mem_zalloc(sizeof(*slots));

	if (slots == NULL)
		return -ENOMEM;
	*ret_slots = slots;
	return 0;
}

void
rules_slots_free(struct rules_slots *slots)
{
	if (slots == NULL)
		return;
	names_fini(&slots->names);
	mem_free(slots);
}

int
rules_slots_get(struct rules_slots *slots, const char *name, uint32_t *ret_slot)
{
	uint32_t slot;
	bool is_new;
	int r;

	if (slots->names.list.n >= SLOTS_MAX && !names_find(&slots->names, name, &slot))
		return -ENOSPC;
	r = names_add(&slots->names, name, &slot, &is_new);
	if (r == 0)
		*ret_slot = slot;
	return r;
}

const char *
rules_slots_name(const struct rules_slots *slots, uint32_t slot)
{
	return slot < slots->names.list.n ? slots->names.list.v[slot] : NULL;
}

size_t
rules_slots_count(const struct rules_slots *slots)
{
	return slots->names.list.n;
}
