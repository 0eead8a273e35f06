// SPDX-License-Identifier: BSD-3-Clause
/* Our own: the image of lib/match, and the JIT's programs one after another. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>

#include "base/diag.h"
#include "base/mem.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"
#include "match/image.h"
#include "rules.h"

/* Bytes of the heap in use; the benchmark has one thread. */
#ifdef __SANITIZE_ADDRESS__
/* Its heap is not glibc's. Source: sanitizer/allocator_interface.h, which gcc does not install. */
size_t __sanitizer_get_current_allocated_bytes(void);

static size_t
heap_bytes(void)
{
	return __sanitizer_get_current_allocated_bytes();
}
#else
static size_t
heap_bytes(void)
{
	const struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}
#endif

static int
match_make(const struct rules_input *in, struct rules_made *ret, char why[RULES_WHY])
{
	const size_t before = heap_bytes();
	struct match_image *image = NULL;
	struct diag diag = {0};
	int r = match_image_new(in->rules, in->n, MATCH_ENGINE_AUTO, &image, &diag);

	if (r < 0) {
		(void)snprintf(why, RULES_WHY, "%.120s", diag.msg);
		return r;
	}
	ret->handle = image;
	ret->bytes = heap_bytes() - before;
	return 0;
}

static void
match_run(const struct rules_made *m, const struct rules_frames *f, uint32_t from, uint32_t n,
	uint32_t *ret)
{
	static const uint8_t which[RULES_BURST] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
		15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
	static const uint32_t start[RULES_BURST];

	for (uint32_t i = 0; i < n; i += RULES_BURST)
		match_image_first(
			m->handle, f->views + from + i, which, RULES_BURST, 0, start, ret + i);
}

static void
match_fini(struct rules_made *m)
{
	match_image_free(m->handle);
}

const struct rules_engine rules_match = {
	.key = "match",
	.help = "Sluice's image of all rules",
	.max_rules = SIZE_MAX,
	.make = match_make,
	.run = match_run,
	.updates = rules_updates_measure,
	.fini = match_fini,
};

/* A program and the bit of its class. */
struct step {
	cbpf_fn fn;
	uint32_t bit;
};

struct sequence {
	struct cbpf_arena *arena;
	struct step *steps;
};

static void
jit_fini(struct rules_made *m)
{
	struct sequence *s = m->handle;

	if (s == NULL)
		return;
	if (s->arena != NULL)
		cbpf_arena_free(s->arena);
	mem_free(s->steps);
	mem_free(s);
}

static int
jit_make(const struct rules_input *in, struct rules_made *ret, char why[RULES_WHY])
{
	struct sequence *s = mem_zalloc(sizeof(*s));
	struct diag diag = {0};
	int r = -ENOMEM;

	if (s == NULL)
		return r;
	ret->handle = s;
	s->steps = mem_calloc(in->n, sizeof(*s->steps));
	if (s->steps != NULL)
		r = cbpf_arena_new((size_t)in->n * 4096 + 65536, &s->arena, &diag);
	for (size_t i = 0; r == 0 && i < in->n; i++) {
		s->steps[i].bit = UINT32_C(1) << family_class(in->family, i);
		r = cbpf_jit_into(
			s->arena, family_prog(in->family, i, 4), &s->steps[i].fn, NULL, &diag);
	}
	if (r < 0) {
		(void)snprintf(why, RULES_WHY, "%.120s", diag.msg);
		jit_fini(ret);
		return r;
	}
	ret->bytes = cbpf_arena_used(s->arena) + in->n * sizeof(*s->steps);
	return 0;
}

static void
jit_run(const struct rules_made *m, const struct rules_frames *f, uint32_t from, uint32_t n,
	uint32_t *ret)
{
	const struct step *const steps = ((const struct sequence *)m->handle)->steps;
	const uint32_t n_rules = (uint32_t)m->in->n;

	for (uint32_t i = 0; i < n; i++) {
		const struct rules_datagram d = f->datagrams[from + i];
		const uint32_t bits = rules_classes(m->in, &f->views[from + i]);
		uint32_t found = RULES_NONE;

		for (uint32_t k = 0; k < n_rules; k++)
			if ((steps[k].bit & bits) != 0 &&
				steps[k].fn(d.data, d.caplen, d.wirelen) != 0) {
				found = k;
				break;
			}
		ret[i] = found;
	}
}

static int
jit_update(struct rules_made *m)
{
	struct sequence *s = m->handle;
	struct diag diag = {0};
	cbpf_fn fn;

	return cbpf_jit_into(
		s->arena, family_prog(m->in->family, m->in->n - 1, 4), &fn, NULL, &diag);
}

const struct rules_engine rules_jit = {
	.key = "jit",
	.help = "Sluice's JIT, a program a rule, one after another",
	.max_rules = SIZE_MAX,
	.make = jit_make,
	.run = jit_run,
	.update = jit_update,
	.fini = jit_fini,
};
