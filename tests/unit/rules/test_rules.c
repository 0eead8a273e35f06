// SPDX-License-Identifier: BSD-3-Clause
/*
 * Rules and sets as text: what good ones become, where bad ones are refused and
 * with which sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/ini.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "load.h"
#include "rules/ruleset.h"

static char folder[] = "/tmp/sluice-rules-XXXXXX"; /* with the files that rules name */

static int
load_with(const char *text, const struct ruleset_opts *opts, struct ruleset **ret, struct diag *d)
{
	struct ini_doc *doc = NULL;
	char name[64];
	int r;

	(void)snprintf(name, sizeof(name), "%s/t.ini", folder);
	r = ini_load_text(name, text, strlen(text), &doc, d);
	if (r == 0)
		r = ruleset_load(doc, opts, ret, d);
	ini_doc_free(doc);
	return r;
}

static const char *const two_ports[] = {"edge0", "edge1"};
static const struct ruleset_opts node = {.location = "lhr", .ports = two_ports, .n_ports = 2};
static const struct ruleset_opts offline = {.offline = true};

static struct ruleset *
load_ok(const char *text, const struct ruleset_opts *opts)
{
	struct ruleset *rs = NULL;
	struct diag d = {0};
	char buf[800];

	if (load_with(text, opts, &rs, &d) < 0)
		fail_msg("refused: %s", diag_format(&d, buf, sizeof(buf)));
	return rs;
}

#define ONE(keys) "[rule r]\naction = drop\n" keys
#define XT_ALL "4,48 0 0 9,21 0 1 17,6 0 0 65535,6 0 0 0"

static void
a_rule_has_defaults(void **state)
{
	struct ruleset *rs = load_ok(ONE("match = all\n"), &node);
	const struct ruleset_info *i = ruleset_info(rs, 0);
	const struct match_rule *m = &rs->rules.v[0].m;

	(void)state;
	assert_int_equal(ruleset_count(rs), 1);
	assert_string_equal(i->name, "r");
	assert_string_equal(i->comment, "");
	assert_non_null(strstr(i->file, "/t.ini"));
	assert_int_equal(i->line, 1);
	assert_int_equal(i->order, 1000);
	assert_int_equal(i->action, MATCH_DROP);
	assert_false(i->shadow);
	assert_true(i->enabled && i->here && i->armed);
	assert_int_equal(i->ttl_ms, 0);
	assert_int_equal(i->sample_one_in, 0);
	assert_true(m->enabled && m->scope_only && !m->generated);
	assert_int_equal(m->scope.family, 0);
	assert_true(m->scope.src.any && m->scope.dst.any);
	assert_true(m->scope.ports == UINT64_MAX);
	assert_int_equal(m->scope.fragments, MATCH_FRAG_DEFAULT);
	ruleset_free(rs);
}

static void
every_key_arrives(void **state)
{
	struct ruleset *rs = load_ok("[set victims]\nprefixes = 198.51.100.0/24, 2001:db8::/32\n"
				     "[rule r]\n"
				     "expr = udp or tcp\n"
				     "action = count\nmode = shadow\nwhen = always\n"
				     "port = edge1\nfamily = any\nproto = tcp, 17, 100-110\n"
				     "sport = 53, 1024-65535\ndport = 80\n"
				     "src = victims, 10.0.0.0/8\ndst = victims\n"
				     "fragments = never\nlocations = ams, lhr\nttl = 6 h\n"
				     "enabled = no\norder = 7\nsample = 1/10\ncomment = a b\n",
		&node);
	const struct ruleset_info *i = ruleset_info(rs, 0);
	const struct match_rule *m = &rs->rules.v[0].m;

	(void)state;
	assert_string_equal(i->comment, "a b");
	assert_int_equal(i->order, 7);
	assert_int_equal(i->action, MATCH_COUNT);
	assert_true(i->shadow && !i->enabled && i->here && i->armed);
	assert_int_equal(i->ttl_ms, 6 * 3600000);
	assert_int_equal(i->sample_one_in, 10);
	assert_true(!m->enabled && m->shadow && !m->scope_only);
	assert_int_equal(m->action, MATCH_COUNT);
	assert_true(m->scope.ports == 2);
	assert_int_equal(m->scope.proto.n, 3);
	assert_int_equal(m->scope.proto.v[0].lo, 6);
	assert_int_equal(m->scope.proto.v[2].hi, 110);
	assert_int_equal(m->scope.sport.n, 2);
	assert_int_equal(m->scope.sport.v[1].hi, 65535);
	assert_int_equal(m->scope.dport.v[0].lo, 80);
	assert_int_equal(m->scope.src.n, 3);
	assert_int_equal(m->scope.src.v[2].len, 8);
	assert_int_equal(m->scope.dst.n, 2);
	assert_int_equal(m->scope.fragments, MATCH_FRAG_NEVER);
	assert_non_null(m->prog[0]);
	assert_ptr_equal(m->prog[0], m->prog[1]);
	ruleset_free(rs);
}

