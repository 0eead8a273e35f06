// SPDX-License-Identifier: BSD-3-Clause
/*
 * SIP over UDP (RFC 3261): requests by their method, or what is no SIP at all.
 *
 * A request begins with its method and a blank. What is no SIP: the start line is
 * judged whole; behind it the lines are walked for the headers that every message
 * has. Classic BPF has no loops, so the walk is unrolled: PIECES times "find the end
 * of the line within PIECE bytes, else step over them, and at the start of a line
 * look at its name". A message that is not read to its end passes.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "emit.h"
#include "gen_priv.h"

#define UDP_HEADER 8 /* bytes; offsets below count from the UDP header */
#define PAYLOAD UDP_HEADER
#define PORT 5060

#define METHODS_MAX 32
#define METHOD_MAX 32 /* bytes, with the blank behind it */

#define LEAST 20 /* bytes of payload; shorter ones are keep-alives or nothing */
#define PIECE 32 /* bytes */
#define PIECES 14 /* for headers */
#define START_PIECES 8 /* for the start line: 256 bytes */
#define NAME_MAX 8 /* bytes of a header's name that are loaded */

#define CRLF 0x0d0a
#define STUN_COOKIE 0x2112a442 /* RFC 5389; RFC 5626 keeps bindings alive with STUN */

enum { M_END, M_SEEN };

/* Headers that every message has (RFC 3261 section 8.1.1), as bits of M[SEEN]. */
enum { VIA = 1, FROM = 2, TO = 4, CALL_ID = 8, CSEQ = 16, ALL = 31 };

/* IANA's registry of methods. */
static const char *const registered[] = {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER",
	"INFO", "MESSAGE", "NOTIFY", "PRACK", "PUBLISH", "REFER", "SUBSCRIBE", "UPDATE"};

struct method {
	char text[METHOD_MAX + 1]; /* with the blank */
	size_t n;
};

struct sip {
	struct gen_emit *e;
	struct method methods[METHODS_MAX];
	size_t n_methods;
	bool invalid, start_line;
	int hit, miss;
};

/* ---- arguments ---- */

static bool
is_token(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		(c != '\0' && strchr("-.!%*_+`'~", c) != NULL);
}

static void
add_method(struct sip *s, const char *name, size_t n)
{
	struct method *m = &s->methods[s->n_methods++];

	memcpy(m->text, name, n);
	m->text[n] = ' ';
	m->n = n + 1;
}

static int
read_methods(struct sip *s, const char *list, struct diag *diag)
{
	const char *p = list;

	for (;;) {
		const unsigned int col = (unsigned int)(p - list) + 1;
		size_t n = 0;

		while (is_token(p[n]))
			n++;
		if (n == 0 || (p[n] != ',' && p[n] != '\0'))
			return diag_fail_at(diag, -EINVAL, 0, col + (unsigned int)n,
				"expected SIP methods, as in INVITE,REGISTER, got '%.40s'", p + n);
		if (n >= METHOD_MAX)
			return diag_fail_at(diag, -EINVAL, 0, col,
				"expected a SIP method of at most %d bytes, got '%.60s'",
				METHOD_MAX - 1, p);
		if (s->n_methods == METHODS_MAX)
			return diag_fail_at(diag, -E2BIG, 0, col, "expected at most %d SIP methods",
				METHODS_MAX);
		add_method(s, p, n);
		if (p[n] == '\0')
			return 0;
		p += n + 1;
	}
}

static int
read_args(int argc, const char *const *argv, struct sip *s, struct diag *diag)
{
	int r = 0;

	for (int i = 0; i < argc && r == 0; i++) {
		if (strcmp(argv[i], "--invalid") == 0)
			s->invalid = true;
		else if (strcmp(argv[i], "--start-line") == 0)
			s->start_line = true;
		else if (strcmp(argv[i], "--method") == 0 && i + 1 < argc)
			r = read_methods(s, argv[++i], diag);
		else if (strcmp(argv[i], "--") != 0)
			return diag_fail(diag, -EINVAL,
				"sip takes --method M,…, --invalid and --start-line, got '%.60s'",
				argv[i]);
	}
	if (r == 0 && s->start_line && !s->invalid)
		return diag_fail(diag, -EINVAL, "--start-line is for --invalid");
	if (r == 0 && s->n_methods == 0)
		for (size_t i = 0; i < DIM(registered); i++)
			add_method(s, registered[i], strlen(registered[i]));
	return r;
}

/* ---- tests ---- */

static void
load(const struct sip *s, uint16_t code, uint32_t off)
{
	gen_emit_op(s->e, code, off);
}

