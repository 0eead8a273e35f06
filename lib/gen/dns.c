// SPDX-License-Identifier: BSD-3-Clause
/*
 * DNS queries by the name they ask for. The shape is that of bpftools: X walks
 * the first question, runs of bytes are compared word by word, a wildcard label
 * is skipped by its length. A name is compared as it stands, so a compressed or
 * cut name does not match.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "dns_pattern.h"
#include "dns_qtype.h"
#include "emit.h"
#include "gen_priv.h"
#include "pkt/proto.h"

#define UDP_HEADER 8
#define TCP_LENGTH 2 /* bytes before a message, RFC 1035 section 4.2.2 */
#define TCP_DOFF 12 /* where TCP says how long its header is */
#define DNS_HEADER 12

#define M_NAME 0 /* M[0]: where the first question's name starts */
#define M_LABEL 1 /* M[1]: the label that "**" has come to */

#define PATTERNS_MAX 1024

struct query {
	bool ignore_case, tcp;
	struct dns_qtypes types;
};

/* Load size, instruction and number of bytes for what is left of a run. */
static const struct {
	uint16_t code;
	uint8_t bytes;
} loads[] = {
	{CBPF_CODE_LD_W_IND, 4},
	{CBPF_CODE_LD_H_IND, 2},
	{CBPF_CODE_LD_B_IND, 1},
};

static uint32_t
be_number(const uint8_t *s, size_t n)
{
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | s[i];
	return v;
}

static void
note_bytes(struct gen_emit *e, const uint8_t *val, size_t n)
{
	char text[4 * (DNS_NAME_MAX + 1) + 1];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		static const char hex[] = "0123456789abcdef";
		const bool plain = val[i] > ' ' && val[i] < 0x7f && val[i] != '\\';

		if (plain) {
			text[len++] = (char)val[i];
		} else {
			text[len++] = '\\';
			text[len++] = 'x';
			text[len++] = hex[val[i] >> 4];
			text[len++] = hex[val[i] & 15];
		}
	}
	text[len] = '\0';
	gen_emit_note(e, "%zu bytes: %s", n, text);
}

/* Compare @n bytes at X; go to @fail where they differ. */
static void
emit_bytes(struct gen_emit *e, const struct dns_pattern *p, const struct dns_part *part, int fail)
{
	const uint8_t *val = p->val + part->first, *mask = p->mask + part->first;
	size_t off = 0, size = 0;

	note_bytes(e, val, part->n);
	while (off < part->n) {
		while (loads[size].bytes > part->n - off)
			size++;
		const uint32_t m = be_number(mask + off, loads[size].bytes);

		gen_emit_op(e, loads[size].code, (uint32_t)off);
		if (m != 0)
			gen_emit_op(e, CBPF_CODE_ALU_OR_K, m);
		gen_emit_jump(
			e, CBPF_CODE_JEQ_K, be_number(val + off, loads[size].bytes), false, fail);
		off += loads[size].bytes;
	}
}

/* X += @n */
static void
emit_skip(struct gen_emit *e, uint32_t n)
{
	gen_emit_op(e, CBPF_CODE_TXA, 0);
	gen_emit_op(e, CBPF_CODE_ALU_ADD_K, n);
	gen_emit_op(e, CBPF_CODE_TAX, 0);
}

/*
 * Skip one label of any bytes, if its length is right. @stops_at_root: a name
 * that has ended goes to @fail, see stars_stop().
 */
static void
emit_star(struct gen_emit *e, const struct dns_part *part, bool stops_at_root, int fail)
{
	const bool asks = part->min > 0 || part->max < UINT8_MAX;

	if (asks)
		gen_emit_note(e, "one label of %u to %u bytes", part->min, part->max);
	else
		gen_emit_note(e, "one label");
	gen_emit_op(e, CBPF_CODE_LD_B_IND, 0);
	if (part->min == part->max) {
		gen_emit_jump(e, CBPF_CODE_JEQ_K, part->min, false, fail);
	} else {
		if (part->min > 0)
			gen_emit_jump(e, CBPF_CODE_JGE_K, part->min, false, fail);
		else if (stops_at_root)
			gen_emit_jump(e, CBPF_CODE_JEQ_K, 0, true, fail);
		if (part->max < UINT8_MAX)
			gen_emit_jump(e, CBPF_CODE_JGT_K, part->max, true, fail);
	}
	gen_emit_op(e, CBPF_CODE_ALU_ADD_X, 0);
	gen_emit_op(e, CBPF_CODE_ALU_ADD_K, 1);
	gen_emit_op(e, CBPF_CODE_TAX, 0);
}