/* What family, link and generator make of programs: which of the two there are. */
static const struct prog_case {
	const char *keys;
	uint8_t family;
	bool prog4, prog6, generated;
	uint16_t proto, sport, dport; /* 0: no condition */
} prog_cases[] = {
	{"match = dns *.www.example.uk\n", 0, true, true, true, 17, 0, 53},
	{"match = dns *.www.example.uk\nfamily = any\n", 0, true, true, true, 17, 0, 53},
	{"match = dns *.www.example.uk\nfamily = 4\n", 4, true, false, true, 17, 0, 53},
	{"match = dns *.www.example.uk\nfamily = 6\n", 6, false, true, true, 17, 0, 53},
	{"match = dns -6 *.www.example.uk\n", 6, false, true, true, 17, 0, 53},
	{"match = --inet6 dns -i *.www.example.uk\n", 6, false, true, true, 17, 0, 53},
	{"match = -n dns example.uk\nproto = udp\n", 0, true, true, true, 17, 0, 53},
	{"match = dns example.uk\ndport = 5353\n", 0, true, true, true, 17, 0, 5353},
	{"match = dns example.uk\ndport = any\nsport = 53\n", 0, true, true, true, 17, 53, 0},
	{"expr = udp\n", 0, true, true, false, 0, 0, 0},
	{"expr = udp\nfamily = 6\n", 6, false, true, false, 0, 0, 0},
	{"expr = arp\nlink = ether\n", 0, true, false, false, 0, 0, 0},
	{"expr = vlan 7\nlink = ether\nproto = 17\n", 0, true, false, false, 17, 0, 0},
	{"bytecode = " XT_ALL "\n", 0, true, true, false, 0, 0, 0},
	{"bytecode = " XT_ALL ",\nfamily = 4\n", 4, true, false, false, 0, 0, 0},
	{"bytecode = " XT_ALL "\nlink = ether\nfamily = 6\n", 6, true, false, false, 0, 0, 0},
	{"file = prog.bpf\n", 0, true, true, false, 0, 0, 0},
	{"file = prog.xt\nfamily = 6\n", 6, false, true, false, 0, 0, 0},
};

static void
programs_are_made_per_family(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(prog_cases); i++) {
		const struct prog_case *c = &prog_cases[i];
		char text[512];
		struct ruleset *rs;
		const struct match_rule *m;

		(void)snprintf(text, sizeof(text), ONE("%s"), c->keys);
		rs = load_ok(text, &node);
		m = &rs->rules.v[0].m;
		print_message("%s", c->keys);
		assert_int_equal(m->scope.family, c->family);
		assert_int_equal(m->prog[0] != NULL, c->prog4);
		assert_int_equal(m->prog[1] != NULL, c->prog6);
		assert_int_equal(m->generated, c->generated);
		assert_false(m->scope_only);
		assert_int_equal(m->scope.proto.n > 0 ? m->scope.proto.v[0].lo : 0, c->proto);
		assert_int_equal(m->scope.sport.n > 0 ? m->scope.sport.v[0].lo : 0, c->sport);
		assert_int_equal(m->scope.dport.n > 0 ? m->scope.dport.v[0].lo : 0, c->dport);
		ruleset_free(rs);
	}
}

