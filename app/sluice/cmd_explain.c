// SPDX-License-Identifier: BSD-3-Clause
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cli.h"
#include "ctl/conf.h"
#include "explain.h"
#include "filter.h"
#include "match/verdict.h"
#include "pkt/savefile.h"
#include "pkt/vital.h"
#include "rules.h"
#include "rules/ruleset.h"
#include "units.h"

#define LINK_ETHER 1 /* pcap-linktype(7): EN10MB, RAW */
#define LINK_RAW 12
#define INDENT "    "

static struct {
	const char *bytecode, *expr, *asm_file, *rules, *link, *dlt, *location, *rule;
	bool json, trace;
} args;

/* The frame in question. */
struct subject {
	uint8_t *bytes;
	uint32_t caplen, wirelen;
	int dlt;
	bool is_hex;
	const char *path; /* else */
	uint64_t number, time_ns;
	struct pkt_view view;
	enum pkt_vital vital;
};

/* ---- where the frame comes from ---- */

static int
keep(struct subject *s, const uint8_t *bytes, uint32_t n)
{
	s->bytes = mem_alloc((size_t)n + 1);
	if (s->bytes == NULL)
		return cli_fail(CLI_FAILED, "out of memory");
	if (n > 0)
		memcpy(s->bytes, bytes, n);
	s->caplen = n;
	return CLI_DONE;
}

/* "FILE:N" as file and number; N is 1 where it is not said. */
static int
split_place(const char *place, char **ret_path, uint64_t *ret_number)
{
	const char *colon = strrchr(place, ':');
	struct diag diag = {0};

	*ret_number = 1;
	*ret_path = mem_strdup(place);
	if (*ret_path == NULL)
		return cli_fail(CLI_FAILED, "out of memory");
	if (colon == NULL || access(place, F_OK) == 0)
		return CLI_DONE;
	if (parse_u64(colon + 1, 1, UINT64_MAX, ret_number, &diag) < 0)
		return cli_fail(CLI_USAGE, "%s: the frame behind ':': %s", place, diag.msg);
	(*ret_path)[colon - place] = '\0';
	return CLI_DONE;
}

static int
find_frame(struct pkt_reader *reader, struct subject *s)
{
	struct pkt_frame frame;
	struct diag diag = {0};
	uint64_t n = 0;
	int more;

	while ((more = pkt_reader_next(reader, &frame, &diag)) > 0) {
		if (++n < s->number)
			continue;
		s->dlt = pkt_reader_dlt(reader);
		s->wirelen = frame.wirelen;
		s->time_ns = frame.time_ns;
		return keep(s, frame.data, frame.caplen);
	}
	if (more < 0)
		return cli_fail_diag(CLI_USAGE, &diag);
	return cli_fail(CLI_USAGE, "'%s' has %" PRIu64 " frame%s, not %" PRIu64, s->path, n,
		n == 1 ? "" : "s", s->number);
}

static int
from_file(struct subject *s)
{
	struct pkt_reader *reader = NULL;
	struct diag diag = {0};
	int r;

	if (args.dlt != NULL)
		return cli_fail(CLI_USAGE, "--dlt: a savefile has its own link type");
	r = pkt_reader_open(s->path, &reader, &diag);
	if (r < 0)
		return cli_fail_diag(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, &diag);
	r = find_frame(reader, s);
	pkt_reader_close(reader);
	return r;
}

/* As pcap2hex prints it; blanks and colons between bytes do no harm, nor what a tab begins. */
static int
from_hex(const char *text, struct subject *s)
{
	size_t n = 0;

	s->bytes = mem_alloc(strlen(text) / 2 + 1);
	if (s->bytes == NULL)
		return cli_fail(CLI_FAILED, "out of memory");
	for (const char *c = text; *c != '\0' && *c != '\t'; c++) {
		const int high = parse_hex_digit(*c);

		if (high < 0 && (*c == ' ' || *c == ':' || *c == '\n' || *c == '\r'))
			continue;
		if (high < 0)
			return cli_fail(CLI_USAGE,
				"column %zu: expected hexadecimal digits or a savefile's name, got '%.60s'",
				(size_t)(c - text) + 1, text);
		if (parse_hex_digit(*++c) < 0)
			return cli_fail(CLI_USAGE,
				"column %zu: expected the second digit of a byte",
				(size_t)(c - text) + 1);
		s->bytes[n++] = (uint8_t)(high << 4 | parse_hex_digit(*c));
	}
	s->caplen = s->wirelen = (uint32_t)n;
	s->is_hex = true;
	return CLI_DONE;
}

