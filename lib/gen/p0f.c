// SPDX-License-Identifier: BSD-3-Clause
/*
 * p0f signatures: SYNs (with --synack: SYN+ACKs) of one kind of TCP stack. What
 * p0f reads, and how, is followed to the letter, also where its documentation
 * says otherwise:
 *
 * - ack+ looks at the lowest bit of the first byte of the acknowledgment number
 *   only (process.c has "&" where "&&" was meant; on little-endian machines, p0f's
 *   usual home, that is the bit).
 * - opt+ does not see the last byte of the padding.
 * - 0+ in a signature for both families never matches IPv6.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "gen_priv.h"
#include "p0f_gen.h"

#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_PSH 0x08
#define TCP_FLAG_ACK 0x10
#define TCP_FLAG_URG 0x20
#define TCP_FLAGS_ECN 0xc0
#define TCP_NS 0x01 /* in the byte of the data offset */
#define IP_ECN 0x03

static bool
has(const struct p0f_gen *g, uint32_t quirk)
{
	return (g->s.quirks & quirk) != 0;
}

/* Quirks that no segment can have together. */
static int
check_quirks(const struct p0f_gen *g, struct diag *diag)
{
	const struct {
		bool bad;
		const char *why;
	} checks[] = {
		{has(g, P0F_Q_NZ_ID) && !has(g, P0F_Q_DF), "id+ needs df"},
		{has(g, P0F_Q_ZERO_ID) && has(g, P0F_Q_DF), "id- and df exclude each other"},
		{has(g, P0F_Q_NZ_URG) && has(g, P0F_Q_URG), "uptr+ and urgf+ exclude each other"},
		{has(g, P0F_Q_ZERO_ACK) && !g->synack,
			"ack- needs the ACK flag, which a SYN has not (--synack)"},
		{has(g, P0F_Q_NZ_ACK) && g->synack, "ack+ needs a segment without the ACK flag"},
		{has(g, P0F_Q_NZ_MBZ) && g->family == 6, "0+ is never said of IPv6"},
	};

	for (size_t i = 0; i < DIM(checks); i++)
		if (checks[i].bad)
			return diag_fail(diag, -EINVAL,
				"expected a p0f signature that a segment can have: %s",
				checks[i].why);
	return 0;
}

static void
load(struct p0f_gen *g, uint16_t code, uint32_t off)
{
	gen_emit_op(g->e, code, off);
}

/* Fail unless A (== 0) is @want. */
static void
want_zero(struct p0f_gen *g, bool want)
{
	gen_emit_jump(g->e, CBPF_CODE_JEQ_K, 0, !want, g->fail);
}

static void
emit_ttl(struct p0f_gen *g, uint32_t off)
{
	const uint8_t ttl = g->s.ttl;

	load(g, CBPF_CODE_LD_B_ABS, off);
	if (ttl < 255)
		gen_emit_jump(g->e, CBPF_CODE_JGT_K, ttl, true, g->fail);
	if (!g->s.ttl_any_below && ttl > P0F_DIST_MAX)
		gen_emit_jump(g->e, CBPF_CODE_JGE_K, ttl - P0F_DIST_MAX, false, g->fail);
}

static void
emit_ip4(struct p0f_gen *g)
{
	struct p0f_run run = {0};

	gen_emit_note(g->e, "IPv4, %u bytes of options, TCP, no fragment; TTL from %u", g->s.olen,
		g->s.ttl);
	p0f_want(&run, 0, (uint8_t)(0x45 + g->s.olen / 4), 0xff);
	if (!has(g, P0F_Q_ECN))
		p0f_want(&run, 1, 0, IP_ECN);
	p0f_want16(&run, 6,
		(uint16_t)((has(g, P0F_Q_NZ_MBZ) ? 0x8000 : 0) | (has(g, P0F_Q_DF) ? 0x4000 : 0)),
		0xffff);
	p0f_want(&run, 9, 6, 0xff);
	/* df without id+: the id is 0; no df and no id-: it is not */
	if (has(g, P0F_Q_DF) != has(g, P0F_Q_NZ_ID))
		p0f_want16(&run, 4, 0, 0xffff);
	else if (has(g, P0F_Q_ZERO_ID))
		p0f_want16(&run, 4, 0, 0xffff);
	p0f_run_emit(g, &run, g->l3, false);
	emit_ttl(g, g->l3 + 8);
	if (has(g, P0F_Q_NZ_ID) || (!has(g, P0F_Q_DF) && !has(g, P0F_Q_ZERO_ID))) {
		load(g, CBPF_CODE_LD_H_ABS, g->l3 + 4);
		want_zero(g, false);
	}
}

