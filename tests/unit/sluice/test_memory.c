// SPDX-License-Identifier: BSD-3-Clause
/* Every allocation of nft, explain and replay fails once: told, nothing leaks, nothing half is shown. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "explain.h"
#include "nft.h"
#include "pkt/build.h"
#include "replay.h"
#include "rules.h"
#include "rules/ruleset.h"

static const char rules_text[] =
	"[set v]\nprefixes = 10.0.0.0/8, 2001:db8::/32\n"
	"[rule a]\nmatch = dns -i a.www.example.uk\ndst = v\naction = drop\n"
	"[rule b]\nmatch = dns *.www.example.uk\naction = drop\n"
	"[rule c]\nexpr = tcp[13] & 2 != 0\nsrc = 10.0.0.0/8\naction = count\n"
	"[rule d]\ndport = 7, 9-12\nfragments = match\naction = pass\n";
static char path[64];

static int
write_rules(void **state)
{
	FILE *f;
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/sluice-memory-XXXXXX");
	fd = mkstemp(path);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (f == NULL)
		return -1;
	(void)fputs(rules_text, f);
	return fclose(f);
}

static int
remove_rules(void **state)
{
	(void)state;
	return unlink(path);
}

static void
load(struct rules_file *file)
{
	const struct rules_opts opts = {
		.offline = true, .keep_text = true, .engine = MATCH_ENGINE_INTERP};
	struct diag diag = {0};

	assert_int_equal(rules_file_load(path, &opts, file, &diag), 0);
}

/* A query that rule b matches. */
static size_t
make_frame(uint8_t *buf, size_t cap)
{
	static const uint8_t mac[6] = {2};
	struct pkt_build b;

	pkt_build_init(&b, buf, cap);
	pkt_build_ether(&b, mac, mac);
	pkt_build_ip4(&b, &(struct pkt_ip4){.src = 0x0a000001, .dst = 0x0a000002, .ttl = 64});
	pkt_build_udp(&b, 1234, 53);
	pkt_build_dns_query(&b, 1, "x.www.example.uk", 1, false);
	return pkt_build_done(&b);
}

static int
make_script(const struct rules_file *file, struct sbuf *out)
{
	struct nft nft = {
		.arena = ARENA_INIT,
		.conf = {.table = "t", .chain = "c", .hook = "input", .own_table = true},
	};
	struct diag diag = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ruleset_count(file->rules); i++) {
		const struct ruleset_info *info = ruleset_info(file->rules, i);
		const struct nft_rule rule = {.m = ruleset_rule(file->rules, i),
			.name = info->name,
			.src_set = info->src_set,
			.dst_set = info->dst_set};

		r = nft_add(&nft, &rule, &diag);
	}
	if (r == 0) {
		nft_script(&nft, out);
		nft_undo(&nft, out);
		r = sbuf_ok(out) ? 0 : -ENOMEM;
	}
	nft_fini(&nft);
	return r;
}

static void
test_nft(void **state)
{
	struct sbuf want = SBUF_INIT;
	struct rules_file file;
	long asked = 1;

	(void)state;
	load(&file);
	assert_int_equal(make_script(&file, &want), 0);
	for (long nth = 0; asked >= nth; nth++) {
		struct sbuf got = SBUF_INIT;
		int r;

		(void)mem_fault_set(nth);
		r = make_script(&file, &got);
		asked = mem_fault_set(-1);
		if (asked > nth)
			assert_int_equal(r, -ENOMEM);
		else
			assert_string_equal(sbuf_str(&got), sbuf_str(&want));
		sbuf_fini(&got);
	}
	sbuf_fini(&want);
	rules_file_fini(&file);
}

static void
ask_once(const struct rules_file *file, size_t i, const struct pkt_view *v)
{
	const char *const text[2] = {
		ruleset_text(file->rules, i, 0), ruleset_text(file->rules, i, 1)};
	static uint8_t buf[MATCH_DATAGRAM_MAX];
	long asked = 1;

	for (long nth = 0; asked >= nth; nth++) {
		struct explain_says says;
		int r;

		(void)mem_fault_set(nth);
		r = explain_ask(ruleset_rule(file->rules, i), ruleset_info(file->rules, i), text, v,
			buf, &says);
		asked = mem_fault_set(-1);
		/* Where words did not fit into memory they are left out, not wrong. */
		assert_true(r == 0 || r == -ENOMEM);
		assert_true(asked > nth || r == 0);
		explain_says_fini(&says);
	}
}

static void
test_explain(void **state)
{
	struct rules_file file;
	uint8_t frame[256];
	struct pkt_view v;
	size_t n = make_frame(frame, sizeof(frame));

	(void)state;
	load(&file);
	pkt_parse_ether(frame, (uint32_t)n, (uint32_t)n, &v);
	for (size_t i = 0; i < ruleset_count(file.rules); i++)
		ask_once(&file, i, &v);
	rules_file_fini(&file);
}

static void
test_replay(void **state)
{
	uint8_t bytes[256];
	const uint32_t n = (uint32_t)make_frame(bytes, sizeof(bytes));
	const struct pkt_frame frame = {.data = bytes, .caplen = n, .wirelen = n, .number = 1};
	long asked = 1;

	(void)state;
	for (long nth = 0; asked >= nth; nth++) {
		struct sbuf out = SBUF_INIT;
		struct diag diag = {0};
		struct replay r;
		int err;

		(void)mem_fault_set(nth);
		err = replay_init(path, NULL, &r, &diag);
		if (err == 0) {
			replay_file(&r, "-");
			err = replay_frame(&r, 1, &frame, NULL);
			replay_flush(&r, NULL);
			replay_text(&r, 5, &out);
			replay_json(&r, 5, &out);
		}
		asked = mem_fault_set(-1);
		assert_true(err < 0 || !sbuf_ok(&out) || r.all.packets == 1);
		assert_true(asked > nth || (err == 0 && sbuf_ok(&out)));
		replay_fini(&r);
		sbuf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nft),
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_replay),
	};

	return cmocka_run_group_tests(tests, write_rules, remove_rules);
}
