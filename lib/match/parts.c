// SPDX-License-Identifier: BSD-3-Clause
#include "parts.h"

#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "chain.h"
#include "merged.h"
#include "search.h"

void
parts_free(struct match_parts *parts)
{
	if (parts == NULL)
		return;
	for (uint32_t k = 0; k < PARTS_MAX; k++) {
		match_image_free(parts->v[k].im);
		mem_free(parts->v[k].rank);
	}
	mem_free(parts->place);
	mem_free(parts);
}

void
parts_enable(const struct match_image *im, uint32_t index, bool enabled)
{
	uint32_t number;
	const struct match_part *part = &im->parts->v[parts_place(im->parts, index, &number)];

	atomic_store_explicit(&part->im->state[number],
		image_state(image_decides(&im->leaves[index]), enabled), memory_order_relaxed);
}

/* The first rule of @part that the caller has at @from or behind. */
static uint32_t
part_from(const struct match_part *part, uint32_t from)
{
	uint32_t lo = 0, hi = (uint32_t)part->im->n;

	/* Nearly always: only behind transparent rules a search starts elsewhere. */
	if (from == 0)
		return 0;
	while (lo < hi) {
		const uint32_t mid = (lo + hi) / 2;

		if (part->rank[mid] < from)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
parts_is_chain(const struct match_parts *parts, uint32_t k)
{
	const struct match_base *base = parts->v[k].im->base;

	/* Of the first one keys of frames are to be known. */
	return k > 0 && base->chain != NULL && base->index == NULL;
}

void
parts_init(struct parts_probe *p, const struct match_image *im, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t port)
{
	p->parts = im->parts;
	p->all.n = n;
	p->all.again = false;
	for (uint32_t k = 0; k < im->parts->n; k++)
		if (!parts_is_chain(im->parts, k))
			merged_init(&p->part[k], im->parts->v[k].im, views, which, n, port);
}

uint64_t
parts_odd(const struct parts_probe *p, const struct match_image *im)
{
	return im->any_generated ? search_keys_odd(p->part[0].key, p->all.n) : 0;
}

static void
ask_tables(struct parts_probe *p, uint32_t k, uint64_t some)
{
	const struct match_part *part = &p->parts->v[k];
	struct probe *own = &p->part[k];

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		own->from[i] = part_from(part, p->all.from[i]);
		own->want[i] = p->all.want[i];
	}
	own->again = p->all.again;
	merged_first(own, some);
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		if (own->best[i] != MATCH_NONE)
			p->all.best[i] = MIN(p->all.best[i], part->rank[own->best[i]]);
	}
}

/* The same of a few rules that are one function. */
static void
ask_chain(struct parts_probe *p, uint32_t k, uint64_t some)
{
	const struct match_part *part = &p->parts->v[k];
	const struct probe *frames = &p->part[0];
	const bool again = p->all.again;
	uint32_t allowed = again ? 0 : chain_allowed(part->im, frames->port, MATCH_STATE_ENABLED);

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		uint32_t found;

		if (again)
			allowed = chain_from(chain_allowed(part->im, frames->port, p->all.want[i]),
				part_from(part, p->all.from[i]));
		if (allowed == 0)
			continue;
		found = chain_ask(part->im, frames->view[i], allowed);
		if (found != MATCH_NONE)
			p->all.best[i] = MIN(p->all.best[i], part->rank[found]);
	}
}

void
parts_first(struct parts_probe *p, uint64_t alive)
{
	_Static_assert(MATCH_NONE == UINT32_MAX, "all bits set");
	memset(p->all.best, 0xff, p->all.n * sizeof(p->all.best[0]));
	for (uint32_t k = 0; k < p->parts->n; k++) {
		const uint64_t some =
			alive & ~merged_at_most(&p->all, p->all.best, p->parts->v[k].first);

		if (some == 0)
			continue;
		if (parts_is_chain(p->parts, k))
			ask_chain(p, k, some);
		else
			ask_tables(p, k, some);
	}
}

uint32_t
parts_first_odd(const struct match_image *im, const struct pkt_view *v, uint32_t port,
	uint32_t from, uint8_t want)
{
	uint32_t best = MATCH_NONE;

	for (uint32_t k = 0; k < im->parts->n; k++) {
		const struct match_part *part = &im->parts->v[k];
		uint32_t found;

		if (part->first >= best)
			continue;
		found = merged_first_odd(part->im, v, port, part_from(part, from), want);
		if (found != MATCH_NONE)
			best = MIN(best, part->rank[found]);
	}
	return best;
}
