/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_LIST_VEC_H
#define MATCH_LIST_VEC_H

/* The vectors of the list kernel, of LIST_WIDTH bytes, of which each file defines its own. */

#include "list.h"

typedef uint32_t list_vec __attribute__((vector_size(LIST_WIDTH), may_alias));

#define LIST_LANES (LIST_WIDTH / 4) /* frames in a vector */
#define LIST_GROUP (LIST_VECS * LIST_LANES) /* frames that go at once */

#endif
