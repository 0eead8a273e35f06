// SPDX-License-Identifier: BSD-3-Clause
/*
 * The options of a TCP header, as parse_packet() in p0f's process.c walks them:
 * kinds in the layout's order, each of its known length, the last one ending
 * with the header. Masked equalities gather in a run; what needs arithmetic is
 * tested behind it, while the run's base still holds.
 */
#include <errno.h>

#include "base/diag.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "p0f_gen.h"

#define TCP_HEADER 20 /* bytes without options */
#define TCP_HEADER_MAX 60
#define WSCALE_MAX 14 /* RFC 7323; above it is "exws" */

enum { OPT_EOL, OPT_NOP, OPT_MSS, OPT_WS, OPT_SOK, OPT_SACK, OPT_TS = 8 };

/* Bytes of an option with its kind, 0 where the packet says. */
static uint32_t
option_size(uint8_t kind)
{
	static const uint8_t sizes[] = {
		[OPT_EOL] = 1,
		[OPT_NOP] = 1,
		[OPT_MSS] = 4,
		[OPT_WS] = 3,
		[OPT_SOK] = 2,
		[OPT_TS] = 10,
	};

	return kind < DIM(sizes) ? sizes[kind] : 0;
}

/* The lengths that p0f believes of an option of variable length. */
static void
option_bounds(uint8_t kind, uint32_t *ret_min, uint32_t *ret_max)
{
	*ret_min = kind == OPT_SACK ? 10 : 2;
	*ret_max = kind == OPT_SACK ? 34 : 40;
}

bool
p0f_opt_can_be_cut(uint8_t kind)
{
	return option_size(kind) != 1;
}

unsigned int
p0f_opts_count(const struct p0f_sig *s, uint8_t kind)
{
	unsigned int n = 0;

	for (size_t i = 0; i < s->n_opts; i++)
		n += s->opts[i] == kind;
	return n;
}

static bool
is_last_of_kind(const struct p0f_sig *s, size_t i)
{
	for (size_t j = i + 1; j < s->n_opts; j++)
		if (s->opts[j] == s->opts[i])
			return false;
	return true;
}

static bool
is_first_of_kind(const struct p0f_sig *s, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (s->opts[j] == s->opts[i])
			return false;
	return true;
}

static int
check_contents(const struct p0f_gen *g, struct diag *diag)
{
	const struct p0f_sig *s = &g->s;
	const bool eol = s->n_opts > 0 && s->opts[s->n_opts - 1] == OPT_EOL;
	const unsigned int n_ws = p0f_opts_count(s, OPT_WS);
	const struct {
		bool bad;
		const char *why;
	} checks[] = {
		{s->mss > 0 && p0f_opts_count(s, OPT_MSS) == 0, "an MSS needs the option mss"},
		{s->wscale > 0 && n_ws == 0, "a window scale needs the option ws"},
		{(s->quirks & (P0F_Q_ZERO_TS1 | P0F_Q_NZ_TS2)) != 0 &&
				p0f_opts_count(s, OPT_TS) == 0,
			"ts1- and ts2+ need the option ts"},
		{(s->quirks & P0F_Q_LINUX) != 0 && p0f_opts_count(s, OPT_TS) == 0,
			"linux needs the option ts"},
		{(s->quirks & P0F_Q_NZ_TS2) != 0 && g->synack, "ts2+ is only said of a SYN"},
		{(s->quirks & P0F_Q_EXWS) != 0 &&
				(n_ws == 0 ||
					(n_ws == 1 && s->wscale >= 0 && s->wscale <= WSCALE_MAX)),
			"exws needs the option ws with a scale over 14 or *"},
		{(s->quirks & P0F_Q_EXWS) == 0 && s->wscale > WSCALE_MAX,
			"a window scale over 14 needs the quirk exws"},
		{(s->quirks & P0F_Q_EOL_NZ) != 0 && (!eol || s->eol_pad < 2),
			"opt+ needs eol+N with N of 2 or more"},
	};

	for (size_t i = 0; i < DIM(checks); i++)
		if (checks[i].bad)
			return diag_fail(diag, -EINVAL,
				"expected a p0f signature that a segment can have: %s",
				checks[i].why);
	return 0;
}

int
p0f_opts_check(struct p0f_gen *g, struct diag *diag)
{
	uint32_t bytes = TCP_HEADER + g->s.eol_pad;
	bool varies = (g->s.quirks & P0F_Q_BAD) != 0;

	for (size_t i = 0; i < g->s.n_opts; i++) {
		uint32_t size = option_size(g->s.opts[i]);
		uint32_t max;

		if (g->s.opts[i] == OPT_EOL && i + 1 < g->s.n_opts)
			return diag_fail(diag, -EINVAL, "expected eol to be the last option");
		varies |= size == 0;
		if (size == 0)
			option_bounds(g->s.opts[i], &size, &max);
		bytes += size;
	}
	if ((!varies && bytes % 4 != 0) ||
		(bytes > TCP_HEADER_MAX && (g->s.quirks & P0F_Q_BAD) == 0))
		return diag_fail(diag, -EINVAL,
			"expected TCP options that fill a header of at most 60 bytes in words of 4, got %u bytes",
			bytes - TCP_HEADER);
	g->fixed_doff = varies ? 0 : bytes;
	return check_contents(g, diag);
}