static void
order_is_by_number_then_as_read(void **state)
{
	static const char *const want[] = {"c", "b", "a", "d", "e"};
	struct ruleset *rs = load_ok("[rule a]\nmatch = all\naction = pass\n"
				     "[rule b]\nmatch = all\naction = pass\norder = 999\n"
				     "[rule c]\nmatch = all\naction = pass\norder = 0\n"
				     "[rule d]\nmatch = all\naction = pass\norder = 1000\n"
				     "[rule e]\nmatch = all\naction = pass\norder = 65535\n",
		&node);

	(void)state;
	assert_int_equal(ruleset_count(rs), DIM(want));
	for (size_t i = 0; i < DIM(want); i++)
		assert_string_equal(ruleset_info(rs, i)->name, want[i]);
	ruleset_free(rs);
}

/* Rules that are read but not in force, and why. */
static const struct force_case {
	const char *text;
	bool offline;
	bool enabled, here, armed;
} force_cases[] = {
	{ONE("match = all\nenabled = no\n"), false, false, true, true},
	{ONE("match = all\nlocations = ams\n"), false, true, false, true},
	{ONE("match = all\nlocations = ams, lhr\n"), false, true, true, true},
	{ONE("match = all\nlocations = lhr\n"), true, true, false, true}, /* no location there */
	{"[node]\nlocation = lhr\n" ONE("match = all\nlocations = lhr\n"), true, true, true, true},
	{"[node]\nlocation = ams\n" ONE("match = all\nlocations = ams\n"), false, true, false,
		true}, /* the option wins over the file */
	{ONE("match = all\nwhen = attack\n"), true, true, true, true},
	{"[set s]\nprefixes =\n" ONE("dst = s\n"), false, true, true, false},
	{"[set s]\nprefixes =\n" ONE("src = s, 10.0.0.0/8\n"), false, true, true, true},
	{"[set s]\nprefixes = 10.0.0.0/8\n" ONE("dst = s\nfamily = 6\n"), false, true, true, false},
	{"[set s]\nprefixes = 10.0.0.0/8\n" ONE("dst = s\nsrc = ::/0\n"), false, true, true, false},
	{"[set s]\nfile = prefixes.txt\n" ONE("dst = s\n"), false, true, true, true},
};

static void
what_is_in_force(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(force_cases); i++) {
		const struct force_case *c = &force_cases[i];
		struct ruleset *rs = load_ok(c->text, c->offline ? &offline : &node);
		const struct ruleset_info *info = ruleset_info(rs, 0);

		print_message("%s", c->text);
		assert_int_equal(info->enabled, c->enabled);
		assert_int_equal(info->here, c->here);
		assert_int_equal(info->armed, c->armed);
		assert_int_equal(rs->rules.v[0].m.enabled, c->enabled && c->here && c->armed);
		ruleset_free(rs);
	}
}

static void
a_set_from_a_file(void **state)
{
	struct ruleset *rs =
		load_ok("[set s]\nfile = prefixes.txt\n" ONE("dst = s\nsrc = s\n"), &node);
	const struct match_scope *s = &rs->rules.v[0].m.scope;

	(void)state;
	assert_int_equal(s->dst.n, 3);
	assert_int_equal(s->dst.v[1].addr.family, 6);
	assert_int_equal(s->dst.v[2].len, 32);
	assert_ptr_equal(s->dst.v, s->src.v); /* a set alone is not copied */
	ruleset_free(rs);
}

