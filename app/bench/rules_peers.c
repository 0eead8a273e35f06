// SPDX-License-Identifier: BSD-3-Clause
/*
 * Others, a program a rule: libpcap, and DPDK's rte_bpf with its indirect loads
 * corrected, once as it ships (each program in pages of its own) and once as good
 * as it can be made: all code in one piece, and each rule run over a whole burst
 * before the next one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <pcap/pcap.h>
#include <rte_bpf.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "base/mem.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "engine.h"
#include "rules.h"

#define CODE_ALIGN 16 /* bytes; where a packed program may begin */

struct pcap_step {
	const struct bpf_insn *insns;
	uint32_t bit;
};

static int
pcap_make(const struct rules_input *in, struct rules_made *ret, char why[RULES_WHY])
{
	struct pcap_step *steps = mem_calloc(in->n, sizeof(*steps));

	(void)why;
	if (steps == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < in->n; i++) {
		size_t n;

		steps[i].insns = (const void *)cbpf_prog_insns(family_prog(in->family, i, 4), &n);
		steps[i].bit = UINT32_C(1) << family_class(in->family, i);
		ret->bytes += sizeof(*steps) + n * sizeof(struct bpf_insn);
	}
	ret->handle = steps;
	return 0;
}

static void
pcap_run(const struct rules_made *m, const struct rules_frames *f, uint32_t from, uint32_t n,
	uint32_t *ret)
{
	const struct pcap_step *const steps = m->handle;
	const uint32_t n_rules = (uint32_t)m->in->n;

	for (uint32_t i = 0; i < n; i++) {
		const struct rules_datagram d = f->datagrams[from + i];
		const uint32_t bits = rules_classes(m->in, &f->views[from + i]);
		uint32_t found = RULES_NONE;

		for (uint32_t k = 0; k < n_rules; k++)
			if ((steps[k].bit & bits) != 0 &&
				bpf_filter(steps[k].insns, d.data, d.wirelen, d.caplen) != 0) {
				found = k;
				break;
			}
		ret[i] = found;
	}
}

static void
pcap_fini(struct rules_made *m)
{
	mem_free(m->handle);
}

const struct rules_engine rules_libpcap = {
	.key = "libpcap",
	.help = "libpcap's bpf_filter(), one after another",
	.max_rules = SIZE_MAX,
	.make = pcap_make,
	.run = pcap_run,
	.fini = pcap_fini,
};

struct rte_step {
	uint64_t (*fn)(void *mbuf);
	struct rte_bpf *bpf;
	uint32_t bit;
};

struct rte_set {
	struct rte_step *steps;
	size_t n;
	void *code; /* of all, packed, or NULL */
	size_t code_bytes;
};

static void
rte_fini(struct rules_made *m)
{
	struct rte_set *s = m->handle;

	if (s == NULL)
		return;
	for (size_t i = 0; s->steps != NULL && i < s->n; i++)
		if (s->steps[i].bpf != NULL)
			rte_bpf_destroy(s->steps[i].bpf);
	if (s->code != NULL)
		(void)munmap(s->code, s->code_bytes);
	mem_free(s->steps);
	mem_free(s);
}

static int
rte_make(const struct rules_input *in, struct rules_made *ret, char why[RULES_WHY])
{
	struct rte_set *s = mem_zalloc(sizeof(*s));
	int r = 0;

	if (s == NULL)
		return -ENOMEM;
	ret->handle = s;
	s->n = in->n;
	s->steps = mem_calloc(in->n, sizeof(*s->steps));
	if (s->steps == NULL)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < in->n; i++) {
		struct rte_step *step = &s->steps[i];
		struct rte_bpf_jit jit;

		step->bit = UINT32_C(1) << family_class(in->family, i);
		r = engine_rte_load(family_prog(in->family, i, 4), &step->bpf, why);
		if (r == 0 && (rte_bpf_get_jit(step->bpf, &jit) < 0 || jit.func == NULL)) {
			(void)snprintf(why, RULES_WHY, "rte_bpf has no JIT here");
			r = -ENOTSUP;
		}
		if (r == 0) {
			step->fn = jit.func;
			ret->bytes += sizeof(*step) + ((jit.sz + 4095) & ~(size_t)4095);
		}
	}
	if (r < 0)
		rte_fini(ret);
	return r;
}

static void
rte_run(const struct rules_made *m, const struct rules_frames *f, uint32_t from, uint32_t n,
	uint32_t *ret)
{
	const struct rte_step *const steps = ((const struct rte_set *)m->handle)->steps;
	const uint32_t n_rules = (uint32_t)m->in->n;

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t bits = rules_classes(m->in, &f->views[from + i]);
		uint32_t found = RULES_NONE;

		for (uint32_t k = 0; k < n_rules; k++)
			if ((steps[k].bit & bits) != 0 && steps[k].fn(&f->mbufs[from + i]) != 0) {
				found = k;
				break;
			}
		ret[i] = found;
	}
}

