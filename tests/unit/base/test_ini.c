// SPDX-License-Identifier: BSD-3-Clause
/*
 * INI documents: what a file says arrives whole or is refused with its line.
 * Values around the lengths at which inih cuts are compared with a reader so
 * simple that it can be checked by eye.
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
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/ini.h"
#include "base/mem.h"
#include "base/util.h"

static struct ini_doc *
load_ok(const char *text, size_t len)
{
	struct ini_doc *doc = NULL;
	struct diag d = {0};
	char buf[800];

	if (ini_load_text("t.ini", text, len, &doc, &d) < 0)
		fail_msg("refused: %s", diag_format(&d, buf, sizeof(buf)));
	return doc;
}

/* The value of the only key of the only section. */
static const char *
only_value(const struct ini_doc *doc)
{
	size_t n;
	const struct ini_section *s = ini_doc_sections(doc, &n);

	assert_int_equal(n, 1);
	assert_int_equal(s[0].n_entries, 1);
	assert_string_equal(s[0].entries[0].key, "key");
	return s[0].entries[0].value;
}

/* The reference: a value without its comment and the blanks around it, into @out. */
static void
reference_value(const char *v, char *out)
{
	size_t n = 0;

	for (size_t i = 0; v[i] != '\0'; i++) {
		if (v[i] == ';' && i > 0 && (v[i - 1] == ' ' || v[i - 1] == '\t'))
			break;
		out[n++] = v[i];
	}
	while (n > 0 && (out[n - 1] == ' ' || out[n - 1] == '\t'))
		n--;
	out[n] = '\0';
	n = strspn(out, " \t");
	memmove(out, out + n, strlen(out + n) + 1);
}

static void
check_value(const char *value)
{
	static char line[70000], want[70000];
	struct ini_doc *doc;
	int n = snprintf(line, sizeof(line), "[s]\nkey =%s\n", value);

	reference_value(value, want);
	doc = load_ok(line, (size_t)n);
	assert_string_equal(only_value(doc), want);
	ini_doc_free(doc);
}

static void
lengths_where_inih_cuts(void **state)
{
	static const char *const marks[] = {" ", ";", "#", "\t", " ;", "; ", " #", "  ", "=", "]"};
	char v[512];

	(void)state;
	for (size_t len = 170; len <= 420; len++) {
		if (len > 225 && len < 385)
			continue;
		for (size_t at = 0; at + 2 <= len; at++) {
			if (at > 10 && at < 150)
				continue;
			for (size_t m = 0; m < DIM(marks); m++) {
				memset(v, 'x', len);
				v[len] = '\0';
				memcpy(v + at, marks[m], strlen(marks[m]));
				check_value(v);
			}
		}
	}
}

static void
random_values(void **state)
{
	static const char bytes[] = "xxxxxxxyz  \t;;##=:[]\\\"'\xc3\xa9";
	const char *env = getenv("SLUICE_SEED");
	uint64_t seed = env != NULL ? strtoull(env, NULL, 0) : 20260101;
	struct rng rng = {seed};
	char v[2048];

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int round = 0; round < 20000; round++) {
		size_t len = rng_below(&rng, round % 10 == 0 ? sizeof(v) - 1 : 450);

		for (size_t i = 0; i < len; i++)
			v[i] = bytes[rng_below(&rng, sizeof(bytes) - 1)];
		v[len] = '\0';
		/* Comments behind blanks would end nearly all values at once. */
		for (size_t i = 1; i < len && round % 2 == 0; i++)
			if (v[i] == ';' && (v[i - 1] == ' ' || v[i - 1] == '\t'))
				v[i] = 'c';
		check_value(v);
	}
}

static void
sixty_five_thousand_bytes(void **state)
{
	static char v[65001];

	(void)state;
	for (size_t i = 0; i < sizeof(v) - 1; i++)
		v[i] = i % 7 == 3 ? ' ' : (char)('a' + i % 23);
	v[sizeof(v) - 2] = 'z';
	check_value(v);
	memset(v, 'x', sizeof(v) - 1);
	check_value(v);
}

/* A line of exactly @len bytes in line 3. */
static int
load_line(size_t len, struct diag *d)
{
	char *text = malloc(len + 16);
	struct ini_doc *doc = NULL;
	size_t n;
	int r;

	assert_non_null(text);
	n = (size_t)sprintf(text, "[s]\n\nkey=");
	memset(text + n, 'x', len - 4);
	n += len - 4;
	text[n++] = '\n';
	r = ini_load_text("t.ini", text, n, &doc, d);
	ini_doc_free(doc);
	free(text);
	return r;
}

