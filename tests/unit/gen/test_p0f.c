// SPDX-License-Identifier: BSD-3-Clause
/*
 * p0f signatures, judged by p0f itself. Segments of many stacks, real and
 * absurd, are built and given to "p0f -r": the program made of a segment's
 * raw_sig must match that segment; and for every signature, p0f with a database
 * of that signature alone says which of the other segments match.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "check.h"
#include "gen/gen.h"
#include "pkt/savefile.h"

#define N_FRAMES 160
#define FRAME_MAX 200
#define SIG_MAX 512

struct segment {
	uint8_t bytes[FRAME_MAX];
	uint32_t len;
	uint8_t family;
	char sig[SIG_MAX]; /* p0f's raw_sig, "" when p0f ignored the segment */
};

static struct segment segments[N_FRAMES];
static struct rng rng;
static bool synack; /* the segments are SYN+ACKs, each behind a SYN of the other side */
static char dir[] = "/tmp/sluice-p0f-XXXXXX";

static bool
one_in(uint32_t n)
{
	return rng_below(&rng, n) == 0;
}

/* Option strings of stacks that were seen, and of ones that should not be. */
static const struct {
	const char *bytes;
	size_t n;
} layouts[] = {
#define L(s) \
	{ \
		s, sizeof(s) - 1 \
	}
	L("\2\4\5\xb4\4\2\x8\xa\1\2\3\4\0\0\0\0\1\3\3\7"), /* Linux */
	L("\2\4\5\xb4\1\1\4\2"),
	L("\2\4\5\xb4\1\3\3\x8\1\1\4\2"), /* Windows */
	L("\2\4\5\xb4\1\3\3\5\1\1\x8\xa\1\2\3\4\0\0\0\0\4\2\0\0"), /* Darwin */
	L("\2\4\5\xb4"),
	L("\2\4\2\x18\x8\xa\0\0\0\0\0\0\0\0\1\1"), /* ts1- */
	L("\2\4\5\xb4\x8\xa\0\0\0\1\0\0\0\2\1\1"), /* ts2+ */
	L("\2\4\5\xb4\3\3\x0f\1"), /* exws */
	L("\2\4\5\xb4\3\3\2\0\1\1\1\0"), /* eol with non-zero padding */
	L("\2\4\5\xb4\3\3\2\0\0\0\0\1"), /* … in its last byte only */
	L("\2\4\5\xb4\1\1\1\0"),
	L("\2\5\5\xb4\1\1\1\1"), /* bad length */
	L("\2\4\5\xb4\1\1\1\2"), /* cut off */
	L("\2\4\5\xb4\1\1\x8\xa"),
	L("\1\1\1\xfd"), /* no room for the length */
	L("\xfd\4\1\2\2\4\5\xb4"), /* unknown option */
	L("\xfd\x6\1\2\3\4\2\4\5\xb4\1\1"),
	L("\xfd\1\1\2\1\1\1\1"), /* its length is too small */
	L("\5\xa\0\0\0\1\0\0\0\2\2\4\5\xb4\1\1"), /* sack */
	L("\5\4\0\0"),
	L("\2\4\5\xb4\2\4\2\x18\3\3\2\3\3\7\1\1"), /* twice */
	L("\x8\xa\0\0\0\0\0\0\0\0\x8\xa\0\0\0\1\0\0\0\0\2\4\5\xb4"),
	L("\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"), /* more than 24 */
	L(""),
#undef L
};

static uint16_t
some_window(uint16_t mss, uint32_t headers)
{
	const uint32_t divisors[] = {
		mss, mss - 12u, 1460, 1448, 1440, 1428, mss + 40u, mss + headers, mss + 60u, 1500};
	const uint32_t d = divisors[rng_below(&rng, DIM(divisors))];

	switch (rng_below(&rng, 4)) {
	case 0: return 65535;
	case 1: return (uint16_t)rng_next(&rng);
	default: return (uint16_t)(d * (1 + rng_below(&rng, 12)));
	}
}