/* The walk over the options: @pos counts from @base, or from X + @base behind a variable option. */
struct walk {
	struct p0f_gen *g;
	struct p0f_run *run;
	uint32_t base, pos;
	bool indirect;
	struct {
		size_t option; /* place in the layout */
		uint32_t pos;
	} later[P0F_OPTS_MAX];
	size_t n_later;
};

static bool
quirk(const struct walk *w, uint32_t bit)
{
	return (w->g->s.quirks & bit) != 0;
}

static void
load(struct walk *w, uint16_t abs, uint16_t ind, uint32_t pos)
{
	gen_emit_op(w->g->e, w->indirect ? ind : abs, w->base + pos);
}

static void
load_byte(struct walk *w, uint32_t pos)
{
	load(w, CBPF_CODE_LD_B_ABS, CBPF_CODE_LD_B_IND, pos);
}

static void
load_word(struct walk *w, uint32_t pos)
{
	load(w, CBPF_CODE_LD_W_ABS, CBPF_CODE_LD_W_IND, pos);
}

static void
store_const(struct walk *w, uint32_t word, uint32_t k)
{
	gen_emit_op(w->g->e, CBPF_CODE_LD_IMM, k);
	gen_emit_op(w->g->e, CBPF_CODE_ST, word);
}

static void
want_zeros(struct walk *w, uint32_t pos, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		p0f_want(w->run, pos + i, 0, 0xff);
}

/* Quirks that any one of several options may cause, and their word behind P0F_M_SEEN. */
static const struct shared_quirk {
	uint32_t bit;
	uint8_t kind;
} shared_quirks[] = {
	{P0F_Q_ZERO_TS1, OPT_TS},
	{P0F_Q_NZ_TS2, OPT_TS},
	{P0F_Q_EXWS, OPT_WS},
};

static bool
is_shared(const struct walk *w, size_t i)
{
	return quirk(w, shared_quirks[i].bit) &&
		p0f_opts_count(&w->g->s, shared_quirks[i].kind) > 1;
}

static void
shared_begin(struct walk *w)
{
	for (size_t i = 0; i < DIM(shared_quirks); i++)
		if (is_shared(w, i))
			store_const(w, P0F_M_SEEN + (uint32_t)i, 0);
	if (quirk(w, P0F_Q_BAD))
		store_const(w, P0F_M_BAD, 0);
}

static void
shared_end(struct walk *w)
{
	for (size_t i = 0; i < DIM(shared_quirks); i++) {
		if (!is_shared(w, i))
			continue;
		gen_emit_op(w->g->e, CBPF_CODE_LD_MEM, P0F_M_SEEN + (uint32_t)i);
		gen_emit_jump(w->g->e, CBPF_CODE_JEQ_K, 0, true, w->g->fail);
	}
}

/*
 * A holds what shared quirk @i looks at; the quirk is there when the test comes
 * out as @when. Fail when the signature says otherwise.
 */
static void
test_quirk(struct walk *w, size_t i, uint16_t code, uint32_t k, bool when)
{
	int no;

	if (!quirk(w, shared_quirks[i].bit)) {
		gen_emit_jump(w->g->e, code, k, when, w->g->fail);
		return;
	}
	if (!is_shared(w, i)) {
		gen_emit_jump(w->g->e, code, k, !when, w->g->fail);
		return;
	}
	no = gen_emit_label(w->g->e);
	gen_emit_jump(w->g->e, code, k, !when, no);
	store_const(w, P0F_M_SEEN + (uint32_t)i, 1);
	gen_emit_place(w->g->e, no);
}

static void
later_mss(struct walk *w, size_t option, uint32_t pos)
{
	if (!p0f_win_needs_mss(w->g) || !is_last_of_kind(&w->g->s, option))
		return;
	load(w, CBPF_CODE_LD_H_ABS, CBPF_CODE_LD_H_IND, pos + 2);
	gen_emit_op(w->g->e, CBPF_CODE_ST, P0F_M_MSS);
}

static void
later_ws(struct walk *w, size_t option, uint32_t pos)
{
	const bool known = w->g->s.wscale >= 0 && is_last_of_kind(&w->g->s, option);

	if (known && w->g->s.wscale <= WSCALE_MAX)
		return; /* can neither cause exws nor break its absence */
	load_byte(w, pos + 2);
	test_quirk(w, 2, CBPF_CODE_JGT_K, WSCALE_MAX, true);
}

