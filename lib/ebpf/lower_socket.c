// SPDX-License-Identifier: BSD-3-Clause
/*
 * Programs on socket buffers. A socket filter has no packet pointers; the loads
 * that eBPF inherited from classic BPF do what those do, and end the program
 * with 0 past the end. Offsets from 2^31 on mean something else to them.
 *
 * R0 is A, R6 the context, R7 is X, R8 keeps A while X is loaded,
 * R9 is 0, see forget_a().
 */
#include "ebpf/lower.h"
#include "lower_impl.h"

#define REG_CTX EBPF_R6
#define REG_X EBPF_R7
#define REG_KEEP EBPF_R8
#define REG_ZERO EBPF_R9
#define SKB_LEN 0 /* of struct __sk_buff */

static void
socket_abs(struct lower *l, struct lower_state *s, const struct plan_need *need, uint32_t k,
	enum ebpf_size size)
{
	(void)need;
	ebpf_ld_abs(l->a, size, (int32_t)k);
	s->amax = UINT32_MAX;
}

static void
socket_ind(struct lower *l, struct lower_state *s, const struct plan_need *need, uint32_t k,
	enum ebpf_size size)
{
	(void)need;
	/* With a larger k it is hopeless and does not come here. */
	if (s->xmax > INT32_MAX - k)
		ebpf_jmp_imm(l->a, EBPF_JGT, l->x, (int32_t)(INT32_MAX - k), l->nomatch);
	ebpf_ld_ind(l->a, size, l->x, (int32_t)k);
	s->amax = UINT32_MAX;
}

static void
socket_msh(struct lower *l, struct lower_state *s, const struct plan_need *need, uint32_t k)
{
	(void)s;
	(void)need;
	ebpf_mov(l->a, REG_KEEP, EBPF_R0);
	ebpf_ld_abs(l->a, EBPF_B, (int32_t)k);
	ebpf_alu32(l->a, EBPF_MOV, l->x, EBPF_R0);
	ebpf_alu32_imm(l->a, EBPF_AND, l->x, 15);
	ebpf_alu32_imm(l->a, EBPF_LSH, l->x, 2);
	ebpf_mov(l->a, EBPF_R0, REG_KEEP);
}

static void
socket_len(struct lower *l, enum ebpf_reg dst)
{
	ebpf_ld(l->a, EBPF_W, dst, REG_CTX, SKB_LEN);
}

/* Any number xor itself is 0, which the verifier does not see. */
static void
socket_zero(struct lower *l)
{
	socket_len(l, REG_ZERO);
	ebpf_mov(l->a, REG_KEEP, REG_ZERO);
	ebpf_alu(l->a, EBPF_XOR, REG_ZERO, REG_KEEP);
}

static void
socket_ret_k(struct lower *l, uint32_t k)
{
	ebpf_alu32_imm(l->a, EBPF_MOV, EBPF_R0, k);
	ebpf_exit(l->a);
}

static void
socket_ret_a(struct lower *l)
{
	ebpf_exit(l->a);
}

static const struct lower_kind socket_kind = {
	.abs = socket_abs,
	.ind = socket_ind,
	.msh = socket_msh,
	.len = socket_len,
	.set_zero = socket_zero,
	.ret_k = socket_ret_k,
	.ret_a = socket_ret_a,
};

void
ebpf_lower_socket(struct ebpf_asm *a, const struct cbpf_prog *prog)
{
	struct lower l = {
		.a = a,
		.kind = &socket_kind,
		.nomatch = ebpf_label(a),
		.x = REG_X,
		.zero = REG_ZERO,
		.max = INT32_MAX,
		.mem_slot = -EBPF_MEM_BYTES,
	};

	ebpf_mov(a, REG_CTX, EBPF_R1);
	lower_prog(&l, prog);
	ebpf_here(a, l.nomatch);
	ebpf_mov_imm(a, EBPF_R0, 0);
	ebpf_exit(a);
}