/* IP header of @s, whose payload of @l4_len bytes follows. Returns its length. */
static uint32_t
put_ip(struct segment *s, uint32_t l4_len)
{
	static const uint8_t ttls[] = {64, 63, 50, 128, 120, 255, 29, 28, 1, 32, 200};
	const uint8_t ttl = ttls[rng_below(&rng, DIM(ttls))];
	const uint32_t options = one_in(10) ? 4 * (1 + rng_below(&rng, 3)) : 0;
	uint8_t *p = s->bytes;

	if (s->family == 6) {
		store_be32(p, 0x60000000 | (one_in(3) ? 0x12345u : 0) | (one_in(6) ? 2u << 20 : 0));
		store_be16(p + 4, (uint16_t)l4_len);
		p[6] = 6;
		p[7] = ttl;
		p[8] = p[24] = 0x20;
		p[23] = 1;
		p[39] = 2;
		return 40;
	}
	p[0] = (uint8_t)(0x45 + options / 4);
	p[1] = one_in(6) ? 2 : 0;
	store_be16(p + 2, (uint16_t)(20 + options + l4_len));
	store_be16(p + 4, one_in(2) ? 0 : 0x1234);
	store_be16(p + 6,
		(uint16_t)((one_in(3) ? 0 : 0x4000) | (one_in(8) ? 0x8000 : 0) |
			(one_in(20) ? 0x2000 : 0)));
	p[8] = ttl;
	p[9] = 6;
	store_be32(p + 12, 0x0a000001);
	store_be32(p + 16, 0x0a000002);
	memset(p + 20, 1, options);
	return 20 + options;
}

static void
make_segment(size_t i)
{
	struct segment *s = &segments[i];
	const size_t l = one_in(2) ? rng_below(&rng, 4) : rng_below(&rng, DIM(layouts));
	const uint32_t n_opts = (uint32_t)layouts[l].n;
	const uint32_t payload = one_in(8) ? 3 : 0;
	uint16_t mss = 1460;
	uint8_t *tcp;

	s->family = one_in(3) ? 6 : 4;
	tcp = s->bytes + put_ip(s, 20 + n_opts + payload);
	s->len = (uint32_t)(tcp - s->bytes) + 20 + n_opts + payload;
	/* The client's port tells the segments apart in p0f's log. */
	store_be16(tcp + (synack ? 2 : 0), (uint16_t)(1024 + i));
	store_be16(tcp + (synack ? 0 : 2), 80);
	store_be32(tcp + 4, one_in(10) ? 0 : 0x11223344);
	store_be32(tcp + 8, one_in(10) != synack ? (one_in(2) ? 0x01000000u : 0x00000001u) : 0);
	tcp[12] = (uint8_t)((20 + n_opts) << 2 | (one_in(12) ? 1 : 0));
	tcp[13] = (uint8_t)((synack ? 0x12 : 0x02) | (one_in(12) ? 0xc0 : 0) |
		(one_in(12) ? 0x08 : 0) | (one_in(12) ? 0x20 : 0));
	store_be16(tcp + 18, one_in(10) ? 7 : 0);
	memcpy(tcp + 20, layouts[l].bytes, n_opts);
	if (n_opts >= 4 && tcp[20] == 2 && one_in(2)) {
		mss = one_in(2) ? 1380 : 536;
		store_be16(tcp + 22, mss);
	}
	store_be16(tcp + 14, some_window(mss, (uint32_t)(tcp - s->bytes) + 20 + n_opts));
}

/*
 * The SYN that SYN+ACK @s answers; without it p0f does not look at the answer. It has
 * no MSS, which p0f would try as a divisor of the answer's window.
 */
static void
make_syn(const struct segment *s, struct segment *syn)
{
	const uint32_t l4 = s->family == 6 ? 40 : 20, addr = s->family == 6 ? 16 : 4;
	const uint8_t *tcp = s->bytes + (s->family == 6 ? 40 : (s->bytes[0] & 15) * 4);
	uint8_t *p = syn->bytes;

	*syn = (struct segment){.family = s->family, .len = l4 + 20};
	p[0] = s->family == 6 ? 0x60 : 0x45;
	store_be16(p + (s->family == 6 ? 4 : 2), s->family == 6 ? 20 : 40);
	p[s->family == 6 ? 6 : 9] = 6;
	p[s->family == 6 ? 7 : 8] = 64;
	memcpy(p + l4 - 2 * addr, s->bytes + l4 - addr, addr);
	memcpy(p + l4 - addr, s->bytes + l4 - 2 * addr, addr);
	memcpy(p + l4, tcp + 2, 2);
	memcpy(p + l4 + 2, tcp, 2);
	store_be32(p + l4 + 4, 1);
	p[l4 + 12] = 5 << 4;
	p[l4 + 13] = 2;
	store_be16(p + l4 + 14, 1024);
}

static void
put_segment(struct pkt_writer *w, const struct segment *s, size_t i)
{
	const struct pkt_frame f = {.data = s->bytes,
		.caplen = s->len,
		.wirelen = s->len,
		.time_ns = 1000000000ull * (1000 + i)};

	assert_int_equal(pkt_writer_put(w, &f), 0);
}

