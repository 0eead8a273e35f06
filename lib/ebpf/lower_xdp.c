// SPDX-License-Identifier: BSD-3-Clause
/*
 * Programs on packet pointers. A load is allowed once a pointer as far behind
 * its last byte was compared with data_end; a pointer with a number in it that
 * is only known at run time must have that number bounded first, since offsets
 * beyond 65,535 are nothing the verifier follows.
 *
 * R0 is A, R1 is X, R2 is start + X, R3 is free for what lasts an instruction,
 * R5 is 0, see forget_a().
 */
#include "base/util.h"
#include "ebpf/lower.h"
#include "lower_impl.h"
#include "plan.h"

#define REG_X EBPF_R1
#define REG_PTR EBPF_R2
#define REG_TMP EBPF_R3
#define REG_ZERO EBPF_R5
#define LD_OFF_MAX INT16_MAX

/* Go on only if @n bytes at the pointer @from are in front of the frame's end. */
static void
check_end(struct lower *l, enum ebpf_reg from, uint32_t n)
{
	ebpf_mov(l->a, REG_TMP, from);
	ebpf_alu_imm(l->a, EBPF_ADD, REG_TMP, (int32_t)n);
	ebpf_jmp(l->a, EBPF_JGT, REG_TMP, l->pkt->end, l->nomatch);
}

static void
check_abs(struct lower *l, struct lower_state *s, uint32_t n)
{
	if (n <= s->abs)
		return;
	if (l->pkt->avail != EBPF_NO_REG)
		ebpf_jmp_imm(l->a, EBPF_JLT, l->pkt->avail, (int32_t)n, l->nomatch);
	check_end(l, l->pkt->start, n);
	s->abs = n;
}

/* The same for @n bytes from X on, and the pointer to them. */
static void
check_ind(struct lower *l, struct lower_state *s, uint32_t n)
{
	if (s->xptr && n <= s->xwin)
		return;
	/* A pointer made before X is bounded is as little bounded as X was. */
	if (s->xmax > EBPF_WINDOW_MAX - n) {
		ebpf_jmp_imm(l->a, EBPF_JGT, REG_X, (int32_t)(EBPF_WINDOW_MAX - n), l->nomatch);
		s->xmax = EBPF_WINDOW_MAX - n;
		s->xptr = false;
	}
	if (l->pkt->avail != EBPF_NO_REG) {
		/* The verifier would learn something of X or avail from comparing them. */
		ebpf_mov(l->a, REG_TMP, l->pkt->avail);
		ebpf_alu(l->a, EBPF_SUB, REG_TMP, REG_X);
		ebpf_jmp_imm(l->a, EBPF_JSLT, REG_TMP, (int32_t)n, l->nomatch);
	}
	if (!s->xptr) {
		ebpf_mov(l->a, REG_PTR, l->pkt->start);
		ebpf_alu(l->a, EBPF_ADD, REG_PTR, REG_X);
	}
	check_end(l, REG_PTR, n);
	s->xptr = true;
	s->xwin = n;
}

/* @dst = what is at @from + @k, in host order. */
static void
load(struct lower *l, enum ebpf_reg dst, enum ebpf_reg from, uint32_t k, enum ebpf_size size)
{
	if (k > LD_OFF_MAX) {
		ebpf_mov(l->a, REG_TMP, from);
		ebpf_alu_imm(l->a, EBPF_ADD, REG_TMP, (int32_t)k);
		from = REG_TMP;
		k = 0;
	}
	ebpf_ld(l->a, size, dst, from, (int32_t)k);
	if (size != EBPF_B)
		ebpf_be(l->a, dst, size == EBPF_H ? 16 : 32);
}

/* Behind a byte swap the verifier takes any number for possible. */
static uint32_t
load_max(enum ebpf_size size)
{
	return size == EBPF_B ? UINT8_MAX : UINT32_MAX;
}

static void
xdp_abs(struct lower *l, struct lower_state *s, const struct plan_need *need, uint32_t k,
	enum ebpf_size size)
{
	check_abs(l, s, need->abs);
	load(l, EBPF_R0, l->pkt->start, k, size);
	s->amax = load_max(size);
}

static void
xdp_ind(struct lower *l, struct lower_state *s, const struct plan_need *need, uint32_t k,
	enum ebpf_size size)
{
	check_ind(l, s, need->ind);
	load(l, EBPF_R0, REG_PTR, k, size);
	s->amax = load_max(size);
}

static void
xdp_msh(struct lower *l, struct lower_state *s, const struct plan_need *need, uint32_t k)
{
	check_abs(l, s, need->abs);
	load(l, REG_X, l->pkt->start, k, EBPF_B);
	ebpf_alu32_imm(l->a, EBPF_AND, REG_X, 15);
	ebpf_alu32_imm(l->a, EBPF_LSH, REG_X, 2);
}

static void
xdp_len(struct lower *l, enum ebpf_reg dst)
{
	if (l->pkt->len != EBPF_NO_REG)
		ebpf_mov(l->a, dst, l->pkt->len);
	else
		ebpf_ld(l->a, EBPF_DW, dst, EBPF_FP, l->pkt->len_slot);
}

/* Any number xor itself is 0, which the verifier does not see. */
void
ebpf_zero(struct ebpf_asm *a, enum ebpf_reg dst, const struct ebpf_pkt *pkt, enum ebpf_reg tmp)
{
	ebpf_mov(a, dst, pkt->end);
	ebpf_alu(a, EBPF_SUB, dst, pkt->start);
	ebpf_mov(a, tmp, dst);
	ebpf_alu(a, EBPF_XOR, dst, tmp);
}

static void
xdp_zero(struct lower *l)
{
	ebpf_zero(l->a, REG_ZERO, l->pkt, REG_TMP);
}

static void
xdp_ret_k(struct lower *l, uint32_t k)
{
	(void)k;
	ebpf_ja(l->a, l->match);
}

static void
xdp_ret_a(struct lower *l)
{
	ebpf_jmp32_imm(l->a, EBPF_JNE, EBPF_R0, 0, l->match);
	ebpf_ja(l->a, l->nomatch);
}

static const struct lower_kind xdp_kind = {
	.abs = xdp_abs,
	.ind = xdp_ind,
	.msh = xdp_msh,
	.len = xdp_len,
	.set_zero = xdp_zero,
	.ret_k = xdp_ret_k,
	.ret_a = xdp_ret_a,
};

void
ebpf_lower(struct ebpf_asm *a, const struct cbpf_prog *prog, const struct ebpf_pkt *pkt,
	uint32_t match, uint32_t nomatch)
{
	struct lower l = {
		.a = a,
		.kind = &xdp_kind,
		.pkt = pkt,
		.match = match,
		.nomatch = nomatch,
		.x = REG_X,
		.zero = REG_ZERO,
		.max = EBPF_WINDOW_MAX,
		.mem_slot = pkt->mem_slot,
	};

	lower_prog(&l, prog);
}