/*
 * In bpftools' shape a star steps over the end of the name, too. One such step
 * leaves a word to be read in any well-formed query (type and class); a second
 * may lead out of the packet, where the program ends and the patterns behind
 * this one are never asked. So a pattern with several stars and another pattern
 * behind it stops where the name does, which costs an instruction a star.
 */
static bool
stars_stop(const struct dns_pattern *p, bool is_last)
{
	int n_stars = 0;

	for (size_t i = 0; i < p->n_parts; i++)
		n_stars += p->parts[i].kind == DNS_STAR;
	return n_stars > 1 && !is_last;
}

/* The type at X + @off, behind the name, is one of those that are asked for. */
static void
emit_types(struct gen_emit *e, const struct dns_qtypes *types, uint32_t off, int fail)
{
	const int yes = gen_emit_label(e);

	if (types->n == 0)
		return;
	gen_emit_note(e, "the question's type");
	gen_emit_op(e, CBPF_CODE_LD_H_IND, off);
	for (size_t i = 0; i + 1 < types->n; i++)
		gen_emit_jump(e, CBPF_CODE_JEQ_K, types->v[i], true, yes);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, types->v[types->n - 1], false, fail);
	gen_emit_place(e, yes);
}

/* The parts from @first on, X at their first byte, and the type behind them. */
static void
emit_parts(struct gen_emit *e, const struct dns_pattern *p, const struct dns_qtypes *types,
	size_t first, bool stops, int fail)
{
	for (size_t i = first; i < p->n_parts; i++) {
		switch (p->parts[i].kind) {
		case DNS_BYTES:
			emit_bytes(e, p, &p->parts[i], fail);
			if (i + 1 < p->n_parts)
				emit_skip(e, p->parts[i].n);
			break;
		case DNS_STAR: emit_star(e, &p->parts[i], stops, fail); break;
		case DNS_MANY: break; /* only the first part, emit_many()'s */
		}
	}
	/* A name that ends has the root in its last part, so X is at that part. */
	if (types->n > 0)
		emit_types(e, types, p->parts[p->n_parts - 1].n, fail);
}

/* True when the parts from 1 on move X. */
static bool
rest_moves_x(const struct dns_pattern *p)
{
	return p->n_parts > 2 || (p->n_parts == 2 && p->parts[1].kind == DNS_STAR);
}

/*
 * "**." and what follows it. There are no loops in classic BPF, so the rest is
 * tried behind the first label, behind the second, and so on as often as a name
 * has room for:
 *
 *	ldb [x + 0]		; 1..63, else the name has ended
 *	sub #1
 *	jgt #62, no
 *	add x
 *	add #2
 *	tax
 *	...			; the rest, else on with the next label
 *	ret #65535
 *	no: ja fail
 *
 * @fail must be placed next, since the last one falls through to it.
 */
static void
emit_many(struct gen_emit *e, const struct dns_pattern *p, const struct dns_qtypes *types,
	uint32_t ret, bool stops, int fail)
{
	const bool saves = rest_moves_x(p);
	const int depths = p->n_parts == 1 ? 1 : (DNS_NAME_MAX - p->min_len) / 2;

	for (int i = 0; i < depths; i++) {
		const int no = gen_emit_label(e), next = gen_emit_label(e);

		gen_emit_note(e, "behind %d label%s", i + 1, i == 0 ? "" : "s");
		if (saves && i > 0)
			gen_emit_op(e, CBPF_CODE_LDX_MEM, M_LABEL);
		gen_emit_op(e, CBPF_CODE_LD_B_IND, 0);
		gen_emit_op(e, CBPF_CODE_ALU_SUB_K, 1);
		gen_emit_jump(e, CBPF_CODE_JGT_K, DNS_LABEL_MAX - 1, true, no);
		gen_emit_op(e, CBPF_CODE_ALU_ADD_X, 0);
		gen_emit_op(e, CBPF_CODE_ALU_ADD_K, 2);
		gen_emit_op(e, CBPF_CODE_TAX, 0);
		if (saves)
			gen_emit_op(e, CBPF_CODE_STX, M_LABEL);
		emit_parts(e, p, types, 1, stops, next);
		gen_emit_op(e, CBPF_CODE_RET_K, ret);
		gen_emit_place(e, no);
		gen_emit_jump(e, CBPF_CODE_JA, 0, true, fail);
		gen_emit_place(e, next);
	}
}