static void
emit_ip6(struct p0f_gen *g)
{
	struct p0f_run run = {0};
	const bool ecn = has(g, P0F_Q_ECN), flow = has(g, P0F_Q_FLOW);

	gen_emit_note(g->e, "IPv6, TCP; hop limit from %u", g->s.ttl);
	p0f_want(&run, 0, 0x60, 0xf0);
	if (!ecn)
		p0f_want(&run, 1, 0, IP_ECN << 4);
	if (!flow) {
		p0f_want(&run, 1, 0, 0x0f);
		p0f_want16(&run, 2, 0, 0xffff);
	}
	p0f_want(&run, 6, 6, 0xff);
	p0f_run_emit(g, &run, g->l3, false);
	emit_ttl(g, g->l3 + 7);
	if (flow) {
		load(g, CBPF_CODE_LD_W_ABS, g->l3);
		gen_emit_op(g->e, CBPF_CODE_ALU_AND_K, 0xfffff);
		want_zero(g, false);
	}
}

/* Bits of the TCP flags that are the same in every match. */
static void
want_flags(struct p0f_gen *g, struct p0f_run *run)
{
	uint8_t flags = TCP_FLAG_SYN;
	uint8_t mask = 0x3f;

	if (g->synack)
		flags |= TCP_FLAG_ACK;
	if (has(g, P0F_Q_PUSH))
		flags |= TCP_FLAG_PSH;
	if (has(g, P0F_Q_URG))
		flags |= TCP_FLAG_URG;
	if (!has(g, P0F_Q_ECN)) {
		mask |= TCP_FLAGS_ECN;
		p0f_want(run, 12, 0, TCP_NS);
	}
	p0f_want(run, 13, flags, mask);
	if (g->fixed_doff != 0)
		p0f_want(run, 12, (uint8_t)(g->fixed_doff << 2), 0xf0);
}

static void
want_tcp(struct p0f_gen *g, struct p0f_run *run)
{
	want_flags(g, run);
	if (g->s.win_type == P0F_WIN_VALUE)
		p0f_want16(run, 14, g->s.win, 0xffff);
	if (has(g, P0F_Q_ZERO_SEQ)) {
		p0f_want16(run, 4, 0, 0xffff);
		p0f_want16(run, 6, 0, 0xffff);
	}
	if (has(g, P0F_Q_ZERO_ACK)) {
		p0f_want16(run, 8, 0, 0xffff);
		p0f_want16(run, 10, 0, 0xffff);
	}
	if (!g->synack)
		p0f_want(run, 8, has(g, P0F_Q_NZ_ACK) ? 1 : 0, 1);
	if (!has(g, P0F_Q_URG) && !has(g, P0F_Q_NZ_URG))
		p0f_want16(run, 18, 0, 0xffff);
}

/* Any of the ECN bits of both headers. */
static void
emit_ecn(struct p0f_gen *g)
{
	const int found = gen_emit_label(g->e);

	gen_emit_note(g->e, "ecn: in IP or in TCP");
	load(g, CBPF_CODE_LD_H_ABS, g->l3);
	gen_emit_jump(g->e, CBPF_CODE_JSET_K, g->family == 4 ? IP_ECN : IP_ECN << 4, true, found);
	load(g, CBPF_CODE_LD_H_ABS, g->l4 + 12);
	gen_emit_jump(g->e, CBPF_CODE_JSET_K, TCP_NS << 8 | TCP_FLAGS_ECN, false, g->fail);
	gen_emit_place(g->e, found);
}

/* What in the TCP header must not be zero. */
static void
emit_non_zero(struct p0f_gen *g)
{
	if (!has(g, P0F_Q_ZERO_SEQ)) {
		load(g, CBPF_CODE_LD_W_ABS, g->l4 + 4);
		want_zero(g, false);
	}
	if (g->synack && !has(g, P0F_Q_ZERO_ACK)) {
		load(g, CBPF_CODE_LD_W_ABS, g->l4 + 8);
		want_zero(g, false);
	}
	if (has(g, P0F_Q_NZ_URG)) {
		load(g, CBPF_CODE_LD_H_ABS, g->l4 + 18);
		want_zero(g, false);
	}
}

