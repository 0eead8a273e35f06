/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_LIST_SCALAR_H
#define MATCH_LIST_SCALAR_H

/* The values of a frame, one after another, for kernels that know no better. */

#include "base/util.h"
#include "list.h"
#include "probe.h"

/* Bytes that are not there are 0: the rule itself will say so. */
static inline uint8_t
list_byte(const struct probe_at *at, int32_t off)
{
	return off < at->left && (int64_t)at->pos + off >= 0 ? at->bytes[off] : 0;
}

static inline void
list_values_each(const struct list *l, const struct probe *p, uint32_t i, uint16_t *ret)
{
	for (uint32_t k = 0; k < l->n_values; k++) {
		const struct lane_value *v = &l->values[k];
		const struct probe_at *at = &p->at[v->win][i];

		if (v->size == 1)
			ret[k] = list_byte(at, v->off);
		else if (v->off >= 0 && at->left >= v->off + 2)
			ret[k] = load_be16(at->bytes + v->off);
		else
			ret[k] = (uint16_t)(list_byte(at, v->off) << 8 | list_byte(at, v->off + 1));
	}
}

#endif