/* A = where the DNS header starts, behind TCP and the message's length. */
static void
emit_tcp(struct gen_emit *e, const struct gen_opts *opts)
{
	const uint32_t l4 = opts->l3_off + (opts->family == 4 ? 0 : PKT_IP6_BYTES);

	if (opts->extensions) {
		gen_emit_l4(e, opts, "TCP");
		gen_emit_op(e, CBPF_CODE_LD_B_IND, TCP_DOFF);
		gen_emit_op(e, CBPF_CODE_ALU_AND_K, 0xf0);
		gen_emit_op(e, CBPF_CODE_ALU_RSH_K, 2);
		gen_emit_op(e, CBPF_CODE_ALU_ADD_K, TCP_LENGTH + DNS_HEADER);
		gen_emit_op(e, CBPF_CODE_ALU_ADD_X, 0);
		return;
	}
	gen_emit_note(e, "%u before TCP's header, by its length, 2 of length, 12 of DNS", l4);
	if (opts->family == 4)
		gen_emit_op(e, CBPF_CODE_LDX_MSH, opts->l3_off);
	gen_emit_op(e, opts->family == 4 ? CBPF_CODE_LD_B_IND : CBPF_CODE_LD_B_ABS, l4 + TCP_DOFF);
	gen_emit_op(e, CBPF_CODE_ALU_AND_K, 0xf0);
	gen_emit_op(e, CBPF_CODE_ALU_RSH_K, 2);
	gen_emit_op(e, CBPF_CODE_ALU_ADD_K, l4 + TCP_LENGTH + DNS_HEADER);
	if (opts->family == 4)
		gen_emit_op(e, CBPF_CODE_ALU_ADD_X, 0);
}

static void
emit_udp(struct gen_emit *e, const struct gen_opts *opts)
{
	if (opts->extensions) {
		gen_emit_l4(e, opts, "UDP");
		gen_emit_op(e, CBPF_CODE_TXA, 0);
		gen_emit_op(e, CBPF_CODE_ALU_ADD_K, UDP_HEADER + DNS_HEADER);
		return;
	}
	if (opts->family == 4) {
		gen_emit_op(e, CBPF_CODE_LDX_MSH, opts->l3_off);
		gen_emit_note(e, "%u before IP, 8 of UDP, 12 of DNS", opts->l3_off);
		gen_emit_op(e, CBPF_CODE_LD_IMM, opts->l3_off + UDP_HEADER + DNS_HEADER);
		gen_emit_op(e, CBPF_CODE_ALU_ADD_X, 0);
		return;
	}
	gen_emit_note(e, "%u before IP, 40 of IPv6, 8 of UDP, 12 of DNS", opts->l3_off);
	gen_emit_op(e, CBPF_CODE_LD_IMM, opts->l3_off + PKT_IP6_BYTES + UDP_HEADER + DNS_HEADER);
}

/* X = first byte of the first question's name. */
static void
emit_start(struct gen_emit *e, const struct gen_opts *opts, bool tcp, bool several)
{
	if (tcp)
		emit_tcp(e, opts);
	else
		emit_udp(e, opts);
	gen_emit_op(e, CBPF_CODE_TAX, 0);
	gen_emit_note(e, "x is where the first question's name starts");
	if (several)
		gen_emit_op(e, CBPF_CODE_ST, M_NAME);
}

static int
emit_patterns(struct gen_emit *e, const struct gen_opts *opts, const struct query *q, int n,
	const char *const *texts, bool *ret_stops, struct diag *diag)
{
	struct dns_pattern p;
	bool stops, any_stops = false;
	int r, next;

	emit_start(e, opts, q->tcp, n > 1);
	for (int i = 0; i < n; i++) {
		r = dns_pattern_parse(texts[i], q->ignore_case, &p, diag);
		if (r < 0)
			return r;
		if (p.open_end && q->types.n > 0)
			return diag_fail_at(diag, -EINVAL, 0, (unsigned int)strlen(texts[i]),
				"'%.100s': --qtype needs a name that ends, not a trailing '**'",
				texts[i]);
		next = gen_emit_label(e);
		stops = stars_stop(&p, i + 1 == n);
		any_stops |= stops;
		gen_emit_note(e, "%.255s", texts[i]);
		if (i > 0)
			gen_emit_op(e, CBPF_CODE_LDX_MEM, M_NAME);
		if (p.parts[0].kind == DNS_MANY) {
			emit_many(e, &p, &q->types, gen_ret(opts, true), stops, next);
		} else {
			emit_parts(e, &p, &q->types, 0, stops, next);
			gen_emit_op(e, CBPF_CODE_RET_K, gen_ret(opts, true));
		}
		gen_emit_place(e, next);
	}
	gen_emit_op(e, CBPF_CODE_RET_K, gen_ret(opts, false));
	*ret_stops = any_stops;
	return 0;
}