/* The IP id is made of the sequence number and the timestamp, whose low half M[LINUX] is. */
static void
emit_linux(struct p0f_gen *g)
{
	if (!has(g, P0F_Q_LINUX))
		return;
	gen_emit_note(g->e, "linux: id == (seq ^ ts) & 0xffff");
	load(g, CBPF_CODE_LD_H_ABS, g->l4 + 6);
	gen_emit_op(g->e, CBPF_CODE_LDX_MEM, P0F_M_LINUX);
	gen_emit_op(g->e, CBPF_CODE_ALU_XOR_X, 0);
	gen_emit_op(g->e, CBPF_CODE_TAX, 0);
	load(g, CBPF_CODE_LD_H_ABS, g->l3 + 4);
	gen_emit_jump(g->e, CBPF_CODE_JEQ_X, 0, false, g->fail);
}

/* M[END] = where the TCP header ends, at least 20 bytes behind its start. */
static void
emit_end(struct p0f_gen *g)
{
	if (g->fixed_doff != 0)
		return;
	load(g, CBPF_CODE_LD_B_ABS, g->l4 + 12);
	gen_emit_op(g->e, CBPF_CODE_ALU_AND_K, 0xf0);
	gen_emit_op(g->e, CBPF_CODE_ALU_RSH_K, 2);
	gen_emit_jump(g->e, CBPF_CODE_JGE_K, 20, false, g->fail);
	gen_emit_op(g->e, CBPF_CODE_ALU_ADD_K, g->l4);
	gen_emit_op(g->e, CBPF_CODE_ST, P0F_M_END);
}

/*
 * The payload class, by the length in the IP header: padding does not count.
 * Any class: the TCP header must still fit.
 */
static void
emit_payload(struct p0f_gen *g)
{
	static const struct {
		uint16_t k, x;
		bool when;
	} tests[] = {
		{CBPF_CODE_JGE_K, CBPF_CODE_JGE_X, false},
		{CBPF_CODE_JEQ_K, CBPF_CODE_JEQ_X, false},
		{CBPF_CODE_JGT_K, CBPF_CODE_JGT_X, false},
	};
	const size_t i = (size_t)(g->s.payload + 1);
	/* Where the IP header's length starts to count. */
	const uint32_t origin = g->family == 4 ? g->l3 : g->l3 + 40;

	gen_emit_note(g->e, "payload: %s",
		g->s.payload < 0            ? "any"
			: g->s.payload == 0 ? "none"
					    : "some");
	load(g, CBPF_CODE_LD_H_ABS, g->l3 + (g->family == 4 ? 2 : 4));
	if (g->fixed_doff != 0) {
		gen_emit_jump(
			g->e, tests[i].k, g->l4 - origin + g->fixed_doff, tests[i].when, g->fail);
		return;
	}
	if (origin != 0)
		gen_emit_op(g->e, CBPF_CODE_ALU_ADD_K, origin);
	gen_emit_op(g->e, CBPF_CODE_LDX_MEM, P0F_M_END);
	gen_emit_jump(g->e, tests[i].x, 0, tests[i].when, g->fail);
}

/*
 * "bad" has two causes: a length byte that is wrong, or a last option that does
 * not fit, whose contents p0f has then not read. Each that can be is tried, the
 * latter first: it reads less, and a load behind the end of the frame would end
 * the program.
 */
static int
emit_bad(struct p0f_gen *g, struct diag *diag)
{
	struct p0f_gen whole = *g, cut = *g;
	struct p0f_run run = {0};
	const int match = gen_emit_label(g->e);
	const uint8_t last = g->s.n_opts > 0 ? g->s.opts[g->s.n_opts - 1] : 1;
	const bool can_whole =
		p0f_opts_check(&whole, diag) == 0 && p0f_win_check(&whole, diag) == 0;
	bool can_cut = p0f_opt_can_be_cut(last);

	if (can_cut) {
		cut.s.n_opts--;
		can_cut = p0f_opts_check(&cut, diag) == 0 && p0f_win_check(&cut, diag) == 0;
	}
	if (!can_whole && !can_cut)
		return diag != NULL && diag->msg[0] != '\0'
			? -EINVAL
			: diag_fail(diag, -EINVAL, "expected options that can be bad");
	if (can_cut) {
		cut.fail = can_whole ? gen_emit_label(g->e) : g->fail;
		p0f_opts_emit(&cut, &run, last);
		p0f_win_emit(&cut);
		if (can_whole) {
			gen_emit_jump(g->e, CBPF_CODE_JA, 0, true, match);
			gen_emit_place(g->e, cut.fail);
		}
	}
	if (can_whole) {
		p0f_opts_emit(&whole, &run, P0F_WHOLE);
		p0f_win_emit(&whole);
	}
	gen_emit_place(g->e, match);
	return 0;
}