/* Compare the bytes from @from on with @m's, which is known to be there up to them. */
static void
emit_rest(const struct sip *s, const struct method *m, size_t from, int yes, int no)
{
	static const struct {
		uint16_t code;
		uint8_t bytes;
	} loads[] = {{CBPF_CODE_LD_W_IND, 4}, {CBPF_CODE_LD_H_IND, 2}, {CBPF_CODE_LD_B_IND, 1}};

	while (from < m->n) {
		const size_t left = m->n - from;
		/* Three bytes, or two words' worth of tail: a word that overlaps. */
		const size_t i = left >= 3 && m->n >= 4 ? 0 : left >= 2 ? 1 : 2;
		const size_t at = i == 0 && left < 4 ? m->n - 4 : from;
		uint32_t v = 0;

		for (size_t j = 0; j < loads[i].bytes; j++)
			v = v << 8 | (uint8_t)m->text[at + j];
		load(s, loads[i].code, PAYLOAD + (uint32_t)at);
		from = at + loads[i].bytes;
		if (from < m->n)
			gen_emit_jump(s->e, CBPF_CODE_JEQ_K, v, false, no);
		else
			gen_emit_branch(s->e, CBPF_CODE_JEQ_K, v, yes, no);
	}
}

/*
 * Jump to @yes when the payload begins with one of the methods and a blank, to @no
 * when not. Methods are told apart by their first four bytes, then compared each:
 *
 *	ld [x + 8]
 *	jeq "INVI", a
 *	jeq "BYE ", yes
 *	ja no
 *	a: ...
 */
static void
emit_methods(const struct sip *s, int yes, int no)
{
	int at[METHODS_MAX];

	for (size_t i = 0; i < s->n_methods; i++) {
		const int next = gen_emit_label(s->e);

		if (s->methods[i].n >= 4)
			continue;
		emit_rest(s, &s->methods[i], 0, yes, next);
		gen_emit_place(s->e, next);
	}
	load(s, CBPF_CODE_LD_W_IND, PAYLOAD);
	for (size_t i = 0; i < s->n_methods; i++) {
		const struct method *m = &s->methods[i];

		at[i] = m->n == 4 ? yes : gen_emit_label(s->e);
		if (m->n >= 4)
			gen_emit_jump(s->e, CBPF_CODE_JEQ_K, load_be32(m->text), true, at[i]);
	}
	gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, no);
	for (size_t i = 0; i < s->n_methods; i++) {
		if (s->methods[i].n <= 4)
			continue;
		gen_emit_place(s->e, at[i]);
		gen_emit_note(s->e, "%s", s->methods[i].text);
		emit_rest(s, &s->methods[i], 4, yes, no);
	}
}

/* "SIP/2.0 200 ": fail at hit. X is at the UDP header, the first word was compared. */
static void
emit_status(const struct sip *s)
{
	gen_emit_note(s->e, "a response: SIP/2.0, a status from 100 to 699");
	load(s, CBPF_CODE_LD_W_IND, PAYLOAD + 4);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, load_be32("2.0 "), false, s->hit);
	for (uint32_t i = 0; i < 3; i++) {
		load(s, CBPF_CODE_LD_B_IND, PAYLOAD + 8 + i);
		gen_emit_jump(s->e, CBPF_CODE_JGE_K, i == 0 ? '1' : '0', false, s->hit);
		gen_emit_jump(s->e, CBPF_CODE_JGT_K, i == 0 ? '6' : '9', true, s->hit);
	}
	load(s, CBPF_CODE_LD_B_IND, PAYLOAD + 11);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, ' ', false, s->hit);
}

/* What may stand in the payload's place and keeps a binding alive goes to miss. */
static void
emit_keepalives(const struct sip *s)
{
	const int enough = gen_emit_label(s->e), four = gen_emit_label(s->e);
	const int other = gen_emit_label(s->e);

	gen_emit_note(s->e, "keep-alives: CRLF, CRLF CRLF, STUN");
	load(s, CBPF_CODE_LD_H_IND, 4);
	gen_emit_jump(s->e, CBPF_CODE_JGE_K, UDP_HEADER + LEAST, true, enough);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, UDP_HEADER + 4, true, four);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, UDP_HEADER + 2, false, s->hit);
	load(s, CBPF_CODE_LD_H_IND, PAYLOAD);
	gen_emit_branch(s->e, CBPF_CODE_JEQ_K, CRLF, s->miss, s->hit);
	gen_emit_place(s->e, four);
	load(s, CBPF_CODE_LD_W_IND, PAYLOAD);
	gen_emit_branch(s->e, CBPF_CODE_JEQ_K, CRLF << 16 | CRLF, s->miss, s->hit);
	gen_emit_place(s->e, enough);
	load(s, CBPF_CODE_LD_W_IND, PAYLOAD + 4);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, STUN_COOKIE, false, other);
	load(s, CBPF_CODE_LD_H_IND, PAYLOAD);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, 0x0001, true, s->miss);
	gen_emit_place(s->e, other);
}

