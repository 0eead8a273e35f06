// SPDX-License-Identifier: BSD-3-Clause
/* One classic program as an XDP function of its own, and as an object file. */
#include <stdbool.h>

#include "base/diag.h"
#include "ebpf/lower.h"
#include "ebpf/object.h"

static void
give(struct ebpf_asm *a, uint32_t label, enum ebpf_xdp_action action)
{
	ebpf_here(a, label);
	ebpf_mov_imm(a, EBPF_R0, (int32_t)action);
	ebpf_exit(a);
}

void
ebpf_lower_xdp(struct ebpf_asm *a, const struct cbpf_prog *prog, enum ebpf_sees sees,
	enum ebpf_xdp_action match, enum ebpf_xdp_action pass)
{
	const bool raw = sees != EBPF_SEES_FRAME;
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
	if (sees == EBPF_SEES_IP4 || sees == EBPF_SEES_IP6)
		ebpf_jmp_imm(a, EBPF_JNE, EBPF_R0, sees == EBPF_SEES_IP4 ? 4 : 6, miss);
	ebpf_lower(a, prog, &pkt, hit, miss);
	give(a, hit, match);
	give(a, miss, pass);
}

static int
add(struct ebpf_object *obj, const char *section, const char *name, struct ebpf_asm *a,
	struct diag *diag)
{
	int r = ebpf_asm_finish(a, diag);

	if (r == 0)
		r = ebpf_object_prog(obj, section, name, a, diag);
	ebpf_asm_fini(a);
	return r;
}

/* The socket filter comes first: it is what "bpftool prog load" pins. */
int
ebpf_write_filter(
	const struct cbpf_prog *prog, enum ebpf_sees sees, struct sbuf *out, struct diag *diag)
{
	struct ebpf_object *obj = NULL;
	struct ebpf_asm a;
	int r = ebpf_object_new(&obj);

	if (r < 0)
		return diag_fail(diag, r, "out of memory");
	ebpf_asm_init(&a);
	ebpf_lower_socket(&a, prog);
	r = add(obj, "socket", "socket_filter", &a, diag);
	if (r == 0) {
		ebpf_lower_xdp(&a, prog, sees, EBPF_XDP_DROP, EBPF_XDP_PASS);
		r = add(obj, "xdp", "xdp_drop", &a, diag);
	}
	if (r == 0)
		r = ebpf_object_write(obj, out, diag);
	ebpf_object_free(obj);
	return r;
}