static const struct bad_case {
	const char *text;
	unsigned int line;
	const char *msg;
} bad_cases[] = {
	/* sections and keys */
	{"[rule]\n", 1, "expected [rule NAME], got [rule]"},
	{"[rule a b]\n", 1,
		"expected a name of a letter, then letters, digits, '.', '_' or '-', at most 40 bytes, got 'a b'"},
	{ONE("match = all\n") "[rule r]\n", 4, "[rule r] is already in DIR/t.ini:1"},
	{ONE("matsch = all\n"), 3, "unknown key 'matsch' in [rule]; did you mean 'match'?"},
	{ONE("prefixes = ::/0\n"), 3, "unknown key 'prefixes' in [rule]; it belongs into [set]"},
	{"[rule r]\nmatch = all\n", 1, "expected action = pass|drop|count in [rule r]"},
	{ONE(""), 1, "[rule r] matches every frame; if that is meant, say match = all"},
	{ONE("dport = any\nproto = any\n"), 1,
		"[rule r] matches every frame; if that is meant, say match = all"},
	{ONE("match = all\nexpr = udp\n"), 4,
		"expr: there is match in line 3 already; expected one of match, expr, bytecode and file"},
	{ONE("match =\n"), 3, "match: expected a value"},
	/* values */
	{"[rule r]\naction = limit 1000 pps\n", 2,
		"action: limit is not in this version; expected pass, drop or count"},
	{"[rule r]\naction = reject\n", 2, "action: expected pass, drop or count, got 'reject'"},
	{ONE("mode = dry\n"), 3, "mode: expected enforce or shadow, got 'dry'"},
	{ONE("when = attack\n"), 3,
		"when = attack needs the gate, which is not in this version; expected always"},
	{ONE("when = never\n"), 3, "when: expected always or attack, got 'never'"},
	{ONE("link = ip\n"), 3, "link: expected raw or ether, got 'ip'"},
	{ONE("port = edge9\n"), 3, "port: there is no [port edge9]; did you mean 'edge0'?"},
	{ONE("port = 9\n"), 3, "port: expected names of ports, got '9'"},
	{ONE("port = edge0,\n"), 3, "port: expected a list without empty places"},
	{ONE("family = 5\n"), 3, "family: expected 4, 6 or any, got '5'"},
	{ONE("proto = udpp\n"), 3, "proto: unknown protocol 'udpp'; did you mean 'udp'?"},
	{ONE("proto = 256\n"), 3,
		"proto: expected a number or a rising range within 0-255, got '256'"},
	{ONE("proto = -1\n"), 3, "proto: expected a protocol's name or number, got '-1'"},
	{ONE("dport = 70000\n"), 3,
		"dport: expected a number or a rising range within 0-65535, got '70000'"},
	{ONE("dport = 80-70\n"), 3,
		"dport: expected a number or a rising range within 0-65535, got '80-70'"},
	{ONE("sport = domain\n"), 3,
		"sport: expected a number or a range such as 1024-65535, got 'domain'"},
	{ONE("sport =\n"), 3, "sport: expected a list without empty places"},
	{ONE("dst = nowhere\n"), 3, "dst: there is no [set nowhere]"},
	{"[set victims]\nprefixes = ::/0\n" ONE("dst = victim\n"), 5,
		"dst: there is no [set victim]; did you mean 'victims'?"},
	{ONE("fragments = yes\n"), 3, "fragments: expected match, only or never, got 'yes'"},
	{ONE("locations = lhr,,ams\n"), 3, "locations: expected a list without empty places"},
	{ONE("ttl = 6\n"), 3,
		"ttl: expected a duration such as '30 s' (ms, s, min, h, d), got '6'"},
	{ONE("ttl = 0 s\n"), 3, "ttl: expected 1 s to 3650 d, got '0 s'"},
	{ONE("enabled = true\n"), 3, "enabled: expected yes or no, got 'true'"},
	{ONE("order = 65536\n"), 3, "order: expected a number from 0 to 65535, got '65536'"},
	{ONE("sample = off\n"), 3, "sample: expected '1/N' with N from 1 to 2147483648, got 'off'"},
	/* programs */
	{ONE("match = dnss example.uk\n"), 3,
		"match: there is no generator 'dnss'; did you mean 'dns'?"},
	{ONE("match = -6\n"), 3, "match: expected a generator's name"},
	{ONE("match = -y dns a.b\n"), 3, "match: expected a generator's name, got '-y'"},
	{ONE("match = dns -o 14 a.b\n"), 3, "match: a rule has no option -o"},
	{ONE("match = -s dns a.b\n"), 3, "match: a rule has no option -s"},
	{ONE("match = dns --format xt a.b\n"), 3, "match: a rule has no option --format"},
	{ONE("match = -6 -x dns a.b\n"), 3, "match: a rule has no option -x"},
	{ONE("match = dns -- -x a.b\n"), 3,
		"match: dns has no option '-x'; it has -i, --tcp, --qtype TYPE,…"},
	{ONE("match = tcpdump --link RAW udp\n"), 3, "match: a rule has no option --link"},
	{ONE("match = tcpdump -- --link RAW udp\n"), 3, "match: a rule has no option --link"},
	{ONE("match = dns --tcp a.b\nproto = udp\n"), 4,
		"proto: 'udp' contradicts match = dns, whose program is for protocol 6 alone"},
	{ONE("expr = arp\n"), 3, NULL}, /* libpcap's words, "needs link = ether" */
	{ONE("bytecode = 1,6 0 0\n"), 3, NULL},
	{ONE("bytecode = 1,48 0 0 9\n"), 3, NULL}, /* no return */
	{ONE("file = missing.bpf\n"), 3,
		"file: DIR/missing.bpf: cannot open: No such file or directory"},
	{ONE("file = .\n"), 3, "file: DIR/.: cannot read: Is a directory"},
	{ONE("file = nul.bpf\n"), 3, "file: DIR/nul.bpf: expected text, got a NUL byte"},
	{ONE("file = bad.bpf\n"), 3, NULL}, /* place and words of the assembler */
	{ONE("file = -\n"), 3, "file: expected a path"},
	/* contradictions */
	{ONE("match = dns a.b\nproto = tcp\n"), 4,
		"proto: 'tcp' contradicts match = dns, whose program is for protocol 17 alone"},
	{ONE("match = dns a.b\nproto = any\n"), 4,
		"proto: 'any' contradicts match = dns, whose program is for protocol 17 alone"},
	{ONE("family = 4\nmatch = dns -6 a.b\n"), 3,
		"family: '4' contradicts the option -6 of match"},
	{ONE("match = dns a.b\nlink = ether\n"), 4,
		"link: ether contradicts match = dns, whose program begins at the IP header; expected expr = … or link = raw"},
	{ONE("proto = icmp\ndport = 53\n"), 4,
		"dport: contradicts proto = icmp, which has no ports"},
	{ONE("dst = 2001:db8::/32\nfamily = 4\n"), 3,
		"dst: '2001:db8::/32' contradicts family = 4"},
	{ONE("match = dns -6 a.b\nsrc = 10.0.0.0/8\n"), 4,
		"src: '10.0.0.0/8' contradicts family = 6"},
	{ONE("dst = 2001:db8::/32\nsrc = 10.0.0.0/8\n"), 3,
		"dst: '2001:db8::/32' contradicts src = 10.0.0.0/8 of the other family"},
	{ONE("expr = ip6\nfamily = 4\n"), 3, "expr: contradicts the rule's family and proto"},
	{ONE("expr = tcp port 80\nproto = udp\nfamily = 4\n"), 3,
		"expr: contradicts the rule's family and proto"},
	/* sets */
	{"[set s]\nprefixes = ::/0\n[set s]\n", 3, "[set s] is already in DIR/t.ini:1"},
	{"[set]\n", 1, "expected [set NAME], got [set]"},
	{"[set s]\n", 1, "expected prefixes = PREFIX, … or file = PATH in [set s]"},
	{"[set s]\nprefixes = ::/0\nfile = prefixes.txt\n", 3,
		"expected prefixes or file in [set s], not both"},
	{"[set s]\nprefix = ::/0\n", 2, "unknown key 'prefix' in [set]; did you mean 'prefixes'?"},
	{"[set s]\nprefixes = 10.0.0.0/8,,\n", 2, "prefixes: expected a list without empty places"},
	{"[set s]\nprefixes = 10.0.0.1/8\n", 2, NULL}, /* host bits */
	{"[set s]\nfile = bad.txt\n", 2,
		"file: DIR/bad.txt: line 2: expected an address or a prefix such as 198.51.100.0/24, got 'nonsense'"},
	{"[set s]\nfile = missing.txt\n", 2,
		"file: DIR/missing.txt: cannot open: No such file or directory"},
};

