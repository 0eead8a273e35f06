// SPDX-License-Identifier: BSD-3-Clause
/* One classic program as an XDP function of its own. */
#include "ebpf/lower.h"

static void
give(struct ebpf_asm *a, uint32_t label, enum ebpf_xdp_action action)
{
	ebpf_here(a, label);
	ebpf_mov_imm(a, EBPF_R0, (int32_t)action);
	ebpf_exit(a);
}

void
ebpf_lower_xdp(struct ebpf_asm *a, const struct cbpf_prog *prog, bool raw,
	enum ebpf_xdp_action match, enum ebpf_xdp_action pass)
{
	const struct ebpf_pkt pkt = {
		.start = EBPF_R6,
		.end = EBPF_R7,
		.avail = raw ? EBPF_R8 : EBPF_NO_REG,
		.len = EBPF_R9,
		.mem_slot = -EBPF_MEM_BYTES,
		.checked = raw ? 20 : 0,
	};
	uint32_t hit = ebpf_label(a), miss = ebpf_label(a);

	if (raw)
		ebpf_xdp_datagram(a, EBPF_R1, &pkt, miss);
	else
		ebpf_xdp_frame(a, EBPF_R1, &pkt);
	ebpf_lower(a, prog, &pkt, hit, miss);
	give(a, hit, match);
	give(a, miss, pass);
}
