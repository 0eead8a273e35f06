// SPDX-License-Identifier: BSD-3-Clause
/*
 * Generators of few words: examples, scopes and what is refused. test_cases.c has
 * random patterns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <errno.h>
#include <pcap/pcap.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "check.h"
#include "gen/gen.h"

#define PACKETS 4000
#define PACKET_MAX 256

static struct rng rng;

struct packet {
	uint8_t b[PACKET_MAX]; /* from the IP header on */
	uint32_t len;
	uint32_t payload; /* where it starts */
	uint32_t l4;
};

static struct gen_out
generate(const char *type, const struct gen_opts *opts, int argc, const char *const *argv)
{
	struct gen_out out = {0};
	struct diag diag = {0};

	if (gen_run(type, opts, argc, argv, &out, &diag) < 0)
		fail_msg("%s %s: %s", type, argc > 0 ? argv[argc - 1] : "", diag.msg);
	check_text(&out);
	return out;
}

/* What both engines say of @p; they must agree. */
static bool
runs(const struct gen_out *out, const struct packet *p, uint32_t caplen)
{
	struct cbpf_prog *prog = NULL;
	struct bpf_insn theirs[2048];
	struct diag diag = {0};
	uint32_t a, b;

	assert_true(out->n <= DIM(theirs));
	for (size_t i = 0; i < out->n; i++)
		theirs[i] = (struct bpf_insn){
			out->insns[i].code, out->insns[i].jt, out->insns[i].jf, out->insns[i].k};
	assert_int_equal(cbpf_prog_new(out->insns, out->n, &prog, &diag), 0);
	a = cbpf_run(prog, p->b, caplen, p->len);
	b = bpf_filter(theirs, p->b, p->len, caplen);
	assert_int_equal(a, b);
	cbpf_prog_free(prog);
	return a != 0;
}

/* A datagram of @family with UDP or TCP and @n bytes of payload at random. */
static void
make_packet(struct packet *p, uint8_t family, bool tcp, uint32_t n)
{
	const uint32_t options = family == 4 && rng_below(&rng, 4) == 0 ? 8 : 0;
	const uint32_t tcp_options = tcp && rng_below(&rng, 2) == 0 ? 12 : 0;

	for (size_t i = 0; i < PACKET_MAX; i++)
		p->b[i] = (uint8_t)rng_next(&rng);
	p->b[0] = family == 4 ? (uint8_t)(0x45 + options / 4) : 0x60;
	p->l4 = family == 4 ? 20 + options : 40;
	p->payload = p->l4 + (tcp ? 20 + tcp_options : 8);
	if (tcp)
		p->b[p->l4 + 12] = (uint8_t)((20 + tcp_options) << 2);
	p->len = p->payload + n;
}

static void
test_magic_word(void **state)
{
	const struct gen_opts opts = {.family = 4};
	const char *argv[] = {"--end", "text:xyzzy"};
	struct gen_out out = generate("payload", &opts, 2, argv);
	struct packet p;

	(void)state;
	make_packet(&p, 4, false, 9);
	memcpy(p.b + p.len - 5, "xyzzy", 5);
	assert_true(runs(&out, &p, p.len));
	p.b[p.len - 1] = 'z';
	assert_false(runs(&out, &p, p.len));
	gen_out_fini(&out);
}

/* What each program takes for granted. */
static void
test_scopes(void **state)
{
	static const struct {
		const char *type, *word;
		uint8_t proto;
		uint16_t sport, dport;
	} scopes[] = {
		{"dns_validate", NULL, 17, 0, 53},
		{"syn_validate", NULL, 6, 0, 0},
		{"ntp", NULL, 17, 0, 123},
		{"ntp", "--response", 17, 123, 0},
		{"ssdp", NULL, 17, 0, 1900},
		{"ssdp", "--response", 17, 1900, 0},
		{"cldap", NULL, 17, 0, 389},
		{"cldap", "--response", 17, 389, 0},
		{"memcached", NULL, 17, 0, 11211},
		{"memcached", "--response", 17, 11211, 0},
		{"sip", NULL, 17, 0, 5060},
		{"sip", "--invalid", 17, 0, 5060},
		{"suffix", "01", 0, 0, 0},
		{"payload", "01", 17, 0, 0},
	};
	const struct gen_opts opts = {.family = 4};

	(void)state;
	for (size_t i = 0; i < DIM(scopes); i++) {
		struct gen_out out =
			generate(scopes[i].type, &opts, scopes[i].word != NULL, &scopes[i].word);

		assert_int_equal(out.scope.proto, scopes[i].proto);
		assert_int_equal(out.scope.sport, scopes[i].sport);
		assert_int_equal(out.scope.dport, scopes[i].dport);
		assert_true(out.scope.no_later_fragments);
		gen_out_fini(&out);
	}
}

