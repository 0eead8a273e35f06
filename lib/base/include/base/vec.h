/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BASE_VEC_H
#define BASE_VEC_H

/*
 * A growing array of any type, as three fields and one function:
 *
 *	struct { struct rule *v; size_t n, cap; } rules = {0};
 *	struct rule *r = vec_push(&rules);	(zeroed; NULL when out of memory)
 *	...
 *	mem_free(rules.v);
 *
 * An element's address holds until the next push.
 */

#include <stddef.h>

#define vec_push(vec) \
	((__typeof__((vec)->v))vec_push_bytes( \
		(void **)&(vec)->v, &(vec)->n, &(vec)->cap, sizeof(*(vec)->v)))

/* Behind vec_push(); not for direct use. */
void *vec_push_bytes(void **v, size_t *n, size_t *cap, size_t elem_size);

#endif
