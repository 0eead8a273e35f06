// SPDX-License-Identifier: BSD-3-Clause
/*
 * Others' engines: libpcap's bpf_filter(), and DPDK's rte_bpf with its worst
 * mistake corrected, since a filter that matches nothing is no peer.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <pcap/pcap.h>
#include <rte_bpf.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "engine.h"

_Static_assert(sizeof(struct bpf_insn) == sizeof(struct cbpf_insn), "the same in both worlds");

static const struct bpf_insn *
insns_of(const struct cbpf_prog *prog, size_t *n)
{
	return (const void *)cbpf_prog_insns(prog, n);
}

static uint32_t
pcap_one(const struct engine_prog *p, const struct engine_frames *f, size_t i)
{
	return bpf_filter(p->handle, f->v[i].data, f->v[i].wirelen, f->v[i].caplen);
}

static uint32_t
pcap_all(const struct engine_prog *p, const struct engine_frames *f)
{
	const struct bpf_insn *const insns = p->handle;

	ENGINE_LOOP(f, bpf_filter(insns, frame->data, frame->wirelen, frame->caplen));
}

static int
pcap_make(const struct cbpf_prog *prog, struct engine_prog *ret, char why[128])
{
	size_t n;

	(void)why;
	ret->handle = (void *)(uintptr_t)insns_of(prog, &n);
	return 0;
}

static void
pcap_fini(struct engine_prog *p)
{
	(void)p;
}

const struct engine engine_pcap = {
	.name = "libpcap",
	.key = "libpcap",
	.make = pcap_make,
	.one = pcap_one,
	.all = pcap_all,
	.fini = pcap_fini,
};

int
engine_mbufs_new(struct engine_frames *f)
{
	struct rte_mbuf *m =
		mem_zalloc_aligned(BASE_CACHE_LINE, ENGINE_FRAMES * sizeof(struct rte_mbuf));

	if (m == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < ENGINE_FRAMES; i++) {
		m[i].buf_addr = (void *)(uintptr_t)f->v[i].data;
		m[i].buf_len = (uint16_t)f->v[i].caplen;
		m[i].data_len = (uint16_t)f->v[i].caplen;
		m[i].pkt_len = f->v[i].wirelen;
		m[i].nb_segs = 1;
	}
	f->mbufs = m;
	return 0;
}

void
engine_mbufs_free(struct engine_frames *f)
{
	mem_free(f->mbufs);
	f->mbufs = NULL;
}

/*
 * rte_bpf_convert() takes the size bit of "ld [x + k]" and "ldb [x + k]" for
 * "source is X" and indexes by A. X is register 7 of what it makes.
 */
static void
correct_indirect_loads(const struct rte_bpf_prm *prm)
{
	struct ebpf_insn *ins = (struct ebpf_insn *)(uintptr_t)prm->ins;

	for (uint32_t i = 0; i < prm->nb_ins; i++)
		if ((ins[i].code & 0xe7) == (BPF_LD | BPF_IND))
			ins[i].src_reg = 7;
}

int
engine_rte_load(const struct cbpf_prog *prog, struct rte_bpf **ret_bpf, char why[128])
{
	struct bpf_program bpf;
	struct rte_bpf_prm *prm;
	size_t n;

	bpf.bf_insns = (struct bpf_insn *)(uintptr_t)insns_of(prog, &n);
	bpf.bf_len = (unsigned int)n;
	prm = rte_bpf_convert(&bpf);
	if (prm == NULL) {
		(void)snprintf(why, 128, "rte_bpf_convert() refuses the program");
		return -ENOTSUP;
	}
	correct_indirect_loads(prm);
	*ret_bpf = rte_bpf_load(prm);
	rte_free(prm);
	if (*ret_bpf == NULL) {
		(void)snprintf(why, 128, "rte_bpf_load() refuses the program");
		return -ENOTSUP;
	}
	return 0;
}

static int
rte_make(const struct cbpf_prog *prog, struct engine_prog *ret, char why[128])
{
	struct rte_bpf *bpf = NULL;
	int r = engine_rte_load(prog, &bpf, why);

	ret->handle = bpf;
	return r;
}

static void
rte_fini(struct engine_prog *p)
{
	rte_bpf_destroy(p->handle);
}

static uint32_t
rte_interp_one(const struct engine_prog *p, const struct engine_frames *f, size_t i)
{
	return (uint32_t)rte_bpf_exec(p->handle, &f->mbufs[i]);
}

static uint32_t
rte_interp_all(const struct engine_prog *p, const struct engine_frames *f)
{
	const struct rte_bpf *const bpf = p->handle;

	ENGINE_LOOP(f, rte_bpf_exec(bpf, &f->mbufs[i]));
}

const struct engine engine_rte_interp = {
	.name = "rte_bpf",
	.key = "rte_bpf",
	.make = rte_make,
	.one = rte_interp_one,
	.all = rte_interp_all,
	.fini = rte_fini,
};

static int
rte_jit_make(const struct cbpf_prog *prog, struct engine_prog *ret, char why[128])
{
	struct rte_bpf_jit jit;
	int r = rte_make(prog, ret, why);

	if (r < 0)
		return r;
	if (rte_bpf_get_jit(ret->handle, &jit) < 0 || jit.func == NULL) {
		(void)snprintf(why, 128, "rte_bpf has no JIT for it here");
		rte_fini(ret);
		return -ENOTSUP;
	}
	ret->rte_fn = jit.func;
	return 0;
}

static uint32_t
rte_jit_one(const struct engine_prog *p, const struct engine_frames *f, size_t i)
{
	return (uint32_t)p->rte_fn(&f->mbufs[i]);
}

static uint32_t
rte_jit_all(const struct engine_prog *p, const struct engine_frames *f)
{
	uint64_t (*const fn)(void *) = p->rte_fn;

	ENGINE_LOOP(f, fn(&f->mbufs[i]));
}

const struct engine engine_rte_jit = {
	.name = "rte_bpf JIT",
	.key = "rte_bpf_jit",
	.make = rte_jit_make,
	.one = rte_jit_one,
	.all = rte_jit_all,
	.fini = rte_fini,
};