/* @msg with DIR replaced by the test's folder. */
static const char *
expand(const char *msg, char *buf, size_t size)
{
	const char *dir = strstr(msg, "DIR");

	if (dir == NULL)
		return msg;
	(void)snprintf(buf, size, "%.*s%s%s", (int)(dir - msg), msg, folder, dir + 3);
	return buf;
}

static void
bad_rules_are_refused(void **state)
{
	char buf[512];

	(void)state;
	for (size_t i = 0; i < DIM(bad_cases); i++) {
		const struct bad_case *c = &bad_cases[i];
		struct ruleset *rs = NULL;
		struct diag d = {0};
		int r = load_with(c->text, &node, &rs, &d);

		print_message("%s:%u: %s\n", d.file, d.line, d.msg);
		assert_true(r < 0);
		assert_null(rs);
		if (c->msg != NULL)
			assert_string_equal(d.msg, expand(c->msg, buf, sizeof(buf)));
		else
			assert_true(d.msg[0] != '\0');
		assert_int_equal(d.line, c->line);
		assert_non_null(strstr(d.file, "/t.ini"));
	}
}

static void
ports_are_taken_as_they_come_offline(void **state)
{
	struct ruleset *rs = load_ok(ONE("port = whatever\n"), &offline);

	(void)state;
	assert_true(rs->rules.v[0].m.scope.ports == UINT64_MAX);
	ruleset_free(rs);
}

