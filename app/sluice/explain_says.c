// SPDX-License-Identifier: BSD-3-Clause
/* What a rule says to a frame, and its first test that fails, in words. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "explain.h"
#include "rules/ruleset.h"

/* ---- the program's text ---- */

/* The word or words of @line from @from to @to, without blanks around. */
static const char *
slice(struct arena *a, const char *from, const char *to)
{
	while (from < to && strchr(" \t\r", *from) != NULL)
		from++;
	while (to > from && strchr(" \t\r", to[-1]) != NULL)
		to--;
	return arena_strndup(a, from, (size_t)(to - from));
}

static int
add_insn(struct explain_source *s, size_t max, const char *insn, const char *comment)
{
	if (insn == NULL || comment == NULL)
		return -ENOMEM;
	if (s->n == max)
		return -E2BIG;
	s->insns[s->n] = insn;
	s->comments[s->n++] = comment;
	return 0;
}

/* The instructions of @text, one a line; a comment counts for all up to the next one. */
static int
split_text(struct explain_source *s, size_t max, const char *text)
{
	const char *comment = "";
	int r = 0;

	s->n = 0;
	while (r == 0 && *text != '\0') {
		const char *end = text + strcspn(text, "\n");
		const char *semi = memchr(text, ';', (size_t)(end - text));
		const char *code = slice(&s->arena, text, semi != NULL ? semi : end);

		if (semi != NULL)
			comment = slice(&s->arena, semi + 1, end);
		if (code == NULL || comment == NULL)
			return -ENOMEM;
		if (code[0] != '\0' && code[strlen(code) - 1] != ':')
			r = add_insn(s, max, code, comment);
		text = *end == '\0' ? end : end + 1;
	}
	return r;
}

/*
 * Whether the text says what the program is: a generator's output may be
 * shortened behind its text, and a file may have several instructions a line.
 */
static bool
is_text_of(const char *text, const struct cbpf_insn *insns, size_t n)
{
	struct cbpf_insn *own = NULL;
	size_t n_own;
	bool same = cbpf_asm(text, &own, &n_own, NULL) == 0 && n_own == n &&
		memcmp(own, insns, n * sizeof(*own)) == 0;

	mem_free(own);
	return same;
}

int
explain_source_new(const struct cbpf_prog *prog, const char *text, struct explain_source *ret)
{
	struct explain_source s = {.arena = ARENA_INIT};
	struct sbuf dis = SBUF_INIT;
	const struct cbpf_insn *insns;
	int r = -E2BIG;
	size_t n;

	insns = cbpf_prog_insns(prog, &n);
	s.insns = arena_zalloc(&s.arena, n * sizeof(*s.insns));
	s.comments = arena_zalloc(&s.arena, n * sizeof(*s.comments));
	if (s.insns == NULL || s.comments == NULL)
		r = -ENOMEM;
	else if (text != NULL && is_text_of(text, insns, n))
		r = split_text(&s, n, text);
	if (r == -E2BIG || (r == 0 && s.n != n)) {
		cbpf_dis(insns, n, &dis);
		r = sbuf_ok(&dis) ? split_text(&s, n, sbuf_str(&dis)) : -ENOMEM;
		sbuf_fini(&dis);
	}
	if (r == 0)
		*ret = s;
	else
		arena_fini(&s.arena);
	return r;
}

void
explain_source_fini(struct explain_source *s)
{
	arena_fini(&s->arena);
	s->n = 0;
}

/* ---- a test of the program ---- */

static void say(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void
say(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf, size, fmt, ap);
	va_end(ap);
}

/* What jeq, jgt, jge and jset want, by bits 4 to 6 of the opcode, to hold or not to. */
static const struct {
	const char *holds, *not ;
} wants[] = {
	[1] = {"", "not "},
	[2] = {"over ", "at most "},
	[3] = {"at least ", "below "},
	[4] = {"some bit of ", "no bit of "},
};

static const char *
op_sign(enum cbpf_alu_op op)
{
	switch (op) {
	case CBPF_ALU_ADD: return "+";
	case CBPF_ALU_SUB: return "-";
	case CBPF_ALU_MUL: return "*";
	case CBPF_ALU_DIV: return "/";
	case CBPF_ALU_MOD: return "%";
	case CBPF_ALU_AND: return "&";
	case CBPF_ALU_OR: return "|";
	case CBPF_ALU_XOR: return "^";
	case CBPF_ALU_LSH: return "<<";
	case CBPF_ALU_RSH: return ">>";
	}
	return "";
}