static int
emit_signature(struct p0f_gen *g, struct diag *diag)
{
	struct p0f_run run = {0};
	int r;

	r = check_quirks(g, diag);
	if (r == 0 && !has(g, P0F_Q_BAD)) {
		r = p0f_opts_check(g, diag);
		if (r == 0)
			r = p0f_win_check(g, diag);
	}
	if (r < 0)
		return r;

	if (g->family == 4)
		emit_ip4(g);
	else
		emit_ip6(g);
	gen_emit_note(g->e, "TCP flags, fixed values and options");
	want_tcp(g, &run);
	if (g->fixed_doff == 0)
		p0f_run_emit(g, &run, g->l4, false);
	emit_end(g);
	if (has(g, P0F_Q_BAD)) {
		r = emit_bad(g, diag);
	} else {
		p0f_opts_emit(g, &run, P0F_WHOLE);
		p0f_win_emit(g);
	}
	emit_payload(g);
	if (has(g, P0F_Q_ECN))
		emit_ecn(g);
	emit_non_zero(g);
	emit_linux(g);
	return r;
}

/* Read the options; the one argument is the signature. */
static int
read_args(int argc, const char *const *argv, bool *ret_synack, const char **ret_text,
	struct diag *diag)
{
	bool synack = false;
	int i = 0;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strcmp(argv[i], "--synack") != 0)
			return diag_fail(diag, -EINVAL,
				"p0f has no option '%.60s'; it has --synack", argv[i]);
		synack = true;
	}
	if (argc - i != 1)
		return diag_fail(diag, -EINVAL, "p0f needs one signature, got %d words", argc - i);
	*ret_synack = synack;
	*ret_text = argv[i];
	return 0;
}

static int
p0f_run(const struct gen_opts *opts, int argc, const char *const *argv, struct gen_out *ret_out,
	struct diag *diag)
{
	struct gen_emit e = GEN_EMIT_INIT;
	struct p0f_gen g = {.e = &e, .family = opts->family, .l3 = opts->l3_off};
	const char *text = NULL;
	int r;

	r = read_args(argc, argv, &g.synack, &text, diag);
	if (r == 0)
		r = p0f_sig_parse(text, &g.s, diag);
	if (r < 0)
		return r;
	if (g.s.ver != 0 && g.s.ver != opts->family)
		return diag_fail_at(diag, -EAFNOSUPPORT, 0, 1,
			"the p0f signature is for IPv%u, expected one for IPv%u", g.s.ver,
			opts->family);
	/* What one family cannot have is ignored there, as p0f does. */
	g.s.quirks &= opts->family == 4 ? ~(uint32_t)P0F_Q_FLOW
					: ~(uint32_t)(P0F_Q_DF | P0F_Q_NZ_ID | P0F_Q_ZERO_ID);
	if (opts->family == 6 && g.s.olen != 0)
		return diag_fail(diag, -EAFNOSUPPORT,
			"the p0f signature has IPv4 options, which IPv6 has not");
	g.l4 = g.l3 + (opts->family == 4 ? 20u + g.s.olen : 40u);
	g.fail = gen_emit_label(&e);

	gen_emit_note(&e, "p0f %s%.200s", g.synack ? "--synack " : "", text);
	r = emit_signature(&g, diag);
	if (r == 0) {
		gen_emit_ends(&e, opts, true, g.fail);
		r = gen_emit_done(&e, ret_out, diag);
	}
	if (r == 0)
		ret_out->scope = (struct gen_scope){.proto = 6, .no_later_fragments = true};
	gen_emit_fini(&e);
	return r;
}

const struct gen_type gen_p0f = {
	.name = "p0f",
	.help = "Match SYNs of a TCP stack by its p0f 3 signature.",
	.usage =
		"p0f [--synack] SIGNATURE\n"
		"\n"
		"  --synack  match SYN+ACKs instead of SYNs\n"
		"\n"
		"SIGNATURE is ver:ittl:olen:mss:wsize,scale:olayout:quirks:pclass as p0f writes\n"
		"it (raw_sig) and as /etc/p0f/p0f.fp lists it. What p0f itself would call an exact\n"
		"match matches; its fuzzy matches do not. The quirk linux is bpftools': an IP id\n"
		"that is the low half of the sequence number XOR the timestamp.\n"
		"Scope: TCP, no later fragments.\n",
	.run = p0f_run,
};
