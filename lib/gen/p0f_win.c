// SPDX-License-Identifier: BSD-3-Clause
/*
 * "mss*N" and "mtu*N": p0f tries a list of divisors in order and takes the first
 * that divides the window; the quotient must be N and the divisor of the right
 * kind (detect_win_multi() in fp_tcp.c). A SYN+ACK's list goes on with the peer's
 * MSS, which one packet does not show; p0f asks it last.
 */
#include <errno.h>

#include "base/diag.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "p0f_gen.h"

#define WIN_OFF 14 /* bytes into the TCP header */
#define MSS_LEAST 100 /* p0f looks for no multiple of a smaller MSS */

/* A divisor: the packet's MSS plus @delta, or the constant @delta. */
struct divisor {
	bool of_mss;
	bool needs_ts1; /* only where the own timestamp is not 0 */
	bool only_ip6;
	bool plus_headers; /* plus the length of both headers */
	enum p0f_win kind;
	int32_t delta;
};

static const struct divisor divisors[] = {
	{.of_mss = true, .kind = P0F_WIN_MSS},
	{.of_mss = true, .kind = P0F_WIN_MSS, .delta = -12, .needs_ts1 = true},
	{.kind = P0F_WIN_MSS, .delta = 1500 - 40},
	{.kind = P0F_WIN_MSS, .delta = 1500 - 40 - 12},
	{.kind = P0F_WIN_MSS, .delta = 1500 - 60, .only_ip6 = true},
	{.kind = P0F_WIN_MSS, .delta = 1500 - 60 - 12, .only_ip6 = true},
	{.of_mss = true, .kind = P0F_WIN_MTU, .delta = 40},
	{.of_mss = true, .kind = P0F_WIN_MTU, .plus_headers = true},
	{.of_mss = true, .kind = P0F_WIN_MTU, .delta = 60, .only_ip6 = true},
	{.kind = P0F_WIN_MTU, .delta = 1500},
};

static bool
is_multiple(const struct p0f_gen *g)
{
	return g->s.win_type == P0F_WIN_MSS || g->s.win_type == P0F_WIN_MTU;
}

bool
p0f_win_needs_mss(const struct p0f_gen *g)
{
	return is_multiple(g) && g->s.mss < 0;
}

/* Whether the own timestamp can be 0 is only open with several ts options. */
bool
p0f_win_needs_ts1(const struct p0f_gen *g)
{
	return is_multiple(g) && (g->s.quirks & P0F_Q_ZERO_TS1) != 0 &&
		p0f_opts_count(&g->s, 8) > 1;
}

int
p0f_win_check(const struct p0f_gen *g, struct diag *diag)
{
	if (!is_multiple(g))
		return 0;
	if (p0f_opts_count(&g->s, 2) == 0)
		return diag_fail(diag, -EINVAL,
			"a window of mss*N or mtu*N needs an mss option in the layout");
	if (g->s.mss >= 0 && g->s.mss < MSS_LEAST)
		return diag_fail(diag, -EINVAL,
			"a window of mss*N or mtu*N needs an MSS of 100 or more, got %d", g->s.mss);
	return 0;
}

static void
load_window(struct p0f_gen *g)
{
	gen_emit_op(g->e, CBPF_CODE_LD_H_ABS, g->l4 + WIN_OFF);
}

/* X = the divisor. */
static void
load_divisor(struct p0f_gen *g, const struct divisor *d)
{
	uint32_t add = (uint32_t)d->delta;

	if (d->plus_headers)
		add += g->fixed_doff != 0 ? g->l4 - g->l3 + g->fixed_doff : 0 - g->l3;
	if (g->s.mss >= 0 && (!d->plus_headers || g->fixed_doff != 0)) {
		gen_emit_op(g->e, CBPF_CODE_LDX_IMM, (uint32_t)g->s.mss + add);
		return;
	}
	if (add == 0 && !d->plus_headers) {
		gen_emit_op(g->e, CBPF_CODE_LDX_MEM, P0F_M_MSS);
		return;
	}
	if (g->s.mss >= 0)
		gen_emit_op(g->e, CBPF_CODE_LD_IMM, (uint32_t)g->s.mss);
	else
		gen_emit_op(g->e, CBPF_CODE_LD_MEM, P0F_M_MSS);
	if (d->plus_headers && g->fixed_doff == 0) {
		gen_emit_op(g->e, CBPF_CODE_LDX_MEM, P0F_M_END);
		gen_emit_op(g->e, CBPF_CODE_ALU_ADD_X, 0);
	}
	if (add != 0)
		gen_emit_op(g->e, CBPF_CODE_ALU_ADD_K, add);
	gen_emit_op(g->e, CBPF_CODE_TAX, 0);
}