/* Short numbers as people write them, words of a packet as they stand in it. */
static const char *
number(const struct cbpf_origin *o, bool bits, uint32_t v, char buf[40])
{
	const bool word = o->kind == CBPF_ORIGIN_LOAD && o->size == 4;

	if (word || bits)
		(void)snprintf(buf, 40, "0x%0*" PRIx32, word ? 8 : 2, v);
	else if (o->kind == CBPF_ORIGIN_LOAD)
		(void)snprintf(buf, 40, "%" PRIu32 " (0x%0*" PRIx32 ")", v, 2 * o->size, v);
	else
		(void)snprintf(buf, 40, "%" PRIu32, v);
	return buf;
}

/* "0x23666666 = 0x03666666 | 0x20202020". */
static void
say_seen(struct explain_says *s, const struct cbpf_step *step, bool bits)
{
	const struct cbpf_origin *o = &step->origin;
	char text[40];
	size_t len = 0;

	say(s->seen, sizeof(s->seen), "%s", number(o, bits, step->a, text));
	if (o->kind != CBPF_ORIGIN_LOAD && o->kind != CBPF_ORIGIN_LEN)
		return;
	for (size_t i = 0; i < o->n_ops; i++) {
		len = strlen(s->seen);
		if (i == 0)
			say(s->seen + len, sizeof(s->seen) - len, " = 0x%" PRIx32, o->loaded);
		len = strlen(s->seen);
		say(s->seen + len, sizeof(s->seen) - len, " %s 0x%" PRIx32, op_sign(o->ops[i].op),
			o->ops[i].k);
	}
	if (o->kind == CBPF_ORIGIN_LEN)
		s->field = "length";
	if (o->kind == CBPF_ORIGIN_LOAD) {
		s->has_off = true;
		s->off = o->off;
		s->size = o->size;
	}
}

static bool
is_test(const struct cbpf_insn *in)
{
	return (in->code & 7) == 5 && (in->code >> 4 & 7) != 0;
}

static void
say_test(struct explain_says *s, const struct cbpf_insn *in, const struct cbpf_step *step)
{
	const size_t kind = in->code >> 4 & 7;
	const bool with_x = (in->code & 8) != 0;
	const char *words = step->taken ? wants[kind].not : wants[kind].holds;

	char text[40];

	say(s->wanted, sizeof(s->wanted), "%s%s%s", words,
		number(&step->origin, kind == 4, with_x ? step->x : in->k, text),
		with_x ? ", what x is" : "");
	say_seen(s, step, kind == 4);
}

/* Why the program said no. */
static void
say_program(struct explain_says *s, const struct pkt_view *v)
{
	const struct cbpf_trace *t = &s->trace;
	const struct cbpf_step *step = &t->steps[t->decided];
	const struct cbpf_insn *in;
	size_t n;

	in = &cbpf_prog_insns(s->why.prog, &n)[step->at];
	if (is_test(in)) {
		say_test(s, in, step);
	} else if (t->end == CBPF_END_LOAD) {
		say(s->wanted, sizeof(s->wanted), "bytes %" PRIu64 " to %" PRIu64, t->off,
			t->off + t->size - 1);
		say(s->seen, sizeof(s->seen), "%" PRIu32 " bytes", s->why.caplen);
		s->has_off = true;
		s->off = t->off;
		s->size = t->size;
	} else if (t->end == CBPF_END_DIVISION) {
		say(s->wanted, sizeof(s->wanted), "a divisor");
		say(s->seen, sizeof(s->seen), "0");
	} else {
		say(s->wanted, sizeof(s->wanted), "a result");
		say(s->seen, sizeof(s->seen), "0");
	}
	if (s->has_off)
		s->field = explain_field(v, &s->why, s->off);
}

/* ---- a key of the scope ---- */

static void
say_ranges(char *buf, size_t size, const struct match_ranges *r, bool protos)
{
	struct sbuf b = SBUF_INIT;

	for (size_t i = 0; i < r->n; i++) {
		const struct u16_range *v = &r->v[i];
		const char *name =
			protos && v->lo == v->hi ? rules_proto_name((uint8_t)v->lo) : NULL;

		if (i == 8) {
			sbuf_addf(&b, ", … %zu more", r->n - i);
			break;
		}
		sbuf_adds(&b, i > 0 ? ", " : "");
		if (name != NULL)
			sbuf_adds(&b, name);
		else if (v->lo == v->hi)
			sbuf_addf(&b, "%u", v->lo);
		else
			sbuf_addf(&b, "%u-%u", v->lo, v->hi);
	}
	say(buf, size, "%s", sbuf_str(&b));
	sbuf_fini(&b);
}