/*
 * Hexadecimal digits do not say what they are: Ethernet, as pcap2hex makes it,
 * unless they read as a datagram to its end and as Ethernet mean no IP.
 */
static int
find_link(struct subject *s)
{
	struct pkt_view ether, ip;

	s->dlt = LINK_ETHER;
	if (args.dlt != NULL) {
		s->dlt = pkt_link_by_name(args.dlt);
		if (s->dlt >= 0)
			return CLI_DONE;
		return cli_fail(CLI_USAGE,
			"--dlt: expected a link type's name or number, such as EN10MB, got '%.60s'",
			args.dlt);
	}
	pkt_parse_ether(s->bytes, s->caplen, s->wirelen, &ether);
	pkt_parse_ip(s->bytes, s->caplen, s->wirelen, &ip);
	if (ether.family == 0 && ip.family != 0 && (ip.flags & PKT_MALFORMED) == 0 &&
		ip.l3_len == s->caplen)
		s->dlt = LINK_RAW;
	return CLI_DONE;
}

/* Where a file has such a name that is meant. */
static bool
looks_hex(const char *text)
{
	const size_t len = strcspn(text, "\t");
	const size_t hex = strspn(text, "0123456789abcdefABCDEF :\r\n");

	return parse_hex_digit(text[0]) >= 0 && hex >= MIN(len, (size_t)4) &&
		strcspn(text, "./") >= len && len >= 2;
}

static int
read_subject(const char *what, struct subject *s, char **ret_path)
{
	int r;

	if (what[0] == '\0')
		return cli_fail(CLI_USAGE, "expected hexadecimal digits or a savefile's name");
	if (access(what, F_OK) != 0 && looks_hex(what)) {
		r = from_hex(what, s);
		if (r == CLI_DONE)
			r = find_link(s);
	} else {
		r = split_place(what, ret_path, &s->number);
		s->path = *ret_path;
		if (r == CLI_DONE)
			r = from_file(s);
	}
	if (r == CLI_DONE)
		pkt_parse_link(s->dlt, s->bytes, s->caplen, s->wirelen, &s->view);
	return r;
}

/* ---- what is said ---- */

static void
write_parse(const struct subject *s, struct sbuf *out)
{
	struct explain_facts facts;
	char utc[UNITS_TEXT];

	explain_parse(s->dlt, &s->view, &facts);
	if (args.json) {
		sbuf_adds(out, "{\"version\":1,");
		explain_facts_json(&facts, out);
		if (s->path != NULL) {
			sbuf_adds(out, ",\"file\":");
			json_add_string(out, s->path);
			sbuf_addf(out, ",\"number\":%" PRIu64 ",\"time_ns\":%" PRIu64, s->number,
				s->time_ns);
		}
		sbuf_addf(out, ",\"vital\":\"%s\"", pkt_vital_name(s->vital));
		return;
	}
	if (s->path != NULL) {
		sbuf_addf(out, "%-8s ", "at");
		sbuf_add_printable(out, s->path);
		sbuf_addf(out, ":%" PRIu64 ", %s UTC\n", s->number, units_utc(s->time_ns, utc));
	}
	explain_facts_text(&facts, out);
	if (s->vital != PKT_VITAL_NONE)
		sbuf_addf(out, "%-8s %s\n", "vital", pkt_vital_name(s->vital));
}

static const char *
state_of(const struct ruleset_info *info)
{
	if (info == NULL)
		return "on";
	if (!info->enabled)
		return "disabled";
	if (!info->here)
		return "elsewhere";
	return info->armed ? "on" : "unarmed";
}

