// SPDX-License-Identifier: BSD-3-Clause
/*
 * The default configuration: it names every key, loads as it is, and
 * conf/sluiced.ini is what --print-config prints. Where it is not, the right
 * text is written to sluiced.ini in the folder the test runs in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/ini.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "ctl/conf.h"
#include "rules/ruleset.h"

static const char *conf_folder; /* of the sources */

static void
print(struct sbuf *out)
{
	size_t n;
	const struct ini_key *keys = ruleset_keys(&n);

	ctl_conf_print(keys, n, out);
	assert_true(sbuf_ok(out));
}

/* Load configuration and rules as the daemon does, with @text as the file. */
static void
check_loads(const char *name, const char *text)
{
	struct ini_doc *doc = NULL;
	struct ctl_conf *conf = NULL;
	struct ruleset *rs = NULL;
	struct diag d = {0};
	char buf[800];
	int r = ini_load_text(name, text, strlen(text), &doc, &d);

	if (r == 0)
		r = ctl_conf_load(doc, &conf, &d);
	if (r == 0) {
		const char *port = conf->n_ports > 0 ? conf->ports[0].name : "";
		const struct ruleset_opts opts = {
			.location = conf->location, .ports = &port, .n_ports = conf->n_ports};

		r = ruleset_load(doc, &opts, &rs, &d);
	}
	if (r < 0)
		fail_msg("%s", diag_format(&d, buf, sizeof(buf)));
	ruleset_free(rs);
	ctl_conf_free(conf);
	ini_doc_free(doc);
}

static void
every_key_is_there(void **state)
{
	struct sbuf out = SBUF_INIT;

	(void)state;
	print(&out);
	for (int table = 0; table < 2; table++) {
		size_t n;
		const struct ini_key *k = table == 0 ? ctl_conf_keys(&n) : ruleset_keys(&n);

		for (size_t i = 0; i < n; i++) {
			char active[80], commented[80];

			(void)snprintf(active, sizeof(active), "\n%s =", k[i].key);
			(void)snprintf(commented, sizeof(commented), "\n;%s =", k[i].key);
			assert_true(strstr(sbuf_str(&out), active) != NULL ||
				strstr(sbuf_str(&out), commented) != NULL);
			assert_non_null(strstr(sbuf_str(&out), k[i].help));
		}
	}
	sbuf_fini(&out);
}

static void
it_loads(void **state)
{
	struct sbuf out = SBUF_INIT;

	(void)state;
	print(&out);
	check_loads("printed", sbuf_str(&out));
	sbuf_fini(&out);
}

/* With every line that is commented out brought in, so that the examples are right too. */
static void
it_loads_with_its_examples(void **state)
{
	struct sbuf out = SBUF_INIT, all = SBUF_INIT;
	const char *line;

	(void)state;
	print(&out);
	for (line = sbuf_str(&out); *line != '\0';) {
		size_t len = strcspn(line, "\n");
		bool example = line[0] == ';' && line[1] != ' ';
		/* One program and one source of prefixes; a set's file is not there. */
		static const char *const others[] = {
			";expr", ";bytecode", ";file", ";link", ";http", ";port ="};
		bool other = false;

		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
			other |= strncmp(line, others[i], strlen(others[i])) == 0 &&
				strncmp(line, ";file = /var", 12) != 0;
		/* A key without default and example has nothing to bring in. */
		if (len > 0 && line[len - 1] == '=')
			other = true;
		if (!other)
			sbuf_add(&all, line + example, len - example);
		sbuf_addc(&all, '\n');
		line += len + (line[len] == '\n');
	}
	check_loads("examples", sbuf_str(&all));
	sbuf_fini(&all);
	sbuf_fini(&out);
}

static void
the_file_is_what_is_printed(void **state)
{
	struct sbuf out = SBUF_INIT;
	struct diag d = {0};
	char path[4096];
	char *text = NULL;
	size_t len = 0;

	(void)state;
	print(&out);
	(void)snprintf(path, sizeof(path), "%s/sluiced.ini", conf_folder);
	if (file_read(path, 1 << 20, &text, &len, &d) < 0 || strcmp(text, sbuf_str(&out)) != 0) {
		FILE *f = fopen("sluiced.ini", "we");

		assert_non_null(f);
		assert_true(fputs(sbuf_str(&out), f) >= 0);
		assert_int_equal(fclose(f), 0);
		fail_msg("%s is not what --print-config prints; see sluiced.ini here", path);
	}
	mem_free(text);
	sbuf_fini(&out);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_there),
		cmocka_unit_test(it_loads),
		cmocka_unit_test(it_loads_with_its_examples),
		cmocka_unit_test(the_file_is_what_is_printed),
	};

	if (argc != 2)
		return 2;
	conf_folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