static void
say_prefixes(char *buf, size_t size, const struct match_prefixes *p, const char *set)
{
	struct sbuf b = SBUF_INIT;
	char text[IP_PREFIX_TEXT];

	if (set != NULL) {
		say(buf, size, "set %s", set);
		return;
	}
	for (size_t i = 0; i < p->n; i++) {
		if (i == 4) {
			sbuf_addf(&b, ", … %zu more", p->n - i);
			break;
		}
		sbuf_addf(&b, "%s%s", i > 0 ? ", " : "", ip_prefix_text(&p->v[i], text));
	}
	say(buf, size, "%s", p->n > 0 ? sbuf_str(&b) : "an empty list");
	sbuf_fini(&b);
}

static const char *
fragment_words(const struct pkt_view *v)
{
	if ((v->flags & PKT_FRAG_LATER) != 0)
		return "a later fragment";
	return (v->flags & PKT_FRAGMENT) != 0 ? "a first fragment" : "no fragment";
}

static const char *
fragments_wanted(enum match_fragments f)
{
	switch (f) {
	case MATCH_FRAG_DEFAULT: return "no later fragment";
	case MATCH_FRAG_MATCH: return "anything";
	case MATCH_FRAG_ONLY: return "a fragment";
	case MATCH_FRAG_NEVER: return "no fragment";
	}
	return "";
}

static void
say_address(char *buf, size_t size, const struct pkt_view *v, const uint8_t *addr)
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(v->family == 4 ? AF_INET : AF_INET6, addr, text, sizeof(text));
	say(buf, size, "%s", text);
}

static void
say_proto(char *buf, size_t size, const struct pkt_view *v)
{
	const char *name = v->family != 0 ? rules_proto_name(v->proto) : NULL;

	if (v->family == 0)
		say(buf, size, "no IP");
	else if (name != NULL)
		say(buf, size, "%s", name);
	else
		say(buf, size, "%u", v->proto);
}

static void
say_no_ports(char *buf, size_t size, const struct pkt_view *v)
{
	if (v->family == 0 || (v->flags & (PKT_FRAG_LATER | PKT_TRUNCATED)) == 0)
		say_proto(buf, size, v);
	else
		say(buf, size, "%s",
			(v->flags & PKT_FRAG_LATER) != 0 ? "a later fragment"
							 : "a truncated header");
}

static void
say_family(struct explain_says *s, const struct match_rule *rule, const struct pkt_view *v)
{
	const uint8_t family = rule->scope.family;

	s->key = "family";
	if (family != 0)
		say(s->wanted, sizeof(s->wanted), "%u", family);
	else
		say(s->wanted, sizeof(s->wanted), "%s",
			rule->prog[0] != NULL ? "4" : (rule->prog[1] != NULL ? "6" : "none"));
	say(s->seen, sizeof(s->seen), "%u", v->family);
}

#define WANTED says->wanted, sizeof(says->wanted)
#define SEEN says->seen, sizeof(says->seen)

static void
say_key(struct explain_says *says, const struct match_rule *rule, const struct ruleset_info *info,
	const struct pkt_view *v)
{
	const struct match_scope *s = &rule->scope;

	switch (says->why.key) {
	case MATCH_KEY_NONE: return;
	case MATCH_KEY_PORT: says->key = "port"; return;
	case MATCH_KEY_IP:
		says->key = "IP";
		say(WANTED, "an IP header");
		say(SEEN, "%s", (v->flags & PKT_TRUNCATED) != 0 ? "a truncated frame" : "none");
		return;
	case MATCH_KEY_FAMILY: say_family(says, rule, v); return;
	case MATCH_KEY_PROTO:
		says->key = "proto";
		say_ranges(WANTED, &s->proto, true);
		say_proto(SEEN, v);
		return;
	case MATCH_KEY_FRAGMENTS:
		says->key = "fragments";
		say(WANTED, "%s", fragments_wanted(s->fragments));
		say(SEEN, "%s", fragment_words(v));
		return;
	case MATCH_KEY_HAS_PORTS:
		says->key = "ports";
		say(WANTED, "a header with ports");
		say_no_ports(SEEN, v);
		return;
	case MATCH_KEY_SPORT:
	case MATCH_KEY_DPORT:
		says->key = says->why.key == MATCH_KEY_SPORT ? "sport" : "dport";
		say_ranges(WANTED, says->why.key == MATCH_KEY_SPORT ? &s->sport : &s->dport, false);
		say(SEEN, "%u", says->why.key == MATCH_KEY_SPORT ? v->sport : v->dport);
		return;
	case MATCH_KEY_SRC:
		says->key = "src";
		say_prefixes(WANTED, &s->src, info != NULL ? info->src_set : NULL);
		say_address(SEEN, v, pkt_src(v));
		return;
	case MATCH_KEY_DST:
		says->key = "dst";
		say_prefixes(WANTED, &s->dst, info != NULL ? info->dst_set : NULL);
		say_address(SEEN, v, pkt_dst(v));
		return;
	case MATCH_KEY_L4:
		says->key = "L4";
		say(WANTED, "a header behind the extension headers");
		say_no_ports(SEEN, v);
		return;
	case MATCH_KEY_PROGRAM:
		says->key = "program";
		say_program(says, v);
		return;
	}
}