/* ---- the walk over lines: X is where reading goes on, M[END] where the payload ends ---- */

/* X += @n */
static void
emit_step(const struct sip *s, uint32_t n)
{
	gen_emit_op(s->e, CBPF_CODE_TXA, 0);
	gen_emit_op(s->e, CBPF_CODE_ALU_ADD_K, n);
	gen_emit_op(s->e, CBPF_CODE_TAX, 0);
}

/*
 * Find the first LF in PIECE bytes: X = behind it and go on; else X = behind the
 * piece and go to @none. Too little left for a piece and a name: go to @end.
 *
 *	ldb [x + 0]	; 0..3 go to the same place, and so on
 *	jeq #10, w0
 *	...
 *	w0: ld #0
 *	w: add x
 *	tax
 *	ldb [x + 0]	; which of the four?
 *	...
 */
static void
emit_piece(const struct sip *s, int none, int end)
{
	const int word = gen_emit_label(s->e);
	int words[PIECE / 4], bytes[4];

	gen_emit_op(s->e, CBPF_CODE_LD_MEM, M_END);
	gen_emit_op(s->e, CBPF_CODE_ALU_SUB_X, 0);
	gen_emit_jump(s->e, CBPF_CODE_JGE_K, PIECE + NAME_MAX, false, end);
	for (uint32_t i = 0; i < PIECE; i++) {
		if (i % 4 == 0)
			words[i / 4] = gen_emit_label(s->e);
		load(s, CBPF_CODE_LD_B_IND, i);
		gen_emit_jump(s->e, CBPF_CODE_JEQ_K, '\n', true, words[i / 4]);
	}
	emit_step(s, PIECE);
	gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, none);
	for (uint32_t i = 0; i < PIECE / 4; i++) {
		gen_emit_place(s->e, words[i]);
		gen_emit_op(s->e, CBPF_CODE_LD_IMM, 4 * i);
		if (i + 1 < PIECE / 4)
			gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, word);
	}
	gen_emit_place(s->e, word);
	gen_emit_op(s->e, CBPF_CODE_ALU_ADD_X, 0);
	gen_emit_op(s->e, CBPF_CODE_TAX, 0);
	for (uint32_t i = 0; i < 3; i++) {
		bytes[i] = gen_emit_label(s->e);
		load(s, CBPF_CODE_LD_B_IND, i);
		gen_emit_jump(s->e, CBPF_CODE_JEQ_K, '\n', true, bytes[i]);
	}
	emit_step(s, 1);
	for (int i = 2; i >= 0; i--) {
		gen_emit_place(s->e, bytes[i]);
		emit_step(s, 1);
	}
}

/* M[SEEN] |= @bit; with all of them the message is in order. */
static void
emit_seen(const struct sip *s, int at, uint32_t bit, int set)
{
	gen_emit_place(s->e, at);
	gen_emit_op(s->e, CBPF_CODE_LD_MEM, M_SEEN);
	gen_emit_op(s->e, CBPF_CODE_ALU_OR_K, bit);
	gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, set);
}

/* A is one of two texts of @n bytes: @name with ':' and with ' ' behind it. */
static void
emit_either(const struct sip *s, const char *name, int yes)
{
	uint32_t v = 0;

	for (; *name != '\0'; name++)
		v = v << 8 | (uint8_t)*name;
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, v << 8 | ':', true, yes);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, v << 8 | ' ', true, yes);
}

/*
 * At the start of a line: note the header, in its long or its compact form. An
 * empty line ends the headers, and something is missing, or the walk would have
 * ended before.
 */
