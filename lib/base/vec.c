// SPDX-License-Identifier: BSD-3-Clause
#include "base/vec.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

void *
vec_push_bytes(void **v, size_t *n, size_t *cap, size_t elem_size)
{
	void *elem;

	if (*n == *cap) {
		size_t more = *cap != 0 ? *cap * 2 : 8;
		void *p;

		if (more > SIZE_MAX / elem_size)
			return NULL;
		p = mem_realloc(*v, more * elem_size);
		if (p == NULL)
			return NULL;
		*v = p;
		*cap = more;
	}
	elem = (char *)*v + *n * elem_size;
	memset(elem, 0, elem_size);
	(*n)++;
	return elem;
}