int
explain_ask(const struct match_rule *rule, const struct ruleset_info *info,
	const char *const text[2], const struct pkt_view *v, uint8_t *buf, struct explain_says *ret)
{
	int r = 0;

	*ret = (struct explain_says){.matches = false};
	ret->matches = match_rule_explain(rule, v, 0, buf, &ret->why);
	if (ret->why.prog != NULL)
		r = cbpf_trace(
			ret->why.prog, ret->why.data, ret->why.caplen, ret->why.len, &ret->trace);
	if (r == 0 && ret->why.prog != NULL)
		r = explain_source_new(ret->why.prog, text[ret->why.number], &ret->source);
	if (r == 0)
		say_key(ret, rule, info, v);
	return r;
}

void
explain_says_fini(struct explain_says *says)
{
	cbpf_trace_fini(&says->trace);
	explain_source_fini(&says->source);
}

/* ---- writing ---- */

/* "instruction 12, jneq #0x03777777, lb_0 (16 bytes: …)". */
static void
add_insn_text(const struct explain_says *s, struct sbuf *out)
{
	const size_t at = s->trace.steps[s->trace.decided].at;

	sbuf_addf(out, "instruction %zu of %zu, '%s'", at + 1, s->source.n, s->source.insns[at]);
	if (s->source.comments[at][0] != '\0')
		sbuf_addf(out, " (%s)", s->source.comments[at]);
}

static void
add_place_text(const struct explain_says *s, struct sbuf *out)
{
	if (s->has_off && s->size == 1)
		sbuf_addf(out, "byte %" PRIu64, s->off);
	else if (s->has_off)
		sbuf_addf(out, "bytes %" PRIu64 "-%" PRIu64, s->off, s->off + s->size - 1);
	if (s->field != NULL)
		sbuf_addf(out, "%s%s%s", s->has_off ? " (" : "", s->field, s->has_off ? ")" : "");
	if (s->has_off || s->field != NULL)
		sbuf_adds(out, ": ");
}

void
explain_says_text(const struct explain_says *says, const char *indent, struct sbuf *out)
{
	if (says->matches || says->key == NULL)
		return;
	sbuf_adds(out, indent);
	if (says->why.key == MATCH_KEY_PROGRAM) {
		add_insn_text(says, out);
		sbuf_addf(out, "\n%s", indent);
		add_place_text(says, out);
	} else {
		sbuf_addf(out, "%s: ", says->key);
	}
	sbuf_addf(out, "wanted %s, seen %s\n", says->wanted, says->seen);
}

void
explain_trace_text(const struct explain_says *says, const char *indent, struct sbuf *out)
{
	const struct cbpf_trace *t = &says->trace;

	for (size_t i = 0; i < t->n; i++) {
		const struct cbpf_step *step = &t->steps[i];
		const bool decided = !says->matches && i == t->decided;

		sbuf_addf(out, "%s%c %4" PRIu32 "  a=%08" PRIx32 " x=%08" PRIx32 "  %s\n", indent,
			decided ? '>' : ' ', step->at + 1, step->a, step->x,
			says->source.insns[step->at]);
	}
}

void
explain_says_json(const struct explain_says *says, struct sbuf *out)
{
	if (says->matches || says->key == NULL) {
		sbuf_adds(out, "null");
		return;
	}
	sbuf_adds(out, "{\"key\":");
	json_add_string(out, says->key);
	sbuf_adds(out, ",\"wanted\":");
	json_add_string(out, says->wanted);
	sbuf_adds(out, ",\"seen\":");
	json_add_string(out, says->seen);
	if (says->why.key == MATCH_KEY_PROGRAM) {
		const size_t at = says->trace.steps[says->trace.decided].at;

		sbuf_addf(out, ",\"instruction\":%zu,\"text\":", at + 1);
		json_add_string(out, says->source.insns[at]);
		sbuf_adds(out, ",\"comment\":");
		json_add_string(out, says->source.comments[at]);
		if (says->has_off)
			sbuf_addf(
				out, ",\"offset\":%" PRIu64 ",\"size\":%u", says->off, says->size);
		if (says->field != NULL) {
			sbuf_adds(out, ",\"field\":");
			json_add_string(out, says->field);
		}
	}
	sbuf_addc(out, '}');
}