static void
emit_name(const struct sip *s)
{
	static const struct {
		uint32_t bit;
		const char *begin; /* four bytes that are told apart first, NULL: none */
		const char *rest; /* behind them */
		const char *name; /* shorter than four bytes */
		const char *compact;
	} names[] = {
		{VIA, NULL, NULL, "via", "v"},
		{FROM, "from", "", NULL, "f"},
		{TO, NULL, NULL, "to", "t"},
		{CALL_ID, "call", "-id", NULL, "i"},
		{CSEQ, "cseq", "", NULL, NULL},
	};
	const int next = gen_emit_label(s->e), set = gen_emit_label(s->e);
	int seen[DIM(names)], rest[DIM(names)];

	load(s, CBPF_CODE_LD_H_IND, 0);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, CRLF, true, s->hit);
	load(s, CBPF_CODE_LD_W_IND, 0);
	gen_emit_op(s->e, CBPF_CODE_ALU_OR_K, 0x20202020);
	for (size_t i = 0; i < DIM(names); i++) {
		seen[i] = gen_emit_label(s->e);
		rest[i] = gen_emit_label(s->e);
		if (names[i].begin != NULL)
			gen_emit_jump(
				s->e, CBPF_CODE_JEQ_K, load_be32(names[i].begin), true, rest[i]);
	}
	emit_either(s, names[0].name, seen[0]);
	gen_emit_op(s->e, CBPF_CODE_ALU_RSH_K, 8);
	emit_either(s, names[2].name, seen[2]);
	gen_emit_op(s->e, CBPF_CODE_ALU_RSH_K, 8);
	for (size_t i = 0; i < DIM(names); i++)
		if (names[i].compact != NULL)
			emit_either(s, names[i].compact, seen[i]);
	gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, next);
	for (size_t i = 0; i < DIM(names); i++) {
		if (names[i].begin == NULL)
			continue;
		gen_emit_place(s->e, rest[i]);
		load(s, names[i].rest[0] != '\0' ? CBPF_CODE_LD_W_IND : CBPF_CODE_LD_B_IND, 4);
		gen_emit_op(s->e, CBPF_CODE_ALU_OR_K, names[i].rest[0] != '\0' ? 0x20202020 : 0x20);
		emit_either(s, names[i].rest, seen[i]);
		gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, next);
	}
	for (size_t i = 0; i < DIM(names); i++)
		emit_seen(s, seen[i], names[i].bit, set);
	gen_emit_place(s->e, set);
	gen_emit_op(s->e, CBPF_CODE_ST, M_SEEN);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, ALL, true, s->miss);
	gen_emit_place(s->e, next);
}

/* X is behind the start line, which began right; a request's must end with the version. */
static void
emit_line_end(const struct sip *s, uint32_t back)
{
	const int response = gen_emit_label(s->e);

	gen_emit_op(s->e, CBPF_CODE_TXA, 0);
	gen_emit_op(s->e, CBPF_CODE_ALU_SUB_K, back);
	gen_emit_op(s->e, CBPF_CODE_TAX, 0);
	load(s, CBPF_CODE_LD_H_IND, back - 2);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, CRLF, false, s->hit);
	gen_emit_op(s->e, CBPF_CODE_LD_MEM, M_SEEN);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, 0, false, response);
	load(s, CBPF_CODE_LD_W_IND, 0);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, load_be32(" SIP"), false, s->hit);
	load(s, CBPF_CODE_LD_W_IND, 4);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, load_be32("/2.0"), false, s->hit);
	gen_emit_place(s->e, response);
	gen_emit_op(s->e, CBPF_CODE_LD_IMM, 0);
	gen_emit_op(s->e, CBPF_CODE_ST, M_SEEN);
	emit_step(s, back);
}

/* The lines of a message whose start line begins right; M[SEEN] is 0 for a request. */
static void
emit_lines(const struct sip *s)
{
	const int started = gen_emit_label(s->e), end = gen_emit_label(s->e);
	int within;

	load(s, CBPF_CODE_LD_H_IND, 4);
	gen_emit_op(s->e, CBPF_CODE_ALU_ADD_X, 0);
	gen_emit_op(s->e, CBPF_CODE_ST, M_END);
	emit_step(s, PAYLOAD);
	for (int i = 0; i < START_PIECES; i++) {
		within = gen_emit_label(s->e);
		gen_emit_note(s->e, "the start line, piece %d", i + 1);
		emit_piece(s, within, s->hit);
		gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, started);
		gen_emit_place(s->e, within);
	}
	gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, s->hit);
	gen_emit_place(s->e, started);
	emit_line_end(s, strlen(" SIP/2.0\r\n"));
	within = gen_emit_label(s->e);
	for (int i = 0; i < PIECES; i++) {
		gen_emit_note(s->e, "a line, piece %d", i + 1);
		emit_name(s);
		gen_emit_place(s->e, within);
		within = i + 1 < PIECES ? gen_emit_label(s->e) : s->miss;
		emit_piece(s, within, end);
	}
	gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, s->miss);
	gen_emit_place(s->e, end);
	gen_emit_note(s->e, "the payload ends; there is no room for two headers");
	gen_emit_op(s->e, CBPF_CODE_LD_MEM, M_SEEN);
	gen_emit_op(s->e, CBPF_CODE_ALU_XOR_K, ALL);
	gen_emit_op(s->e, CBPF_CODE_TAX, 0);
	gen_emit_op(s->e, CBPF_CODE_ALU_SUB_K, 1);
	gen_emit_op(s->e, CBPF_CODE_ALU_AND_X, 0);
	gen_emit_branch(s->e, CBPF_CODE_JEQ_K, 0, s->miss, s->hit);
}

