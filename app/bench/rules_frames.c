// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include <rte_mbuf.h>

#include "adversary.h"
#include "base/mem.h"
#include "gen/gen.h"
#include "rules.h"

static size_t
lines(size_t bytes)
{
	return (bytes + BASE_CACHE_LINE - 1) & ~(size_t)(BASE_CACHE_LINE - 1);
}

static void
one_mbuf(struct rte_mbuf *m, const struct rules_datagram *d)
{
	m->buf_addr = (void *)(uintptr_t)d->data;
	m->buf_len = (uint16_t)d->caplen;
	m->data_len = (uint16_t)d->caplen;
	m->pkt_len = d->wirelen;
	m->nb_segs = 1;
}

/* Frames one behind the other, so that the small ones of a flood take no more cache than they have to. */
static int
make_bytes(struct rules_frames *f, struct family *family, const struct adversary *adversary,
	enum family_traffic traffic, struct rng *rng)
{
	size_t *offsets = mem_calloc(f->n, sizeof(*offsets)), used = 0, cap = 0;
	uint8_t frame[FAMILY_FRAME_MAX], *all = NULL;
	int r = offsets == NULL ? -ENOMEM : 0;

	for (uint32_t i = 0; r == 0 && i < f->n; i++) {
		const size_t len = adversary != NULL ? adversary_frame(adversary, rng, frame)
						     : family_frame(family, traffic, rng, frame);

		if (used + lines(len) > cap) {
			uint8_t *more = mem_realloc(all, cap = 2 * cap + 65536);

			if (more == NULL) {
				r = -ENOMEM;
				break;
			}
			all = more;
		}
		memcpy(all + used, frame, len);
		offsets[i] = used;
		f->views[i].caplen = (uint32_t)len;
		used += lines(len);
	}
	if (r == 0)
		f->bytes = mem_zalloc_aligned(BASE_CACHE_LINE, used);
	if (f->bytes == NULL)
		r = -ENOMEM;
	else
		memcpy(f->bytes, all, used);
	for (uint32_t i = 0; r == 0 && i < f->n; i++) {
		const uint32_t len = f->views[i].caplen;

		pkt_parse_ether(f->bytes + offsets[i], len, len, &f->views[i]);
	}
	mem_free(all);
	mem_free(offsets);
	return r;
}

int
rules_frames_new(struct family *f, enum family_traffic traffic, uint32_t n, uint64_t seed,
	struct rules_frames **ret_frames)
{
	struct rules_frames *fr = mem_zalloc(sizeof(*fr));
	struct adversary *adversary = NULL;
	struct rng rng = {seed};
	int r = -ENOMEM;

	if (fr == NULL)
		return r;
	fr->n = n;
	fr->views = mem_zalloc_aligned(BASE_CACHE_LINE, n * sizeof(*fr->views));
	fr->datagrams = mem_zalloc_aligned(BASE_CACHE_LINE, n * sizeof(*fr->datagrams));
	fr->mbufs = mem_zalloc_aligned(BASE_CACHE_LINE, n * sizeof(struct rte_mbuf));
	if (fr->views == NULL || fr->datagrams == NULL || fr->mbufs == NULL)
		goto out;
	r = traffic == FAMILY_ADVERSARIAL ? adversary_new(f, seed, &adversary) : 0;
	if (r == 0)
		r = make_bytes(fr, f, adversary, traffic, &rng);
	if (r < 0)
		goto out;
	for (uint32_t i = 0; i < n; i++) {
		const struct pkt_view *v = &fr->views[i];

		fr->datagrams[i] =
			(struct rules_datagram){v->frame + v->l3_off, v->l3_caplen, v->l3_len};
		one_mbuf(&fr->mbufs[i], &fr->datagrams[i]);
	}
	*ret_frames = fr;
	fr = NULL;
out:
	adversary_free(adversary);
	rules_frames_free(fr);
	return r;
}

void
rules_frames_free(struct rules_frames *f)
{
	if (f == NULL)
		return;
	mem_free(f->bytes);
	mem_free(f->views);
	mem_free(f->datagrams);
	mem_free(f->mbufs);
	mem_free(f);
}

void
rules_input_init(struct rules_input *in, const struct family *f, bool tuples)
{
	const struct gen_scope *s;

	*in = (struct rules_input){.family = f, .tuples = tuples};
	in->rules = family_rules(f, &in->n);
	while ((s = family_scope(f, in->n_classes)) != NULL) {
		struct pkt_view mask = {.family = 0xff}, value = {.family = 4};
		struct rules_class *c = &in->classes[in->n_classes++];

		mask.proto = s->proto != 0 ? 0xff : 0;
		mask.sport = s->sport != 0 ? 0xffff : 0;
		mask.dport = s->dport != 0 ? 0xffff : 0;
		value.proto = s->proto;
		value.sport = s->sport;
		value.dport = s->dport;
		*c = (struct rules_class){
			rules_what(&mask), rules_what(&value), s->no_later_fragments};
	}
}