static void
later_ts(struct walk *w, size_t option, uint32_t pos)
{
	if (quirk(w, P0F_Q_LINUX) && is_first_of_kind(&w->g->s, option)) {
		load(w, CBPF_CODE_LD_H_ABS, CBPF_CODE_LD_H_IND, pos + 4);
		gen_emit_op(w->g->e, CBPF_CODE_ST, P0F_M_LINUX);
	}
	load_word(w, pos + 2);
	if (p0f_win_needs_ts1(w->g) && is_last_of_kind(&w->g->s, option))
		gen_emit_op(w->g->e, CBPF_CODE_ST, P0F_M_TS1);
	test_quirk(w, 0, CBPF_CODE_JEQ_K, 0, true);
	if (!w->g->synack) {
		load_word(w, pos + 6);
		test_quirk(w, 1, CBPF_CODE_JEQ_K, 0, false);
	}
}

/*
 * Non-zero padding: p0f does not see it in the last byte, where its loop ends
 * either way.
 */
static void
later_eol(struct walk *w, uint32_t pos)
{
	const int found = gen_emit_label(w->g->e);

	if (!quirk(w, P0F_Q_EOL_NZ))
		return;
	for (uint32_t i = 1; i < w->g->s.eol_pad; i++) {
		load_byte(w, pos + i);
		gen_emit_jump(w->g->e, CBPF_CODE_JEQ_K, 0, false, found);
	}
	gen_emit_jump(w->g->e, CBPF_CODE_JA, 0, true, w->g->fail);
	gen_emit_place(w->g->e, found);
}

/* Note a wrong length byte; p0f steps over the usual length all the same. */
static void
later_length(struct walk *w, uint32_t pos, uint32_t size)
{
	const int right = gen_emit_label(w->g->e);

	load_byte(w, pos + 1);
	gen_emit_jump(w->g->e, CBPF_CODE_JEQ_K, size, true, right);
	store_const(w, P0F_M_BAD, 1);
	gen_emit_place(w->g->e, right);
}

/* Test what has gathered, then what needs arithmetic, while the base holds. */
static void
flush(struct walk *w)
{
	const struct p0f_sig *s = &w->g->s;

	p0f_run_emit(w->g, w->run, w->base, w->indirect);
	for (size_t i = 0; i < w->n_later; i++) {
		const size_t option = w->later[i].option;
		const uint32_t size = option_size(s->opts[option]);

		if (quirk(w, P0F_Q_BAD) && size > 1)
			later_length(w, w->later[i].pos, size);
		switch (s->opts[option]) {
		case OPT_MSS: later_mss(w, option, w->later[i].pos); break;
		case OPT_WS: later_ws(w, option, w->later[i].pos); break;
		case OPT_TS: later_ts(w, option, w->later[i].pos); break;
		case OPT_EOL: later_eol(w, w->later[i].pos); break;
		default: break;
		}
	}
	w->n_later = 0;
}

/* Gather the equalities of option @i. */
static void
gather(struct walk *w, size_t i)
{
	const struct p0f_sig *s = &w->g->s;
	const uint8_t kind = s->opts[i];
	const uint32_t size = option_size(kind);

	p0f_want(w->run, w->pos, kind, 0xff);
	if (size > 1 && !quirk(w, P0F_Q_BAD))
		p0f_want(w->run, w->pos + 1, (uint8_t)size, 0xff);
	if (kind == OPT_MSS && s->mss >= 0 && is_last_of_kind(s, i))
		p0f_want16(w->run, w->pos + 2, (uint16_t)s->mss, 0xffff);
	if (kind == OPT_WS && s->wscale >= 0 && is_last_of_kind(s, i))
		p0f_want(w->run, w->pos + 2, (uint8_t)s->wscale, 0xff);
	if (kind == OPT_EOL && !quirk(w, P0F_Q_EOL_NZ) && s->eol_pad > 1)
		want_zeros(w, w->pos + 1, s->eol_pad - 1u);
	w->later[w->n_later].option = i;
	w->later[w->n_later++].pos = w->pos;
}

/* Step over option @i, whose length the packet says: X = where it ends. */
static void
step_variable(struct walk *w, size_t i)
{
	uint32_t min, max;

	option_bounds(w->g->s.opts[i], &min, &max);
	flush(w);
	load_byte(w, w->pos + 1);
	gen_emit_jump(w->g->e, CBPF_CODE_JGE_K, min, false, w->g->fail);
	gen_emit_jump(w->g->e, CBPF_CODE_JGT_K, max, true, w->g->fail);
	gen_emit_op(w->g->e, CBPF_CODE_ALU_ADD_K, w->base + w->pos);
	if (w->indirect)
		gen_emit_op(w->g->e, CBPF_CODE_ALU_ADD_X, 0);
	gen_emit_op(w->g->e, CBPF_CODE_TAX, 0);
	w->indirect = true;
	w->base = 0;
	w->pos = 0;
}