/* Bytes that may be anything must be there all the same. */
static void
test_wildcards_must_be_there(void **state)
{
	static const struct {
		const char *type, *option, *word;
		uint32_t payload; /* bytes, the least that matches */
	} cases[] = {
		{"payload", "--at", "01xx", 2},
		{"payload", "--at", "01020304xxxxxx", 7},
		{"payload", "--end", "xxxxxxxx01", 5},
		{"payload", "--end", "xxxxxxxxxxxxxxxx0102", 10},
		{"suffix", NULL, "xxxxxxxx01", 0},
	};
	const struct gen_opts opts = {.family = 4};

	(void)state;
	for (size_t i = 0; i < DIM(cases); i++) {
		const bool at = cases[i].option != NULL && strcmp(cases[i].option, "--at") == 0;
		const char *argv[3] = {cases[i].option, at ? "0" : cases[i].word, cases[i].word};
		const bool bare = cases[i].option == NULL;
		struct gen_out out = generate(cases[i].type, &opts,
			at             ? 3
				: bare ? 1
				       : 2,
			argv + (bare ? 2 : 0));
		struct packet p;

		for (uint32_t n = 0; n < 16; n++) {
			make_packet(&p, 4, false, n);
			if (at)
				memcpy(p.b + p.payload, "\1\2\3\4", 4);
			else
				memcpy(p.b + p.len - 2, "\1\2", 2);
			p.b[p.len - 1] = at || i == 3 ? p.b[p.len - 1] : 1;
			if (at && n < 4)
				memcpy(p.b + p.payload, "\1\2\3\4", n);
			assert_int_equal(runs(&out, &p, p.len), n >= cases[i].payload);
		}
		gen_out_fini(&out);
	}
}

/* ---- what is refused ---- */

static void
test_refused(void **state)
{
	static const struct {
		const char *type, *a, *b;
		unsigned int col;
	} bad[] = {
		{"suffix", NULL, NULL, 0},
		{"suffix", "012", NULL, 4},
		{"suffix", "01zz", NULL, 3},
		{"suffix", "xxxx", NULL, 0},
		{"payload", NULL, NULL, 0},
		{"payload", "--at", NULL, 0},
		{"payload", "--at", "70000", 0},
		{"payload", "--front", "01", 0},
		{"payload", "0102/ff", NULL, 0},
		{"payload", "01", "02", 0},
		{"payload", "text:", NULL, 0},
		{"dns_validate", "example.com", NULL, 0},
		{"syn_validate", "--loose", NULL, 0},
		{"sip", "--method", NULL, 0},
		{"sip", "--method", "INVITE;BYE", 7},
		{"sip", "--method", "INVITE,,BYE", 8},
		{"sip", "--method", "INVITE,", 8},
		{"sip", "--method", "", 1},
		{"sip", "--method", "BYE,AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBB", 5},
		{"sip", "--start-line", NULL, 0},
		{"sip", "INVITE", NULL, 0},
		{"ntp", "--request", NULL, 0},
		{"ssdp", "--request", NULL, 0},
		{"cldap", "--request", NULL, 0},
		{"memcached", "--request", NULL, 0},
	};
	const struct gen_opts opts = {.family = 4};

	(void)state;
	for (size_t i = 0; i < DIM(bad); i++) {
		const char *argv[] = {bad[i].a, bad[i].b};
		struct gen_out out = {0};
		struct diag diag = {0};
		int argc = (bad[i].a != NULL) + (bad[i].b != NULL);

		assert_true(gen_run(bad[i].type, &opts, argc, argv, &out, &diag) < 0);
		if (diag.msg[0] == '\0' || diag.col != bad[i].col)
			fail_msg("%s %s: column %u: %s", bad[i].type, bad[i].a, diag.col, diag.msg);
	}
}

int
main(void)
{
	const char *seed = getenv("SLUICE_SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_magic_word),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_wildcards_must_be_there),
		cmocka_unit_test(test_refused),
	};

	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	print_message("seed %llu\n", (unsigned long long)rng.state);
	return cmocka_run_group_tests_name("gen-bytes", tests, NULL, NULL);
}