static void
write_segments(const char *path, uint8_t family)
{
	struct diag diag = {0};
	struct pkt_writer *w = NULL;

	assert_int_equal(pkt_writer_open(path, 12, 65535, &w, &diag), 0);
	for (size_t i = 0; i < N_FRAMES; i++) {
		struct segment syn;

		if (segments[i].family != family)
			continue;
		make_syn(&segments[i], &syn);
		if (synack)
			put_segment(w, &syn, i);
		put_segment(w, &segments[i], i);
	}
	assert_int_equal(pkt_writer_close(w), 0);
}

/* The value of "|NAME=" in a line of p0f's log, cut out. */
static bool
field(const char *line, const char *name, char *out, size_t size)
{
	const char *p = strstr(line, name);
	size_t n;

	if (p == NULL)
		return false;
	p += strlen(name);
	n = strcspn(p, "|\n");
	if (n >= size)
		return false;
	memcpy(out, p, n);
	out[n] = '\0';
	return true;
}

/* Run p0f with database @fp on the segments of @family; @seen is called per SYN in its log. */
static void
run_p0f(const char *fp, uint8_t family, void (*seen)(size_t i, const char *line, void *arg),
	void *arg)
{
	char cmd[600], line[2000], path[200];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/log", dir);
	(void)unlink(path);
	(void)snprintf(cmd, sizeof(cmd),
		"p0f -f %s/%s -r %s/ip%u.pcap -o %s >%s/out 2>&1 </dev/null", dir, fp, dir, family,
		path, dir);
	if (system(cmd) != 0)
		fail_msg("p0f failed, see %s/out", dir);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *port = strstr(line, "|cli=");

		if (strstr(line, synack ? "] mod=syn+ack|" : "] mod=syn|") == NULL || port == NULL)
			continue;
		port = strchr(port, '/');
		assert_non_null(port);
		seen((size_t)(strtoul(port + 1, NULL, 10) - 1024), line, arg);
	}
	(void)fclose(f);
}

static void
write_fp(const char *name, const char *sig)
{
	char path[200];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fprintf(f, "classes = unix\n[tcp:%s]\nlabel = s:unix:Hit:1\nsig = %s\n",
		synack ? "response" : "request", sig);
	(void)fclose(f);
}

static void
take_raw_sig(size_t i, const char *line, void *arg)
{
	(void)arg;
	assert_true(i < N_FRAMES);
	assert_true(field(line, "|raw_sig=", segments[i].sig, sizeof(segments[i].sig)));
}

struct says {
	bool match[N_FRAMES];
};

static void
take_verdict(size_t i, const char *line, void *arg)
{
	struct says *says = arg;
	char os[64] = "", params[64] = "";

	assert_true(field(line, "|os=", os, sizeof(os)));
	assert_true(field(line, "|params=", params, sizeof(params)));
	says->match[i] = strncmp(os, "Hit", 3) == 0 && strstr(params, "fuzzy") == NULL;
}

static int
set_up(void **state)
{
	const char *seed = getenv("SLUICE_SEED");

	(void)state;
	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	print_message("seed %llu\n", (unsigned long long)rng.state);
	if (mkdtemp(dir) == NULL)
		return -1;
	return 0;
}