static int
rte_update(struct rules_made *m)
{
	char why[RULES_WHY];
	struct rte_bpf *bpf = NULL;
	int r = engine_rte_load(family_prog(m->in->family, m->in->n - 1, 4), &bpf, why);

	if (r == 0)
		rte_bpf_destroy(bpf);
	return r;
}

const struct rules_engine rules_rte_bpf = {
	.key = "rte_bpf",
	.help = "DPDK's rte_bpf JIT, corrected, else as it ships",
	.max_rules = SIZE_MAX,
	.make = rte_make,
	.run = rte_run,
	.update = rte_update,
	.fini = rte_fini,
};

/* DPDK's code has no address of its own in it, so that it can be moved. */
static int
pack(struct rte_set *s, size_t *ret_bytes)
{
	struct rte_bpf_jit jit;
	size_t bytes = 0, at = 0;

	for (size_t i = 0; i < s->n; i++) {
		(void)rte_bpf_get_jit(s->steps[i].bpf, &jit);
		bytes += (jit.sz + CODE_ALIGN - 1) & ~(size_t)(CODE_ALIGN - 1);
	}
	s->code_bytes = bytes;
	s->code = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->code == MAP_FAILED) {
		s->code = NULL;
		return -errno;
	}
	for (size_t i = 0; i < s->n; i++) {
		(void)rte_bpf_get_jit(s->steps[i].bpf, &jit);
		memcpy((uint8_t *)s->code + at, *(void **)&jit.func, jit.sz);
		*(void **)&s->steps[i].fn = (uint8_t *)s->code + at;
		at += (jit.sz + CODE_ALIGN - 1) & ~(size_t)(CODE_ALIGN - 1);
	}
	*ret_bytes = bytes + s->n * sizeof(*s->steps);
	return mprotect(s->code, bytes, PROT_READ | PROT_EXEC) < 0 ? -errno : 0;
}

static int
packed_make(const struct rules_input *in, struct rules_made *ret, char why[RULES_WHY])
{
	int r = rte_make(in, ret, why);

	if (r < 0)
		return r;
	r = pack(ret->handle, &ret->bytes);
	if (r < 0) {
		(void)snprintf(why, RULES_WHY, "cannot pack: %s", strerror(-r));
		rte_fini(ret);
	}
	return r;
}

/* What is in use cannot be moved: a new copy of all. */
static int
packed_update(struct rules_made *m)
{
	struct rte_set *s = m->handle;
	void *old = s->code;
	const size_t old_bytes = s->code_bytes;
	size_t bytes;
	int r = rte_update(m);

	if (r == 0)
		r = pack(s, &bytes);
	(void)munmap(old, old_bytes);
	return r;
}

/* One burst: what is left of it goes from rule to rule. */
static void
packed_burst(const struct rules_made *m, const struct rules_frames *f, uint32_t from, uint32_t *ret)
{
	const struct rte_step *const steps = ((const struct rte_set *)m->handle)->steps;
	const uint32_t n_rules = (uint32_t)m->in->n;
	uint32_t bits[RULES_BURST], left = RULES_BURST, any = 0;
	uint8_t which[RULES_BURST];

	for (uint32_t i = 0; i < RULES_BURST; i++) {
		bits[i] = rules_classes(m->in, &f->views[from + i]);
		any |= bits[i];
		which[i] = (uint8_t)i;
		ret[i] = RULES_NONE;
	}
	for (uint32_t k = 0; k < n_rules && left > 0; k++) {
		uint32_t kept = 0;

		if ((steps[k].bit & any) == 0)
			continue;
		for (uint32_t j = 0; j < left; j++) {
			const uint32_t i = which[j];
			const bool hit = (steps[k].bit & bits[i]) != 0 &&
				steps[k].fn(&f->mbufs[from + i]) != 0;

			if (hit)
				ret[i] = k;
			which[kept] = (uint8_t)i;
			kept += !hit;
		}
		left = kept;
	}
}

static void
packed_run(const struct rules_made *m, const struct rules_frames *f, uint32_t from, uint32_t n,
	uint32_t *ret)
{
	for (uint32_t i = 0; i < n; i += RULES_BURST)
		packed_burst(m, f, from + i, ret + i);
}

const struct rules_engine rules_rte_packed = {
	.key = "rte_packed",
	.help = "the same, its code packed, a rule at a time over 32 packets",
	.max_rules = SIZE_MAX,
	.make = packed_make,
	.run = packed_run,
	.update = packed_update,
	.fini = rte_fini,
};