/* Option @argv[*@i]; *@i is moved to its value. */
static int
read_option(int argc, const char *const *argv, int *i, struct query *q, struct diag *diag)
{
	static const char *const ignore_names[] = {"-i", "--ignorecase", "--ignore-case"};
	const char *word = argv[*i];

	for (size_t j = 0; j < DIM(ignore_names); j++)
		if (strcmp(word, ignore_names[j]) == 0) {
			q->ignore_case = true;
			return 0;
		}
	if (strcmp(word, "--tcp") == 0) {
		q->tcp = true;
		return 0;
	}
	if (strcmp(word, "--qtype") != 0)
		return diag_fail(diag, -EINVAL,
			"dns has no option '%.60s'; it has -i, --tcp, --qtype TYPE,…", word);
	if (*i + 1 == argc)
		return diag_fail(diag, -EINVAL, "expected types behind --qtype, as in A,AAAA");
	return dns_qtypes_parse(argv[++*i], &q->types, diag);
}

/*
 * Sort the words into options, which stand anywhere before "--", and names. @names
 * has room for @argc. Returns the number of names, -EINVAL or -E2BIG.
 */
static int
read_args(int argc, const char *const *argv, struct query *q, const char **names, struct diag *diag)
{
	bool options = true;
	int n = 0, r;

	for (int i = 0; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && argv[i][0] == '-') {
			r = read_option(argc, argv, &i, q, diag);
			if (r < 0)
				return r;
		} else {
			names[n++] = argv[i];
		}
	}
	if (n == 0)
		return diag_fail(diag, -EINVAL, "dns needs a name, as in: dns *.www.example.uk");
	if (n > PATTERNS_MAX)
		return diag_fail(diag, -E2BIG, "dns takes at most %d names", PATTERNS_MAX);
	return n;
}

static int
dns_run(const struct gen_opts *opts, int argc, const char *const *argv, struct gen_out *ret_out,
	struct diag *diag)
{
	struct gen_emit e = GEN_EMIT_INIT;
	struct query q = {.tcp = false};
	const char **names = mem_calloc((size_t)argc + 1, sizeof(*names));
	bool stops = false;
	int r;

	if (names == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	r = read_args(argc, argv, &q, names, diag);
	if (r > 0)
		r = emit_patterns(&e, opts, &q, r, names, &stops, diag);
	if (r == 0)
		r = gen_emit_done(&e, ret_out, diag);
	/* What stopping costs is to be had elsewhere: never longer than bpftools'. */
	if (r == 0 && stops)
		r = gen_fit(ret_out, 0);
	if (r == 0)
		ret_out->scope = (struct gen_scope){
			.proto = q.tcp ? 6 : 17, .dport = 53, .no_later_fragments = true};
	gen_emit_fini(&e);
	mem_free(names);
	return r;
}

const struct gen_type gen_dns = {
	.name = "dns",
	.help = "Match DNS queries by the name of their first question.",
	.usage = "dns [-i] [--tcp] [--qtype TYPE,...] NAME...\n"
		 "\n"
		 "  -i, --ignorecase  compare characters without bit 0x20\n"
		 "  --tcp             over TCP: the first message of a segment\n"
		 "  --qtype TYPE,...  only questions for these types: names, TYPE65 or numbers\n"
		 "\n"
		 "  example.com             exactly this name\n"
		 "  *.example.com           one label before it\n"
		 "  *{4-255}.example.com    one label of 4 to 255 bytes before it\n"
		 "  **.example.com          one or more labels before it\n"
		 "  exam?le.com             any one byte\n"
		 "  example.**              anything behind the label example\n"
		 "  example**               a first label that begins with example\n"
		 "  x*.example.com          a star within a label is a star\n"
		 "  %2a.example.com         a byte in hexadecimal; never a wildcard\n"
		 "\n"
		 "Dots before and behind a name are ignored. Several names make one program.\n"
		 "Scope: UDP (--tcp: TCP) to port 53, no later fragments.\n",
	.extensions = true,
	.run = dns_run,
};