static const char big[] = "[set victims]\nprefixes = 198.51.100.0/24, 2001:db8::/32\n"
			  "[rule a]\nmatch = dns -i *.www.example.uk\naction = drop\n"
			  "dst = victims, 10.0.0.0/8\nttl = 1 h\n"
			  "[rule b]\nexpr = udp port 53\naction = pass\nproto = 6,17\nfamily = 4\n"
			  "[rule c]\nbytecode = " XT_ALL "\naction = count\nport = edge0\n"
			  "[rule d]\nfile = prog.bpf\naction = count\nlocations = a,b\n";

static void
memory_may_fail_anywhere(void **state)
{
	struct ini_doc *doc = NULL;
	struct diag d = {0};
	char name[64];
	long n;

	(void)state;
	(void)snprintf(name, sizeof(name), "%s/t.ini", folder);
	assert_int_equal(ini_load_text(name, big, strlen(big), &doc, &d), 0);
	for (n = 0;; n++) {
		struct ruleset *rs = NULL;
		int r;

		d = (struct diag){0};
		mem_fault_set(n);
		r = ruleset_load(doc, &node, &rs, &d);
		mem_fault_set(-1);
		ruleset_free(rs);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_string_equal(d.msg, "out of memory");
	}
	assert_true(n > 20);
	ini_doc_free(doc);
}

static void
ten_thousand_rules_load_quickly(void **state)
{
	struct ruleset *rs;
	char *text = malloc(10000 * 96);
	size_t len = 0;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < 10000; i++)
		len += (size_t)sprintf(text + len,
			"[rule r%d]\naction = drop\nmatch = dns *.z%d.example.uk\n", i, i);
	rs = load_ok(text, &node);
	assert_int_equal(ruleset_count(rs), 10000);
	assert_string_equal(ruleset_info(rs, 9999)->name, "r9999");
	ruleset_free(rs);
	free(text);
}

static void
write_file(const char *name, const char *text, size_t len)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static int
make_folder(void **state)
{
	static const struct {
		const char *name, *text;
		size_t len; /* 0: strlen */
	} files[] = {
		{"prog.bpf", "ldb [9]\njeq #17, yes\nret #0\nyes: ret #65535\n", 0},
		{"prog.xt", XT_ALL "\n", 0},
		{"bad.bpf", "ldb [9]\nfrob #17\n", 0},
		{"nul.bpf", "ret #0\0\n", 8},
		{"prefixes.txt", "# ours\n198.51.100.0/24 ; web\n\n2001:db8::/32\r\n192.0.2.1", 0},
		{"bad.txt", "10.0.0.0/8\nnonsense\n", 0},
	};

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	for (size_t i = 0; i < DIM(files); i++)
		write_file(files[i].name, files[i].text,
			files[i].len != 0 ? files[i].len : strlen(files[i].text));
	return 0;
}

static int
remove_folder(void **state)
{
	char cmd[64];

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "rm -r '%s'", folder);
	return system(cmd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_has_defaults),
		cmocka_unit_test(every_key_arrives),
		cmocka_unit_test(programs_are_made_per_family),
		cmocka_unit_test(order_is_by_number_then_as_read),
		cmocka_unit_test(what_is_in_force),
		cmocka_unit_test(a_set_from_a_file),
		cmocka_unit_test(bad_rules_are_refused),
		cmocka_unit_test(ports_are_taken_as_they_come_offline),
		cmocka_unit_test(memory_may_fail_anywhere),
		cmocka_unit_test(ten_thousand_rules_load_quickly),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