static void
line_limit(void **state)
{
	struct diag d = {0};

	(void)state;
	assert_int_equal(load_line(65536, &d), 0);
	assert_int_equal(load_line(65537, &d), -EINVAL);
	assert_int_equal(d.line, 3);
	assert_string_equal(d.msg, "expected a line of at most 65536 bytes, got 65537");
}

static void
places_kinds_and_comments(void **state)
{
	static const char text[] = "\xef\xbb\xbf; head\r\n"
				   "[node]\r\n"
				   "name = edge1 ; the name\r\n"
				   "  # indented comment\r\n"
				   "  location=lhr;no comment\r\n"
				   "\r\n"
				   "[rule  random-subdomains]   ; trailing\n"
				   "match = dns -i *.www.example.uk = x\n"
				   "comment =;x\n"
				   "empty =\n"
				   "hash = a # b\n"
				   "[port e]";
	struct ini_doc *doc = load_ok(text, sizeof(text) - 1);
	const struct ini_section *s;
	size_t n;

	(void)state;
	s = ini_doc_sections(doc, &n);
	assert_int_equal(n, 3);
	assert_string_equal(s[0].kind, "node");
	assert_string_equal(s[0].name, "");
	assert_string_equal(s[0].file, "t.ini");
	assert_int_equal(s[0].line, 2);
	assert_int_equal(s[0].n_entries, 2);
	assert_string_equal(s[0].entries[0].value, "edge1");
	assert_int_equal(s[0].entries[0].line, 3);
	assert_string_equal(s[0].entries[1].key, "location");
	assert_string_equal(s[0].entries[1].value, "lhr;no comment");
	assert_string_equal(s[1].kind, "rule");
	assert_string_equal(s[1].name, "random-subdomains");
	assert_string_equal(s[1].entries[0].value, "dns -i *.www.example.uk = x");
	assert_string_equal(s[1].entries[1].value, ";x");
	assert_string_equal(s[1].entries[2].value, "");
	assert_string_equal(s[1].entries[3].value, "a # b");
	assert_int_equal(s[1].entries[3].line, 11);
	assert_int_equal(s[2].n_entries, 0);
	assert_int_equal(s[2].line, 12);
	ini_doc_free(doc);
}

/* What must be refused, and with which words. */
static const struct bad_case {
	const char *text;
	size_t len; /* 0: strlen */
	unsigned int line;
	const char *msg;
} bad_cases[] = {
	{"[s]\nfoo\n", 0, 2, "expected [section] or key = value, got 'foo'"},
	{"[s]\n = x\n", 0, 2, "expected [section] or key = value, got '= x'"},
	{"[s]\nkey: x = y\n", 0, 2, "expected [section] or key = value, got 'key: x = y'"},
	{"[s]\nk = 1\n  continued\n", 0, 3, "expected [section] or key = value, got 'continued'"},
	{"k = 1\n", 0, 1, "expected a [section] before the key 'k'"},
	{"[s]\nk = 1\nj = 2\nk = 3\n", 0, 4,
		"the key 'k' is already set in line 2 of this section"},
	{"[s\n", 0, 1, "expected ']' at the end of '[s'"},
	{"[s ; x]\n", 0, 1, "expected ']' at the end of '[s'"},
	{"[s] k = 1\n", 0, 1, "expected nothing behind ']', got ' k = 1'"},
	{"[ ]\n", 0, 1, "expected a section name in '[]'"},
	{"[s]\nk = a\0b\n", 12, 2, "expected text, got the control character 0x00 in column 6"},
	{"[s]\nk = a\rb\n", 0, 2, "expected text, got the control character 0x0d in column 6"},
	{"; \v\n", 0, 1, "expected text, got the control character 0x0b in column 3"},
	{"[s]\nkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk = 1\n", 0, 2,
		"expected a key of at most 48 bytes, got 'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…'"},
	{"[rule aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n", 0, 1,
		"expected at most 48 bytes between '[' and ']', got 49"},
};

static void
bad_files_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(bad_cases); i++) {
		const struct bad_case *c = &bad_cases[i];
		struct ini_doc *doc = NULL;
		struct diag d = {0};

		assert_int_equal(ini_load_text("t.ini", c->text,
					 c->len != 0 ? c->len : strlen(c->text), &doc, &d),
			-EINVAL);
		assert_null(doc);
		assert_string_equal(d.msg, c->msg);
		assert_int_equal(d.line, c->line);
		assert_string_equal(d.file, "t.ini");
	}
}