static int
tear_down(void **state)
{
	char cmd[100];

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static void
write_captures(void)
{
	char path[200];

	for (uint8_t family = 4; family <= 6; family += 2) {
		(void)snprintf(path, sizeof(path), "%s/ip%u.pcap", dir, family);
		write_segments(path, family);
	}
}

static struct cbpf_prog *
program(const char *sig, uint8_t family)
{
	const struct gen_opts opts = {.family = family};
	const char *argv[] = {"--synack", sig};
	struct cbpf_prog *prog = NULL;
	struct gen_out out = {0};
	struct diag diag = {0};

	if (gen_run("p0f", &opts, 1 + synack, argv + !synack, &out, &diag) < 0)
		fail_msg("'%s' for IPv%u: %s", sig, family, diag.msg);
	check_text(&out);
	if (cbpf_prog_new(out.insns, out.n, &prog, &diag) < 0)
		fail_msg("'%s': %s", sig, diag.msg);
	gen_out_fini(&out);
	return prog;
}

/* Compare program and p0f on all segments of the signature's family. Returns the matches. */
static unsigned int
compare(const char *sig, const char *fp_sig, uint8_t family, const char *what)
{
	struct cbpf_prog *prog = program(sig, family);
	struct says says = {0};
	unsigned int matches = 0;

	write_fp("one.fp", fp_sig);
	run_p0f("one.fp", family, take_verdict, &says);
	for (size_t i = 0; i < N_FRAMES; i++) {
		const struct segment *s = &segments[i];
		bool ours;

		if (s->family != family)
			continue;
		ours = cbpf_run(prog, s->bytes, s->len, s->len) != 0;
		if (ours != says.match[i])
			fail_msg("%s: signature %s, segment %s: p0f %s, we %s", what, sig, s->sig,
				says.match[i] ? "matches" : "does not", ours ? "do" : "do not");
		matches += ours;
	}
	cbpf_prog_free(prog);
	return matches;
}

/* "54+10" is what p0f reads, "54+?" what it only writes. */
static bool
can_p0f_read(const char *sig)
{
	return strstr(sig, "+?") == NULL;
}

static void
test_own_and_others(void **state)
{
	unsigned int n = 0, matches = 0;

	(void)state;
	memset(segments, 0, sizeof(segments));
	for (size_t i = 0; i < N_FRAMES; i++)
		make_segment(i);
	write_captures();
	write_fp("none.fp", "4:1:40:1:1,1:?200:seq-:+");
	run_p0f("none.fp", 4, take_raw_sig, NULL);
	run_p0f("none.fp", 6, take_raw_sig, NULL);
	for (size_t i = 0; i < N_FRAMES; i++) {
		const struct segment *s = &segments[i];
		struct cbpf_prog *prog;

		if (s->sig[0] == '\0')
			continue;
		prog = program(s->sig, s->family);
		if (cbpf_run(prog, s->bytes, s->len, s->len) == 0)
			fail_msg("the program of %s does not match its own segment", s->sig);
		cbpf_prog_free(prog);
		n++;
		if (can_p0f_read(s->sig))
			matches += compare(s->sig, s->sig, s->family, "raw_sig");
	}
	print_message("%u signatures, %u matches\n", n, matches);
	assert_true(n > N_FRAMES * 3 / 4);
	assert_true(matches >= n / 2);
}

static void
test_answers(void **state)
{
	synack = true;
	test_own_and_others(state);
	synack = false;
}

/* Signatures as people write them: wildcards and both families. */
static void
test_wildcards(void **state)
{
	static const char *const sigs[] = {
		"*:64:0:*:mss*10,7:mss,sok,ts,nop,ws:df,id+:0",
		"*:64:0:*:*,*:mss,sok,ts,nop,ws:df,id+:0",
		"*:64:0:*:*,*:mss,sok,ts,nop,ws:df:*",
		"*:255:0:*:mss*4,*:mss,sok,ts,nop,ws::*",
		"*:64:0:*:mtu*4,*:mss,sok,ts,nop,ws:df:*",
		"*:128:0:*:*,*:mss,nop,nop,sok:df,id+:*",
		"*:128:0:*:%1460,*:mss,nop,nop,sok:df,id+:*",
		"*:128:0:*:mtu*3,*:mss,nop,ws,nop,nop,sok:df,id+:*",
		"*:64-:0:*:*,*:mss,nop,ws,nop,nop,ts,sok,eol+1:df,id+:*",
		"*:128-:0:*:*,*:mss,nop,ws,nop,nop,ts,sok,eol+1::*",
		"*:255-:0:536:*,*:mss:df:*",
		"*:255-:0:*:65535,*:mss,sok,ts,nop,ws:df,ecn:*",
		"*:255-:0:*:*,*:mss,sok,ts,nop,ws::*",
		"*:255-:0:*:mss*2,*:mss,sok,ts,nop,ws::*",
		"*:255-:0:*:mss*3,*:mss,sok,ts,nop,ws:df:*",
	};

	(void)state;
	for (size_t i = 0; i < DIM(sigs); i++) {
		(void)compare(sigs[i], sigs[i], 4, "wildcards");
		(void)compare(sigs[i], sigs[i], 6, "wildcards");
	}
}

/* Every TCP signature that p0f comes with makes a program, short enough for xt_bpf. */
static void
test_database(void **state)
{
	char line[600];
	const char *argv[] = {"--synack", line};
	bool tcp = false, response = false;
	unsigned int n = 0;
	FILE *f = fopen("/etc/p0f/p0f.fp", "r");

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		char *sig = strchr(line, '=');

		if (line[0] == '[') {
			tcp = strncmp(line, "[tcp:", 5) == 0;
			response = strstr(line, "response") != NULL;
		}
		if (!tcp || strncmp(line, "sig", 3) != 0 || sig == NULL)
			continue;
		sig += 1 + strspn(sig + 1, " ");
		sig[strcspn(sig, " \r\n")] = '\0';
		argv[1] = sig;
		for (uint8_t family = 4; family <= 6; family += 2) {
			const struct gen_opts opts = {.family = family};
			struct gen_out out = {0};
			struct diag diag = {0};

			if (sig[0] != '*' && sig[0] != '0' + family)
				continue;
			if (gen_run("p0f", &opts, 1 + response, argv + !response, &out, &diag) < 0)
				fail_msg("%s: %s", sig, diag.msg);
			assert_int_equal(gen_fit(&out, 64), 0);
			if (out.n > 64)
				fail_msg("%s: %zu instructions", sig, out.n);
			gen_out_fini(&out);
			n++;
		}
	}
	(void)fclose(f);
	print_message("%u programs\n", n);
	assert_true(n > 300);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *sig;
		unsigned int col;
	} bad[] = {
		{"", 1},
		{"5:64:0:*:*,*:mss::0", 1},
		{"4:0:0:*:*,*:mss::0", 3},
		{"4:256:0:*:*,*:mss::0", 3},
		{"4:64:3:*:*,*:mss::0", 6},
		{"4:64:0:70000:*,*:mss::0", 8},
		{"4:64:0:*:mss*0,*:mss::0", 14},
		{"4:64:0:*:%1,*:mss::0", 11},
		{"4:64:0:*:*:mss::0", 11},
		{"4:64:0:*:*,300:mss::0", 12},
		{"4:64:0:*:*,*:msx::0", 14},
		{"4:64:0:*:*,*:eol+1,mss::0", 19},
		{"4:64:0:*:*,*:mss:dx:0", 18},
		{"4:64:0:*:*,*:mss:flow:0", 18},
		{"6:64:0:*:*,*:mss:df:0", 18},
		{"4:64:0:*:*,*:mss::1", 19},
		{"4:64:0:*:*,*:mss::0 ", 20},
	};
	static const char *const impossible[] = {
		"4:64:0:*:*,*:mss,nop::0", /* options that fill no word */
		"4:64:0:1460:*,*:nop,nop,nop,nop::0",
		"4:64:0:*:*,*:mss:id+:0",
		"4:64:0:*:*,*:mss:df,id-:0",
		"4:64:0:*:*,*:mss:ack-:0",
		"4:64:0:*:*,*:mss:ts1-:0",
		"4:64:0:*:*,*:mss:exws:0",
		"4:64:0:*:mss*4,*:nop,nop,nop,nop::0",
		"4:64:0:50:mss*4,*:mss::0",
		"4:64:0:*:*,*:mss:opt+:0",
		"4:64:0:*:*,*:mss:df,id+,linux:0",
	};
	const struct gen_opts opts = {.family = 4}, opts6 = {.family = 6};
	struct gen_out out = {0};

	(void)state;
	for (size_t i = 0; i < DIM(bad); i++) {
		struct diag diag = {0};

		if (gen_run("p0f", bad[i].sig[0] == '6' ? &opts6 : &opts, 1, &bad[i].sig, &out,
			    &diag) != -EINVAL ||
			diag.col != bad[i].col)
			fail_msg("'%s': column %u: %s", bad[i].sig, diag.col, diag.msg);
	}
	for (size_t i = 0; i < DIM(impossible); i++) {
		struct diag diag = {0};

		if (gen_run("p0f", &opts, 1, &impossible[i], &out, &diag) != -EINVAL ||
			diag.msg[0] == '\0')
			fail_msg("'%s' was not refused", impossible[i]);
	}
}

static void
test_family_and_negate(void **state)
{
	const char *sig = "4:64:0:*:*,*:mss::0";
	struct gen_opts opts = {.family = 6};
	struct gen_out out = {0};
	struct diag diag = {0};

	(void)state;
	assert_int_equal(gen_run("p0f", &opts, 1, &sig, &out, &diag), -EAFNOSUPPORT);
	opts.family = 4;
	opts.negate = true;
	assert_int_equal(gen_run("p0f", &opts, 1, &sig, &out, &diag), 0);
	assert_int_equal(out.insns[out.n - 1].k, 65535);
	assert_int_equal(out.insns[out.n - 2].k, 0);
	assert_int_equal(out.scope.proto, 6);
	gen_out_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_own_and_others),
		cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_database),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_family_and_negate),
	};

	return cmocka_run_group_tests_name("gen-p0f", tests, set_up, tear_down);
}