static void
write_head(int width, struct sbuf *out)
{
	if (args.json)
		sbuf_adds(out, ",\"rules\":[");
	else
		sbuf_addf(out, "\n%-*s %-8s %-6s %-8s %s\n", width, "RULE", "says", "action",
			"mode", "state");
}

/* One rule's line, and what it says. */
static void
write_rule(const char *name, const struct match_rule *rule, const struct ruleset_info *info,
	const struct explain_says *says, int width, bool first, struct sbuf *out)
{
	static const char *const actions[] = {
		[MATCH_PASS] = "pass", [MATCH_DROP] = "drop", [MATCH_COUNT] = "count"};

	if (args.json) {
		sbuf_adds(out, first ? "" : ",");
		sbuf_adds(out, "{\"rule\":");
		json_add_string(out, name);
		sbuf_addf(out,
			",\"state\":\"%s\",\"action\":\"%s\",\"mode\":\"%s\",\"matches\":%s,\"why\":",
			state_of(info), actions[rule->action], rule->shadow ? "shadow" : "enforce",
			says->matches ? "true" : "false");
		explain_says_json(says, out);
		sbuf_addc(out, '}');
		return;
	}
	sbuf_addf(out, "%-*s %-8s %-6s %-8s %s%s\n", width, name, says->matches ? "matches" : "no",
		actions[rule->action], rule->shadow ? "shadow" : "enforce", state_of(info),
		says->matches && says->why.late
			? " (a later fragment: only addresses and protocol are asked)"
			: "");
	explain_says_text(says, INDENT, out);
	if (args.trace)
		explain_trace_text(says, INDENT, out);
}

static int
ask_rule(const struct subject *s, const char *name, const struct match_rule *rule,
	const struct ruleset_info *info, const char *const text[2], int width, bool first,
	struct sbuf *out)
{
	uint8_t *buf = mem_alloc(MATCH_DATAGRAM_MAX);
	struct explain_says says;
	int r;

	if (buf == NULL)
		return cli_fail(CLI_FAILED, "out of memory");
	r = explain_ask(rule, info, text, &s->view, buf, &says);
	if (r == 0)
		write_rule(name, rule, info, &says, width, first, out);
	explain_says_fini(&says);
	mem_free(buf);
	return r < 0 ? cli_fail(CLI_FAILED, "out of memory") : CLI_DONE;
}

/* One program, as sluice filter runs it. */
static int
ask_program(const struct subject *s, const struct filter *f, struct sbuf *out)
{
	static const char *const none[2] = {NULL, NULL};
	const struct match_rule rule = {
		.name = "match",
		.action = MATCH_COUNT,
		.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
		.link = f->conf.raw ? MATCH_LINK_RAW : MATCH_LINK_ETHER,
		.prog = {f->prog, f->conf.raw ? f->prog : NULL},
	};
	int r;

	write_head(5, out);
	r = ask_rule(s, rule.name, &rule, NULL, none, 5, true, out);
	sbuf_adds(out, args.json ? "]" : "");
	return r;
}