static void
runs_without_a_place_to_cut(void **state)
{
	static const char marks[] = {' ', '#'};
	char v[600];
	int n;

	(void)state;
	for (size_t m = 0; m < DIM(marks); m++) {
		struct ini_doc *doc = NULL;
		struct diag d = {0};

		n = snprintf(v, sizeof(v), "[s]\nkey=x");
		memset(v + n, marks[m], 300);
		v[n + 300] = 'x';
		assert_int_equal(ini_load_text("t.ini", v, (size_t)n + 301, &doc, &d), -EINVAL);
		assert_int_equal(d.line, 2);
		assert_non_null(strstr(d.msg, "in a row of blanks, ';' or '#'"));
		/* As a comment they are nobody's business. */
		v[4] = '#';
		doc = load_ok(v, (size_t)n + 301);
		ini_doc_free(doc);
	}
}

static void
write_file(const char *dir, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
several_files(void **state)
{
	char dir[] = "/tmp/sluice-ini-XXXXXX", path[64], conf_d[64], cmd[64];
	const struct ini_section *s;
	struct ini_doc *doc = NULL;
	struct diag d = {0};
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(conf_d, sizeof(conf_d), "%s/conf.d", dir);
	(void)snprintf(path, sizeof(path), "%s/main.ini", dir);
	write_file(dir, "main.ini", "[a]\n");
	assert_int_equal(ini_load(path, conf_d, &doc, &d), 0); /* no such directory */
	ini_doc_free(doc);

	assert_int_equal(mkdir(conf_d, 0700), 0);
	write_file(conf_d, "b.ini", "[b]\nk = 2");
	write_file(conf_d, "B.ini", "[B]\n");
	write_file(conf_d, "10.ini", "[ten]\nk = 1\n");
	write_file(conf_d, "9.ini", "[nine]\n");
	write_file(conf_d, ".hidden.ini", "bad");
	write_file(conf_d, "note.txt", "bad");
	assert_int_equal(ini_load(path, conf_d, &doc, &d), 0);
	s = ini_doc_sections(doc, &n);
	assert_int_equal(n, 5);
	assert_string_equal(s[1].kind, "ten");
	assert_string_equal(s[2].kind, "nine");
	assert_string_equal(s[3].kind, "B");
	assert_string_equal(s[4].kind, "b");
	assert_string_equal(s[4].entries[0].value, "2");
	assert_non_null(strstr(s[4].file, "/conf.d/b.ini"));
	ini_doc_free(doc);

	write_file(conf_d, "zz.ini", "\n[z]\nbad\n");
	assert_int_equal(ini_load(path, conf_d, &doc, &d), -EINVAL);
	assert_non_null(strstr(d.file, "/conf.d/zz.ini"));
	assert_int_equal(d.line, 3);

	d = (struct diag){0};
	assert_int_equal(ini_load(conf_d, NULL, &doc, &d), -EISDIR);
	assert_string_equal(d.msg, "cannot read: Is a directory");
	d = (struct diag){0};
	assert_int_equal(ini_load("/nonexistent/x.ini", NULL, &doc, &d), -ENOENT);
	assert_string_equal(d.file, "/nonexistent/x.ini");
	assert_string_equal(d.msg, "cannot open: No such file or directory");

	(void)snprintf(cmd, sizeof(cmd), "rm -r '%s'", dir);
	assert_int_equal(system(cmd), 0);
}

static void
memory_may_fail_anywhere(void **state)
{
	static char text[3000];
	size_t len;
	long n = 0;
	int r;

	(void)state;
	len = (size_t)snprintf(text, sizeof(text), "[s]\nk = 1\n[t]\nlong = %02000d\nl = 2\n", 7);
	do {
		struct ini_doc *doc = NULL;
		struct diag d = {0};

		mem_fault_set(n);
		r = ini_load_text("t.ini", text, len, &doc, &d);
		if (r < 0) {
			assert_int_equal(r, -ENOMEM);
			assert_null(doc);
			assert_string_equal(d.msg, "out of memory");
		}
		ini_doc_free(doc);
		n++;
	} while (r < 0);
	assert_true(mem_fault_set(-1) < n);
	assert_true(n > 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_where_inih_cuts),
		cmocka_unit_test(random_values),
		cmocka_unit_test(sixty_five_thousand_bytes),
		cmocka_unit_test(line_limit),
		cmocka_unit_test(places_kinds_and_comments),
		cmocka_unit_test(bad_files_are_refused),
		cmocka_unit_test(runs_without_a_place_to_cut),
		cmocka_unit_test(several_files),
		cmocka_unit_test(memory_may_fail_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
