// SPDX-License-Identifier: BSD-3-Clause
/* When rules end: through a restart, and in an image; and loading when memory fails. */
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
#include "base/mem.h"
#include "match/image.h"
#include "pkt/view.h"
#include "rules/ruleset.h"

#include "config.h"
#include "ttl.h"

#define PORT "[port a]\ndevice = net_null0\nexception = none\n"
#define NOW_MS UINT64_C(1700000000000)

static char folder[] = "/tmp/sluiced-ttl-XXXXXX";
static char conf_path[64], state_path[64];

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(conf_path, sizeof(conf_path), "%s/t.ini", folder);
	(void)snprintf(state_path, sizeof(state_path), "%s/ttl.state", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	(void)unlink(conf_path);
	(void)unlink(state_path);
	return rmdir(folder);
}

static void
write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static struct config *
config_of(const char *rules)
{
	struct config *c = NULL;
	struct diag d = {0};
	char text[1024], buf[800];

	(void)snprintf(text, sizeof(text), PORT "[node]\nstate = %s\n%s", folder, rules);
	write_text(conf_path, text);
	if (config_load(conf_path, NULL, &c, &d) < 0)
		fail_msg("refused: %s", diag_format(&d, buf, sizeof(buf)));
	return c;
}

static void
time_goes_on_through_a_restart(void **state)
{
	struct config *c = config_of("[rule x]\nmatch = all\naction = count\nttl = 60 s\n");
	struct ruleset_ttl *none = ttl_load(c->rules, c->conf), *noted = NULL, *loaded;

	(void)state;
	assert_int_equal(ruleset_ttl_note(none, c->rules, NOW_MS, &noted), 0);
	ttl_save(noted, c->rules, c->conf);
	loaded = ttl_load(c->rules, c->conf);
	assert_non_null(loaded);
	ruleset_ttl_free(noted);
	assert_int_equal(ruleset_ttl_note(loaded, c->rules, NOW_MS + 50000, &noted), 0);
	assert_int_equal(ruleset_ttl_end_ms(noted, c->rules, 0), NOW_MS + 60000);
	ruleset_ttl_free(none);
	ruleset_ttl_free(noted);
	ruleset_ttl_free(loaded);
	config_free(c);
}

static void
a_damaged_file_means_anew(void **state)
{
	struct config *c = config_of("[rule x]\nmatch = all\naction = count\nttl = 60 s\n");
	struct ruleset_ttl *t;

	(void)state;
	write_text(state_path, "no such thing\n");
	t = ttl_load(c->rules, c->conf);
	assert_non_null(t);
	assert_int_equal(ruleset_ttl_end_ms(t, c->rules, 0), UINT64_MAX);
	ruleset_ttl_free(t);
	config_free(c);
}

static void
without_a_ttl_no_file_is_touched(void **state)
{
	struct config *c = config_of("[rule x]\nmatch = all\naction = count\n");
	struct ruleset_ttl *t;

	(void)state;
	(void)unlink(state_path);
	t = ttl_load(c->rules, c->conf);
	assert_non_null(t);
	ttl_save(t, c->rules, c->conf);
	assert_int_equal(access(state_path, F_OK), -1);
	ruleset_ttl_free(t);
	config_free(c);
}

/* The first rule of @image that a frame matches. */
static uint32_t
first_match(const struct match_image *image)
{
	static const uint8_t frame[60];
	const uint8_t which = 0;
	uint32_t found = 0;
	struct pkt_view view;

	pkt_parse_ether(frame, sizeof(frame), sizeof(frame), &view);
	match_image_first(image, &view, &which, 1, 0, &found, &found);
	return found;
}

static void
an_image_forgets_what_is_over(void **state)
{
	struct config *c = config_of(
		"[rule x]\nmatch = all\naction = count\nttl = 60 s\n[rule y]\nmatch = all\naction = count\n");
	struct rules_slots *slots = NULL;
	struct match_image *image = NULL;
	struct ruleset_ttl *t = NULL;
	struct diag d = {0};

	(void)state;
	assert_int_equal(rules_slots_new(&slots), 0);
	assert_int_equal(ruleset_compile(c->rules, slots, MATCH_ENGINE_AUTO, &image, &d), 0);
	assert_int_equal(ruleset_ttl_note(NULL, c->rules, NOW_MS, &t), 0);

	assert_int_equal(ttl_apply(t, c->rules, image, NOW_MS + 59999), 0);
	assert_int_equal(first_match(image), 0);
	assert_int_equal(ttl_apply(t, c->rules, image, NOW_MS + 60000), 1);
	assert_int_equal(first_match(image), 1);

	ruleset_ttl_free(t);
	match_image_free(image);
	rules_slots_free(slots);
	config_free(c);
}

static void
memory_may_fail_anywhere(void **state)
{
	long n = 0;
	int r;

	(void)state;
	config_free(config_of("[rule x]\nmatch = dns a.example\naction = drop\nttl = 60 s\n"));
	do {
		struct config *c = NULL;
		struct diag d = {0};

		mem_fault_set(n++);
		r = config_load(conf_path, NULL, &c, &d);
		mem_fault_set(-1);
		if (r < 0)
			assert_int_equal(r, -ENOMEM);
		config_free(c);
	} while (r < 0);
	assert_true(n > 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_goes_on_through_a_restart),
		cmocka_unit_test(a_damaged_file_means_anew),
		cmocka_unit_test(without_a_ttl_no_file_is_touched),
		cmocka_unit_test(an_image_forgets_what_is_over),
		cmocka_unit_test(memory_may_fail_anywhere),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