/* A window that @d divides matches or fails here; another goes on at @next. */
static void
emit_divisor(struct p0f_gen *g, const struct divisor *d, int match, int next)
{
	const bool right_kind = d->kind == g->s.win_type;

	if (d->of_mss) {
		load_divisor(g, d);
		load_window(g);
		gen_emit_op(g->e, CBPF_CODE_ALU_MOD_X, 0);
	} else {
		load_window(g);
		gen_emit_op(g->e, CBPF_CODE_ALU_MOD_K, (uint32_t)d->delta);
	}
	if (!right_kind) {
		gen_emit_branch(g->e, CBPF_CODE_JEQ_K, 0, g->fail, next);
		return;
	}
	gen_emit_jump(g->e, CBPF_CODE_JEQ_K, 0, false, next);
	load_window(g);
	if (d->of_mss)
		gen_emit_op(g->e, CBPF_CODE_ALU_DIV_X, 0);
	gen_emit_branch(g->e, CBPF_CODE_JEQ_K, d->of_mss ? g->s.win : g->s.win * (uint32_t)d->delta,
		match, g->fail);
}

static bool
divisor_counts(const struct p0f_gen *g, const struct divisor *d)
{
	const bool ts1 = p0f_opts_count(&g->s, 8) > 0 &&
		((g->s.quirks & P0F_Q_ZERO_TS1) == 0 || p0f_win_needs_ts1(g));

	if (d->only_ip6 && g->family != 6)
		return false;
	return !d->needs_ts1 || ts1;
}

/* One behind the last divisor that can match; those behind it need no test. */
static size_t
divisors_end(const struct p0f_gen *g)
{
	size_t end = 0;

	for (size_t i = 0; i < DIM(divisors); i++)
		if (divisors[i].kind == g->s.win_type && divisor_counts(g, &divisors[i]))
			end = i + 1;
	return end;
}

/* The first of the constant divisors behind which, up to @end, no other kind comes. */
static size_t
constants_start(const struct p0f_gen *g, size_t end)
{
	while (end > 0 &&
		(!divisor_counts(g, &divisors[end - 1]) ||
			(!divisors[end - 1].of_mss && divisors[end - 1].kind == g->s.win_type)))
		end--;
	return end;
}

/* The window that divisor @i wants; 0: none, or one before it from @first on divides that. */
static uint32_t
wanted_window(const struct p0f_gen *g, size_t first, size_t i)
{
	const uint64_t window = (uint64_t)g->s.win * (uint32_t)divisors[i].delta;

	if (!divisor_counts(g, &divisors[i]) || window > UINT16_MAX)
		return 0;
	for (size_t j = first; j < i; j++)
		if (divisor_counts(g, &divisors[j]) && window % (uint32_t)divisors[j].delta == 0)
			return 0;
	return (uint32_t)window;
}

/* Constant divisors @first to @end, the last ones: which windows match is known here. */
static void
emit_constants(struct p0f_gen *g, size_t first, size_t end, int match)
{
	uint32_t last = 0;

	load_window(g);
	for (size_t i = first; i < end; i++) {
		const uint32_t window = wanted_window(g, first, i);

		if (window == 0)
			continue;
		if (last != 0)
			gen_emit_jump(g->e, CBPF_CODE_JEQ_K, last, true, match);
		last = window;
	}
	if (last != 0)
		gen_emit_jump(g->e, CBPF_CODE_JEQ_K, last, false, g->fail);
	else
		gen_emit_jump(g->e, CBPF_CODE_JA, 0, true, g->fail);
}

static void
emit_multiple(struct p0f_gen *g)
{
	const int match = gen_emit_label(g->e);
	const size_t end = divisors_end(g), constants = constants_start(g, end);

	gen_emit_note(
		g->e, "window: %s * %u", g->s.win_type == P0F_WIN_MSS ? "mss" : "mtu", g->s.win);
	if (g->s.mss < 0) {
		gen_emit_op(g->e, CBPF_CODE_LD_MEM, P0F_M_MSS);
		gen_emit_jump(g->e, CBPF_CODE_JGE_K, MSS_LEAST, false, g->fail);
	}
	/* A window of 0 is divided by all; the quotient is never N. */
	for (size_t i = 0; i < constants; i++) {
		const int next = i + 1 < end ? gen_emit_label(g->e) : g->fail;

		if (!divisor_counts(g, &divisors[i]))
			continue;
		if (divisors[i].needs_ts1 && p0f_win_needs_ts1(g)) {
			gen_emit_op(g->e, CBPF_CODE_LD_MEM, P0F_M_TS1);
			gen_emit_jump(g->e, CBPF_CODE_JEQ_K, 0, true, next);
		}
		emit_divisor(g, &divisors[i], match, next);
		if (next != g->fail)
			gen_emit_place(g->e, next);
	}
	if (constants < end)
		emit_constants(g, constants, end, match);
	gen_emit_place(g->e, match);
}

void
p0f_win_emit(struct p0f_gen *g)
{
	switch (g->s.win_type) {
	case P0F_WIN_ANY:
	case P0F_WIN_VALUE: break; /* nothing, or in the header's run */
	case P0F_WIN_MOD:
		gen_emit_note(g->e, "window: a multiple of %u", g->s.win);
		load_window(g);
		gen_emit_op(g->e, CBPF_CODE_ALU_MOD_K, g->s.win);
		gen_emit_jump(g->e, CBPF_CODE_JEQ_K, 0, false, g->fail);
		break;
	case P0F_WIN_MSS:
	case P0F_WIN_MTU: emit_multiple(g); break;
	}
}
