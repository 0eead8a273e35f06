/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_LIST_VEC_H
#define MATCH_LIST_VEC_H

/* The vectors of the list kernel, of LIST_WIDTH bytes, of which each file defines its own. */

#include "list.h"

typedef uint16_t list_vec __attribute__((vector_size(LIST_WIDTH), may_alias));

#define LIST_VECS 4
#define LIST_FRAMES (LIST_VECS * LIST_WIDTH / (2 * LIST_LANES))
#define LIST_PARTS (LIST_VECS / LIST_FRAMES) /* of a frame */

/* Of numbers by lane those of vector @k. */
#define LIST_PART(v, k) (&(v)[(k) % LIST_PARTS * (LIST_WIDTH / 2)])
#define LIST_LOAD(v, k) (*(const list_vec *)(const void *)LIST_PART(v, k))

#endif