static void
emit_invalid(const struct sip *s)
{
	const int request = gen_emit_label(s->e), begun = gen_emit_label(s->e);
	const int known = gen_emit_label(s->e);

	emit_keepalives(s);
	load(s, CBPF_CODE_LD_W_IND, PAYLOAD);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, load_be32("SIP/"), false, request);
	emit_status(s);
	if (s->start_line) {
		gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, s->miss);
		gen_emit_place(s->e, request);
		emit_methods(s, s->miss, s->hit);
		return;
	}
	gen_emit_op(s->e, CBPF_CODE_LD_IMM, 1);
	gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, begun);
	gen_emit_place(s->e, request);
	emit_methods(s, known, s->hit);
	gen_emit_place(s->e, known);
	gen_emit_op(s->e, CBPF_CODE_LD_IMM, 0);
	gen_emit_place(s->e, begun);
	gen_emit_op(s->e, CBPF_CODE_ST, M_SEEN);
	emit_lines(s);
}

static void
emit_requests(const struct sip *s)
{
	size_t least = METHOD_MAX;

	for (size_t i = 0; i < s->n_methods; i++)
		least = MIN(least, s->methods[i].n);
	gen_emit_note(s->e, "room for a method, an address and the version");
	load(s, CBPF_CODE_LD_H_IND, 4);
	gen_emit_jump(s->e, CBPF_CODE_JGE_K, UDP_HEADER + (uint32_t)least + 11, false, s->miss);
	emit_methods(s, s->hit, s->miss);
}

static int
sip_run(const struct gen_opts *opts, int argc, const char *const *argv, struct gen_out *ret_out,
	struct diag *diag)
{
	struct gen_emit e = GEN_EMIT_INIT;
	struct sip s = {.e = &e};
	int r;

	r = read_args(argc, argv, &s, diag);
	if (r < 0)
		return r;
	s.hit = gen_emit_label(&e);
	s.miss = gen_emit_label(&e);
	gen_emit_l4(&e, opts, "UDP");
	if (s.invalid)
		emit_invalid(&s);
	else
		emit_requests(&s);
	gen_emit_place(&e, s.hit);
	gen_emit_ends(&e, opts, true, s.miss);
	r = gen_emit_done(&e, ret_out, diag);
	if (r == 0)
		ret_out->scope =
			(struct gen_scope){.proto = 17, .dport = PORT, .no_later_fragments = true};
	gen_emit_fini(&e);
	return r;
}

const struct gen_type gen_sip = {
	.name = "sip",
	.help = "Match SIP requests by their method, or what is no SIP.",
	.usage =
		"sip [--method M,...] [--invalid [--start-line]]\n"
		"\n"
		"  --method M,...  the methods, as in INVITE,REGISTER; without it the registered ones\n"
		"  --invalid       match what is no SIP message instead\n"
		"  --start-line    with --invalid: look no further than where the start line begins\n"
		"\n"
		"A request begins with its method and a blank. With --invalid these match:\n"
		"\n"
		"- a payload that begins with neither one of the methods and a blank nor with\n"
		"  \"SIP/2.0 \", a status from 100 to 699 and a blank, and one under 20 bytes; but not\n"
		"  the keep-alives of RFC 5626 (CRLF, CRLF CRLF, a STUN binding request);\n"
		"- a start line that does not end within 256 bytes with CRLF, a request's with\n"
		"  \" SIP/2.0\" before it;\n"
		"- headers without Via, From, To, Call-ID or CSeq (or v, f, t, i), in either case of\n"
		"  letters: where an empty line ends them, or, two of them missing, 40 bytes before\n"
		"  the payload ends.\n"
		"\n"
		"Lines are read in 14 pieces of at most 32 bytes; what stands behind them is not\n"
		"looked at, and the message passes. Max-Forwards is not asked (RFC 3261, 16.3).\n"
		"Scope: UDP to port 5060, no later fragments.\n",
	.extensions = true,
	.run = sip_run,
};
