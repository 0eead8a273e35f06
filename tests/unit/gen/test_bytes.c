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

#define PACKET_MAX 1024

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
	struct bpf_insn theirs[4096];
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

/* ---- sip: messages as RFC 3261 has them, and as servers send them ---- */

static void
put_payload(struct packet *p, const char *text)
{
	make_packet(p, 4, false, (uint32_t)strlen(text));
	memcpy(p->b + p->payload, text, strlen(text));
	store_be16(p->b + p->l4 + 4, (uint16_t)(8 + strlen(text)));
}

static void
test_sip_messages(void **state)
{
	static const struct {
		const char *text;
		bool request, invalid;
	} cases[] = {
		{"INVITE sip:bob@biloxi.com SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8\r\n"
		 "Max-Forwards: 70\r\nTo: Bob <sip:bob@biloxi.com>\r\n"
		 "From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
		 "Call-ID: a84b4c76e66710\r\nCSeq: 314159 INVITE\r\n"
		 "Contact: <sip:alice@pc33.atlanta.com>\r\nContent-Length: 0\r\n\r\n",
			true, false},
		{"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP server10.biloxi.com;"
		 "branch=z9hG4bK4b43c2ff8.1\r\n ;received=192.0.2.3\r\n"
		 "Via: SIP/2.0/UDP bigbox3.site3.atlanta.com\r\n ;branch=z9hG4bK77ef4c2312983.1\r\n"
		 "To: Bob <sip:bob@biloxi.com>;tag=a6c85cf\r\nFrom: Alice <sip:a@atlanta.com>\r\n"
		 "Call-ID: a84b4c76e66710\r\nCSeq: 314159 INVITE\r\nContent-Length: 0\r\n\r\n",
			false, false},
		{"OPTIONS sip:100@192.0.2.7 SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.9:5060;rport\r\n"
		 "f: <sip:a@192.0.2.9>;tag=1\r\nt: <sip:100@192.0.2.7>\r\ni: 7@192.0.2.9\r\n"
		 "CSeq: 1 OPTIONS\r\nl: 0\r\n\r\n",
			true, false},
		{"OPTIONS sip:100@192.0.2.7 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060\r\n"
		 "Contact: <sip:a@192.0.2.9>;expires=3600\r\nContent-Length: 0\r\n\r\n",
			true, true},
		{"OPTIONS sip:100@192.0.2.7 SIP/1.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060\r\n"
		 "From: x\r\nTo: x\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
			true, true},
		{"invite sip:bob@biloxi.com SIP/2.0\r\nVia: SIP/2.0/UDP pc33.atlanta.com\r\n",
			false, true},
		{"GET / HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n", false,
			true},
		{"\r\n\r\n", false, false},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, true},
	};
	const struct gen_opts opts = {.family = 4};
	const char *argv[] = {"--invalid"};
	struct gen_out requests = generate("sip", &opts, 0, NULL);
	struct gen_out invalid = generate("sip", &opts, 1, argv);
	struct packet p;

	(void)state;
	for (size_t i = 0; i < DIM(cases); i++) {
		put_payload(&p, cases[i].text);
		if (runs(&requests, &p, p.len) != cases[i].request ||
			runs(&invalid, &p, p.len) != cases[i].invalid)
			fail_msg("%s", cases[i].text);
	}
	gen_out_fini(&requests);
	gen_out_fini(&invalid);
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

/* What cannot look behind extension headers says so. */
static void
test_extensions(void **state)
{
	const struct gen_opts opts4 = {.family = 4, .extensions = true};
	const struct gen_opts opts6 = {.family = 6, .extensions = true};
	const char *argv[] = {"01"};
	struct gen_out out = {0};
	struct diag diag = {0};

	(void)state;
	assert_int_equal(gen_run("payload", &opts6, 1, argv, &out, &diag), 0);
	gen_out_fini(&out);
	assert_int_equal(gen_run("payload", &opts4, 1, argv, &out, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "IPv6"));
	assert_int_equal(gen_run("suffix", &opts6, 1, argv, &out, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "suffix does not look behind extension headers"));
}

int
main(void)
{
	const char *seed = getenv("SLUICE_SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_magic_word),
		cmocka_unit_test(test_sip_messages),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_wildcards_must_be_there),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_refused),
	};

	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	print_message("seed %llu\n", (unsigned long long)rng.state);
	return cmocka_run_group_tests_name("gen-bytes", tests, NULL, NULL);
}