/* X = the offset in the packet of @pos + @add. */
static void
pos_to_x(struct walk *w, uint32_t add)
{
	if (w->indirect) {
		gen_emit_op(w->g->e, CBPF_CODE_TXA, 0);
		gen_emit_op(w->g->e, CBPF_CODE_ALU_ADD_K, w->base + w->pos + add);
		gen_emit_op(w->g->e, CBPF_CODE_TAX, 0);
	} else {
		gen_emit_op(w->g->e, CBPF_CODE_LDX_IMM, w->base + w->pos + add);
	}
	w->indirect = true;
	w->base = 0;
	w->pos = 0;
}

/* All options fit: the header ends here (or the layout ends where p0f stops looking). */
static void
emit_whole_end(struct walk *w)
{
	const bool bad = quirk(w, P0F_Q_BAD);
	const int match = gen_emit_label(w->g->e);

	shared_end(w);
	if (w->g->fixed_doff != 0)
		return; /* the data offset was tested as a constant */
	pos_to_x(w, w->g->s.eol_pad);
	gen_emit_op(w->g->e, CBPF_CODE_LD_MEM, P0F_M_END);
	if (bad && w->g->s.n_opts == P0F_OPTS_MAX)
		gen_emit_jump(w->g->e, CBPF_CODE_JGT_X, 0, true, match);
	gen_emit_jump(w->g->e, CBPF_CODE_JEQ_X, 0, false, w->g->fail);
	if (bad) {
		gen_emit_op(w->g->e, CBPF_CODE_LD_MEM, P0F_M_BAD);
		gen_emit_jump(w->g->e, CBPF_CODE_JEQ_K, 0, true, w->g->fail);
	}
	gen_emit_place(w->g->e, match);
}

/* One more option begins in the header and does not fit into it. */
static void
emit_cut_end(struct walk *w, uint8_t kind)
{
	const uint32_t size = option_size(kind);
	const int match = gen_emit_label(w->g->e);
	uint32_t min, max;

	shared_end(w);
	pos_to_x(w, 0);
	gen_emit_op(w->g->e, CBPF_CODE_LD_MEM, P0F_M_END);
	gen_emit_jump(w->g->e, CBPF_CODE_JGT_X, 0, false, w->g->fail);
	gen_emit_op(w->g->e, CBPF_CODE_LD_B_IND, 0);
	gen_emit_jump(w->g->e, CBPF_CODE_JEQ_K, kind, false, w->g->fail);
	gen_emit_op(w->g->e, CBPF_CODE_LD_MEM, P0F_M_END);
	gen_emit_op(w->g->e, CBPF_CODE_ALU_SUB_X, 0);
	if (size != 0) {
		gen_emit_jump(w->g->e, CBPF_CODE_JGE_K, size, true, w->g->fail);
		gen_emit_place(w->g->e, match);
		return;
	}
	option_bounds(kind, &min, &max);
	gen_emit_jump(w->g->e, CBPF_CODE_JEQ_K, 1, true, match);
	gen_emit_op(w->g->e, CBPF_CODE_ST, P0F_M_BAD);
	gen_emit_op(w->g->e, CBPF_CODE_LD_B_IND, 1);
	gen_emit_jump(w->g->e, CBPF_CODE_JGE_K, min, false, match);
	gen_emit_jump(w->g->e, CBPF_CODE_JGT_K, max, true, match);
	gen_emit_op(w->g->e, CBPF_CODE_LDX_MEM, P0F_M_BAD);
	gen_emit_jump(w->g->e, CBPF_CODE_JGT_X, 0, false, w->g->fail);
	gen_emit_place(w->g->e, match);
}

void
p0f_opts_emit(struct p0f_gen *g, struct p0f_run *header, int cut)
{
	struct walk w = {.g = g, .run = header, .base = g->l4, .pos = TCP_HEADER};

	shared_begin(&w);
	for (size_t i = 0; i < g->s.n_opts; i++) {
		if (w.pos > P0F_RUN_MAX - 16) {
			/* More than a TCP header holds; only "bad" ones come here. */
			gen_emit_jump(g->e, CBPF_CODE_JA, 0, true, g->fail);
			return;
		}
		if (option_size(g->s.opts[i]) == 0) {
			p0f_want(w.run, w.pos, g->s.opts[i], 0xff);
			step_variable(&w, i);
		} else {
			gather(&w, i);
			w.pos += option_size(g->s.opts[i]);
		}
	}
	flush(&w);
	if (cut == P0F_WHOLE)
		emit_whole_end(&w);
	else
		emit_cut_end(&w, (uint8_t)cut);
}