/* What the daemon would do, rules that are not in force left out. */
static int
write_verdict(const struct subject *s, const struct rules_file *rules, struct sbuf *out)
{
	static const char *const kinds[] = {
		[MATCH_VERDICT_PASS] = "pass",
		[MATCH_VERDICT_DROP] = "drop",
		[MATCH_VERDICT_LIMIT] = "limit",
	};
	const size_t n = rules_slots_count(rules->slots);
	const bool vital = rules->conf->vital && s->vital != PKT_VITAL_NONE;
	struct match_counters *counters =
		mem_zalloc_aligned(BASE_CACHE_LINE, (n + 1) * sizeof(*counters));
	struct match_notes notes = {0};
	struct match_verdict v;
	const char *rule, *shadow;

	if (counters == NULL)
		return cli_fail(CLI_FAILED, "out of memory");
	match_verdicts(rules->image, &s->view, 1, 0, vital, true, counters, 0, &v, &notes);
	mem_free(counters);
	rule = v.slot != MATCH_NONE ? rules_slots_name(rules->slots, v.slot) : NULL;
	shadow = v.shadow_slot != MATCH_NONE ? rules_slots_name(rules->slots, v.shadow_slot) : NULL;
	if (args.json) {
		sbuf_addf(out, ",\"verdict\":{\"verdict\":\"%s\",\"rule\":", kinds[v.kind]);
		json_add_string(out, rule != NULL ? rule : "-");
		sbuf_adds(out, ",\"shadow\":");
		json_add_string(out, shadow != NULL ? shadow : "-");
		sbuf_addf(out, ",\"protected\":%s}", v.is_protected ? "true" : "false");
		return CLI_DONE;
	}
	sbuf_addf(out, "\nverdict  %s", kinds[v.kind]);
	if (rule != NULL)
		sbuf_addf(out, ", by %s", rule);
	else
		sbuf_adds(out, ", as no rule decides");
	if (v.is_protected)
		sbuf_adds(out, ", which does not drop it: it is vital");
	if (shadow != NULL)
		sbuf_addf(out, "; %s is the first in shadow that matches", shadow);
	sbuf_addc(out, '\n');
	return CLI_DONE;
}

static int
ask_rules(const struct subject *s, const struct rules_file *rules, struct sbuf *out)
{
	const struct ruleset *rs = rules->rules;
	int r = CLI_DONE, width = 4;
	bool first = true;

	for (size_t i = 0; i < ruleset_count(rs); i++)
		width = MAX(width, (int)strlen(ruleset_info(rs, i)->name));
	write_head(width, out);
	for (size_t i = 0; r == CLI_DONE && i < ruleset_count(rs); i++) {
		const struct ruleset_info *info = ruleset_info(rs, i);
		const char *const text[2] = {ruleset_text(rs, i, 0), ruleset_text(rs, i, 1)};

		if (args.rule != NULL && strcmp(args.rule, info->name) != 0)
			continue;
		r = ask_rule(s, info->name, ruleset_rule(rs, i), info, text, width, first, out);
		first = false;
	}
	if (r == CLI_DONE && args.rule != NULL && first)
		r = cli_fail(CLI_USAGE, "--rule: there is no rule '%.60s'", args.rule);
	sbuf_adds(out, args.json ? "]" : "");
	return r == CLI_DONE ? write_verdict(s, rules, out) : r;
}

static int
write_all(const struct subject *s, const struct filter *f, struct sbuf *out)
{
	int r = CLI_DONE;

	write_parse(s, out);
	if (f->conf.rules != NULL)
		r = ask_rules(s, &f->rules, out);
	else if (f->prog != NULL)
		r = ask_program(s, f, out);
	sbuf_adds(out, args.json ? "}\n" : "");
	if (r == CLI_DONE && !sbuf_ok(out))
		r = cli_fail(CLI_FAILED, "out of memory");
	if (r == CLI_DONE)
		(void)fputs(sbuf_str(out), stdout);
	return r;
}

/* ---- the command ---- */

static int
read_args(struct filter_conf *conf)
{
	int r;

	*conf = (struct filter_conf){
		.bytecode = args.bytecode,
		.expr = args.expr,
		.asm_file = args.asm_file,
		.rules = args.rules,
		.location = args.location,
		.engine = FILTER_INTERP,
	};
	r = filter_check(conf, args.link);
	if (r != CLI_DONE)
		return r;
	if (args.rule != NULL && args.rules == NULL)
		return cli_fail(CLI_USAGE, "--rule: expected -r RULES with it");
	if (args.trace && args.json)
		return cli_fail(CLI_USAGE, "--trace and --json: expected one of them");
	return CLI_DONE;
}

/* The program or the rules; of -r with the text that programs were made of. */
static int
load(const struct filter_conf *conf, struct filter *f, struct diag *diag)
{
	struct filter_conf program = *conf;
	const struct rules_opts opts = {
		.offline = true,
		.keep_text = true,
		.location = args.location,
		.engine = MATCH_ENGINE_INTERP,
	};
	int r;

	program.rules = NULL;
	r = filter_init(&program, f, diag);
	if (r == 0 && args.rules != NULL) {
		f->conf.rules = args.rules;
		r = rules_file_load(args.rules, &opts, &f->rules, diag);
	}
	return r;
}

