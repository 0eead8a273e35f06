// SPDX-License-Identifier: BSD-3-Clause
#include "names.h"

#include <errno.h>
#include <string.h>

#include "base/vec.h"

#define HASH_PRIME UINT64_C(0x100000001b3)
#define TABLE_MIN 64

uint64_t
names_hash(uint64_t hash, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * HASH_PRIME;
	return hash;
}

/* The place of @name in the table: its own, or the free one where it would be. */
static size_t
place(const struct names *names, const char *name)
{
	const size_t mask = names->table_size - 1;
	size_t i = (size_t)names_hash(NAMES_HASH_START, name, strlen(name)) & mask;

	while (names->table[i] != 0 && strcmp(names->list.v[names->table[i] - 1], name) != 0)
		i = (i + 1) & mask;
	return i;
}

bool
names_find(const struct names *names, const char *name, uint32_t *ret_number)
{
	size_t i;

	if (names->table_size == 0)
		return false;
	i = place(names, name);
	if (names->table[i] == 0)
		return false;
	*ret_number = names->table[i] - 1;
	return true;
}

/* Keep the table at most half full, so that a search is short. */
static int
make_room(struct names *names)
{
	const size_t size = names->table_size != 0 ? names->table_size * 2 : TABLE_MIN;
	uint32_t *old = names->table;

	if (names->table_size > 2 * names->list.n)
		return 0;
	names->table = mem_calloc(size, sizeof(*names->table));
	if (names->table == NULL) {
		names->table = old;
		return -ENOMEM;
	}
	names->table_size = size;
	for (size_t i = 0; i < names->list.n; i++)
		names->table[place(names, names->list.v[i])] = (uint32_t)i + 1;
	mem_free(old);
	return 0;
}

int
names_add(struct names *names, const char *name, uint32_t *ret_number, bool *ret_new)
{
	const char **slot;
	const char *copy;

	*ret_new = !names_find(names, name, ret_number);
	if (!*ret_new)
		return 0;
	if (make_room(names) < 0)
		return -ENOMEM;
	copy = arena_strndup(&names->arena, name, strlen(name));
	if (copy == NULL)
		return -ENOMEM;
	slot = vec_push(&names->list);
	if (slot == NULL)
		return -ENOMEM;
	/* place() must not see the new name before the table does. */
	*ret_number = (uint32_t)names->list.n - 1;
	*slot = copy;
	names->table[place(names, name)] = (uint32_t)names->list.n;
	return 0;
}

void
names_fini(struct names *names)
{
	mem_free(names->list.v);
	mem_free(names->table);
	arena_fini(&names->arena);
	*names = (struct names){0};
}
