// SPDX-License-Identifier: BSD-3-Clause
/*
 * libpcap's interpreter. It aborts on opcodes that its own validation lets
 * pass, so that only programs that ours accepted come here. <pcap/bpf.h> is in
 * this file only: its struct bpf_insn is nobody else's.
 */
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

#include "cbpf/prog.h"
#include "engines.h"
#include "oracle_pcap.h"

_Static_assert(sizeof(struct bpf_insn) == sizeof(struct cbpf_insn), "the same layout");

static void *
pcap_load(const struct cbpf_prog *prog)
{
	size_t n;

	return (void *)(uintptr_t)cbpf_prog_insns(prog, &n);
}

static uint32_t
pcap_run(void *p, const uint8_t *data, uint32_t caplen, uint32_t wirelen)
{
	return bpf_filter(p, data, wirelen, caplen);
}

static void
pcap_unload(void *p)
{
	(void)p;
}

const struct engine engine_pcap = {"libpcap", pcap_load, pcap_run, pcap_unload};

size_t
oracle_compile(const char *expr, bool raw, bool optimise, struct cbpf_insn *insns, size_t max)
{
	pcap_t *p = pcap_open_dead(raw ? DLT_RAW : DLT_EN10MB, 65535);
	struct bpf_program prog;
	size_t n = 0;

	if (p == NULL)
		abort();
	if (pcap_compile(p, &prog, expr, optimise, PCAP_NETMASK_UNKNOWN) == 0) {
		if (prog.bf_len <= max) {
			n = prog.bf_len;
			memcpy(insns, prog.bf_insns, n * sizeof(*insns));
		}
		pcap_freecode(&prog);
	}
	pcap_close(p);
	return n;
}