/* Which class the frame is of; what is not IP is told by its Ethernet addresses. */
static void
find_vital(struct subject *s, const struct ctl_conf *conf)
{
	struct pkt_vital_conf vital = {.n_peers = 0};

	if (conf != NULL)
		vital = (struct pkt_vital_conf){conf->peers, conf->n_peers, conf->gtsm};
	if (s->view.family != 0 || s->dlt == LINK_ETHER)
		s->vital = pkt_vital_class(&s->view, &vital);
}

static int
explain_run(int argc, char **argv)
{
	struct filter_conf conf;
	struct subject s = {.number = 0};
	struct sbuf out = SBUF_INIT;
	struct diag diag = {0};
	struct filter f = {.dlt = -1};
	char *path = NULL;
	int r = read_args(&conf);

	(void)argc;
	if (r != CLI_DONE)
		return r;
	r = load(&conf, &f, &diag);
	if (r < 0)
		r = cli_fail_diag(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, &diag);
	if (r == CLI_DONE)
		r = read_subject(argv[0], &s, &path);
	if (r == CLI_DONE && filter_link(&f, s.dlt, &diag) < 0)
		r = cli_fail_diag(CLI_USAGE, &diag);
	if (r == CLI_DONE) {
		find_vital(&s, f.rules.conf);
		r = write_all(&s, &f, &out);
	}
	sbuf_fini(&out);
	filter_fini(&f);
	mem_free(s.bytes);
	mem_free(path);
	return r;
}

static const struct cli_opt explain_opts[] = {
	{'r', "rules", "RULES", "Ask each rule of a file.", NULL, &args.rules},
	{'b', "bytecode", "BYTECODE", "Ask a program in xt_bpf's format.", NULL, &args.bytecode},
	{'e', "expr", "EXPR", "Ask a tcpdump expression, compiled for the frame's link type.", NULL,
		&args.expr},
	{'c', "compile", "ASMFILE", "Ask a program in a file, assembler or bytecode.", NULL,
		&args.asm_file},
	{'\0', "link", "raw", "Give -b, -c and -e the IP datagram instead of the frame.", NULL,
		&args.link},
	{'l', "dlt", "TYPE", "HEX is of this link type, as libpcap names or numbers it.", NULL,
		&args.dlt},
	{'\0', "location", "L", "Rules of this location are in force; default the file's [node].",
		NULL, &args.location},
	{'\0', "rule", "R", "Tell of this rule only.", NULL, &args.rule},
	{'t', "trace", NULL, "Show each instruction on a program's way, with a and x before it.",
		&args.trace, NULL},
	{'j', "json", NULL, "Print JSON.", &args.json, NULL},
	{0},
};

static const struct cli_example explain_examples[] = {
	{"sluice explain -r rules.ini attack.pcap:17",
		"Why frame 17 is dropped, or why it is not."},
	{"sluice explain --trace --link raw -b \"$(sluice gen dns example.uk)\" query.pcap",
		"A program's way through the first frame."},
	{0},
};

const struct cli_cmd cmd_explain = {
	.name = "explain",
	.args = "HEX|FILE[:N]",
	.help = "Tell how one frame is parsed and what each rule says to it.",
	.more = "HEX is a frame as pcap2hex prints it: Ethernet, or a datagram where that is what it\n"
		"must be. FILE is a pcap or pcapng file, - standard input; N counts its frames from 1.\n"
		"\n"
		"Of a rule that does not match the first test that fails is told: a key of its scope with\n"
		"what it wants and what it saw, or the instruction of its program behind which no match\n"
		"was left, with its bytes, counted from the first that the program sees; --trace marks\n"
		"it with >. All rules are asked, also those behind the one that decides and those not in\n"
		"force; port = is not looked at. The verdict is the daemon's.",
	.examples = explain_examples,
	.opts = explain_opts,
	.min_args = 1,
	.max_args = 1,
	.run = explain_run,
};
