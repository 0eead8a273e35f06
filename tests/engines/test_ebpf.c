// SPDX-License-Identifier: BSD-3-Clause
/*
 * Programs as eBPF: the verifier takes every one, and Linux gives the verdict of
 * our interpreter (which other tests hold against libpcap), on frames that match,
 * that just miss, and on every capture length. Three forms each: socket filter
 * (run by BPF_PROG_TEST_RUN and attached to a socket), XDP on the whole frame, XDP
 * on the IP datagram behind the link layer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "ebpf/lower.h"
#include "engines.h"
#include "gencase.h"
#include "oracle_ebpf.h"
#include "pkt/view.h"
#include "progs.h"

#define RANDOM_PROGRAMS 150 /* of each kind: random, real ones that were changed */
#define CASES 30 /* of each generator */
#define FRAMES 4 /* for each program */
#define FLIPS 12 /* for each frame that matches */
#define ETHER_BYTES 14
#define LINK_MAX (ETHER_BYTES + 4 * 4)

enum form { FORM_SOCKET, FORM_FRAME, FORM_DATAGRAM, FORM_COUNT };

static const char *const form_names[FORM_COUNT] = {
	"socket filter", "xdp on frames", "xdp on datagrams"};

struct counts {
	uint64_t programs, runs, matches, refused, wrong;
	uint32_t walked_max; /* instructions that the verifier walked for one */
};

struct run {
	struct counts c;
	const struct cbpf_prog *prog;
	int fd[FORM_COUNT];
	int pair[2]; /* sockets, the socket filter on the second; -1 */
	bool broken; /* expect other verdicts: the program was changed on purpose */
};

static void
tell_prog(const struct cbpf_prog *prog)
{
	struct sbuf b = SBUF_INIT;
	const struct cbpf_insn *insns;
	size_t n;

	insns = cbpf_prog_insns(prog, &n);
	cbpf_write_xt(insns, n, &b);
	cbpf_dis(insns, n, &b);
	printf("%s", sbuf_str(&b));
	sbuf_fini(&b);
}

static void
lower(struct ebpf_asm *a, const struct cbpf_prog *prog, enum form form)
{
	ebpf_asm_init(a);
	if (form == FORM_SOCKET)
		ebpf_lower_socket(a, prog);
	else
		ebpf_lower_xdp(a, prog,
			form == FORM_DATAGRAM ? EBPF_SEES_DATAGRAM : EBPF_SEES_FRAME, EBPF_XDP_DROP,
			EBPF_XDP_PASS);
}

static enum oracle_ebpf_kind
kind_of(enum form form)
{
	return form == FORM_SOCKET ? ORACLE_EBPF_SOCKET : ORACLE_EBPF_XDP;
}

static int
load(struct run *run, enum form form)
{
	const char *log = "";
	struct diag diag = {0};
	struct ebpf_asm a;
	uint32_t walked;
	int fd;

	lower(&a, run->prog, form);
	fd = ebpf_asm_finish(&a, &diag);
	if (fd == 0)
		fd = oracle_ebpf_load(kind_of(form), &a, &log);
	ebpf_asm_fini(&a);
	if (fd < 0) {
		if (run->c.refused++ < 3) {
			printf("%s refused: %s %s\n%s\n", form_names[form], strerror(-fd), diag.msg,
				log);
			tell_prog(run->prog);
		}
		return fd;
	}
	walked = oracle_ebpf_verified(fd);
	run->c.walked_max = MAX(run->c.walked_max, walked);
	return fd;
}

static void
compare(struct run *run, enum form form, const uint8_t *bytes, uint32_t n, uint32_t want)
{
	uint32_t got;

	if (run->fd[form] < 0)
		return;
	got = oracle_ebpf_run(kind_of(form), run->fd[form], bytes, n);
	if (form != FORM_SOCKET) {
		got = got == EBPF_XDP_DROP ? 1 : got == EBPF_XDP_PASS ? 0 : got;
		want = want != 0;
	}
	run->c.runs++;
	run->c.matches += want != 0;
	if (got == want || run->c.wrong++ >= 3 || run->broken)
		return;
	printf("%s: %" PRIu32 " instead of %" PRIu32 " on %" PRIu32 " bytes ", form_names[form],
		got, want, n);
	for (uint32_t i = 0; i < n; i++)
		printf("%02x", bytes[i]);
	printf("\n");
	tell_prog(run->prog);
}

/* What a socket lets through is as long as the program says. */
static void
compare_delivery(struct run *run, const uint8_t *bytes, uint32_t n)
{
	uint32_t want = cbpf_run(run->prog, bytes, n, n), got;

	if (run->pair[0] < 0)
		return;
	want = want == 0 ? 0 : MAX(MIN(want, n), 1u);
	got = oracle_ebpf_deliver(run->pair, bytes, n);
	run->c.runs++;
	run->c.matches += want != 0;
	if (got == want || run->c.wrong++ >= 3 || run->broken)
		return;
	printf("a socket gave %" PRIu32 " instead of %" PRIu32 " of %" PRIu32 " bytes\n", got, want,
		n);
	tell_prog(run->prog);
}

/* The program's byte 0 is the first of @bytes. */
static void
compare_plain(struct run *run, const uint8_t *bytes, uint32_t n)
{
	uint32_t want = cbpf_run(run->prog, bytes, n, n);

	if (n > 0)
		compare(run, FORM_SOCKET, bytes, n, want);
	if (n >= ETHER_BYTES)
		compare(run, FORM_FRAME, bytes, n, want);
}

/* What link = raw means is in lib/pkt: a datagram in @frame, or none. */
static void
compare_datagram(struct run *run, const uint8_t *frame, uint32_t n)
{
	struct pkt_view v;
	uint32_t want = 0;

	if (n < ETHER_BYTES)
		return;
	pkt_parse_ether(frame, n, n, &v);
	if (v.family != 0)
		want = cbpf_run(run->prog, frame + v.l3_off, v.l3_caplen, v.l3_len);
	compare(run, FORM_DATAGRAM, frame, n, want);
}

/*
 * Put @bytes behind Ethernet with up to five tags, mostly as IP of some length:
 * as long as it is, shorter (padding follows), longer (it was cut), impossible.
 */
static uint32_t
wrap(struct rng *r, const uint8_t *bytes, uint32_t n, uint8_t *out)
{
	static const uint16_t tags[] = {0x8100, 0x88a8, 0x9100};
	uint32_t len = 12, count = rng_below(r, 2) ? 0 : rng_below(r, 6), kind = rng_below(r, 16);
	uint32_t said = n;
	uint8_t *ip;

	memset(out, 2, len);
	for (uint32_t i = 0; i < count; i++, len += 4)
		store_be32(out + len, (uint32_t)tags[rng_below(r, 3)] << 16 | i);
	ip = out + len + 2;
	memcpy(ip, bytes, n);
	store_be16(out + len, kind == 0 ? 0x0806 : kind < 9 ? 0x0800 : 0x86dd);
	len += 2;
	if (n < 40 || kind == 1)
		return len + n;
	switch (rng_below(r, 8)) {
	case 0: said = rng_below(r, n); break;
	case 1: said = n + rng_below(r, 40); break;
	case 2: said = rng_below(r, 60); break;
	case 3: said = rng_below(r, 3) * 20; break;
	}
	ip[0] = (uint8_t)((ip[0] & 15) | (kind < 9 ? 0x40 : 0x60));
	if (kind < 9)
		store_be16(ip + 2, (uint16_t)said);
	else
		store_be16(ip + 4, (uint16_t)(said < 40 ? 0 : said - 40));
	return len + n;
}

static void
both(struct run *run, struct rng *r, const uint8_t *bytes, uint32_t n)
{
	static uint8_t frame[GENCASE_FRAME_MAX + 64];

	compare_plain(run, bytes, n);
	compare_datagram(run, frame, wrap(r, bytes, n, frame));
}

static void
all_lengths(struct run *run, struct rng *r, const uint8_t *bytes, uint32_t n)
{
	static uint8_t frame[GENCASE_FRAME_MAX + 64];
	uint32_t len = wrap(r, bytes, n, frame);

	for (uint32_t i = 0; i <= n; i++) {
		compare_plain(run, bytes, i);
		compare_delivery(run, bytes, i);
	}
	for (uint32_t i = ETHER_BYTES; i <= len; i++)
		compare_datagram(run, frame, i);
}

/* One bit of what the program read, or of anything. */
static void
near_misses(struct run *run, struct rng *r, uint8_t *bytes, uint32_t n)
{
	struct trace t;

	frame_trace(run->prog, bytes, n, n, &t);
	for (int i = 0; i < FLIPS && n > 0; i++) {
		uint32_t at =
			t.nread > 0 && i % 4 != 0 ? t.read[rng_below(r, t.nread)] : rng_below(r, n);
		uint8_t bit = (uint8_t)(1u << rng_below(r, 8));

		bytes[at] ^= bit;
		both(run, r, bytes, n);
		bytes[at] ^= bit;
	}
}

static void
judge(struct run *run, struct rng *r, uint8_t *bytes, uint32_t n, bool lengths)
{
	both(run, r, bytes, n);
	if (cbpf_run(run->prog, bytes, n, n) != 0)
		near_misses(run, r, bytes, n);
	if (lengths)
		all_lengths(run, r, bytes, n);
}

static void
begin(struct run *run, const struct cbpf_prog *prog)
{
	run->prog = prog;
	run->c.programs++;
	for (enum form f = 0; f < FORM_COUNT; f++)
		run->fd[f] = load(run, f);
	run->pair[0] = run->pair[1] = -1;
	if (run->fd[FORM_SOCKET] >= 0)
		oracle_ebpf_attach(run->fd[FORM_SOCKET], run->pair);
}

static void
end(struct run *run)
{
	for (enum form f = 0; f < FORM_COUNT; f++)
		if (run->fd[f] >= 0)
			(void)close(run->fd[f]);
	for (int i = 0; i < 2; i++)
		if (run->pair[i] >= 0)
			(void)close(run->pair[i]);
}

static void
random_programs(struct run *run, struct rng *r, unsigned int programs)
{
	for (unsigned int i = 0; i < 2 * programs; i++) {
		struct cbpf_prog *prog = i % 2 == 0 ? progs_random(r) : progs_real(r);

		begin(run, prog);
		for (int j = 0; j < FRAMES; j++) {
			struct frame f;

			frame_random(r, &f);
			(void)frame_solve(prog, r, &f);
			judge(run, r, f.bytes, f.len, j == 0);
		}
		end(run);
		cbpf_prog_free(prog);
	}
}

static void
one_case(struct run *run, struct rng *r, size_t type)
{
	struct cbpf_prog *prog = NULL;
	struct gen_out out = {0};
	struct diag diag = {0};
	struct gencase c;

	gencase_random(r, type, &c);
	if (gen_run(c.type, &c.opts, c.argc, c.argv, &out, &diag) < 0 ||
		cbpf_prog_new(out.insns, out.n, &prog, &diag) < 0) {
		printf("%s: %s\n", c.type, diag.msg);
		abort();
	}
	begin(run, prog);
	for (int j = 0; j < FRAMES; j++) {
		static struct gencase_frame f;

		gencase_frame(r, &c, &f);
		judge(run, r, f.bytes, f.len, j == 0);
	}
	end(run);
	cbpf_prog_free(prog);
	gen_out_fini(&out);
}

/* A comparison that cannot fail proves nothing: the programs are other ones than are judged. */
static uint64_t
count_broken(struct rng *r)
{
	struct run run = {.broken = true};

	for (int i = 0; i < 40; i++) {
		struct cbpf_prog *prog = progs_real(r), *other = engine_broken.load(prog);
		struct frame f;

		begin(&run, other);
		run.prog = prog;
		frame_random(r, &f);
		(void)frame_solve(prog, r, &f);
		judge(&run, r, f.bytes, f.len, false);
		end(&run);
		engine_broken.unload(other);
		cbpf_prog_free(prog);
	}
	return run.c.wrong;
}

static bool
check(bool ok, const char *what)
{
	printf("%s: %s\n", ok ? "ok" : "NOT OK", what);
	return ok;
}

static void
tell(const char *what, const struct counts *before, const struct counts *c)
{
	printf("%-14s %" PRIu64 " programs in three forms, %" PRIu64 " runs, %" PRIu64 " matches\n",
		what, c->programs - before->programs, c->runs - before->runs,
		c->matches - before->matches);
}

int
main(void)
{
	struct rng r = {test_seed("test_ebpf")};
	const unsigned int factor = test_factor();
	struct run run = {0};
	struct counts before = {0};
	bool ok = true;

	if (!oracle_ebpf_allowed()) {
		printf("skipped: this process may not load eBPF programs\n");
		return 77;
	}
	random_programs(&run, &r, RANDOM_PROGRAMS * factor);
	tell("random", &before, &run.c);
	for (size_t t = 0; gencase_name(t) != NULL; t++) {
		before = run.c;
		for (unsigned int i = 0; i < CASES * factor; i++)
			one_case(&run, &r, t);
		tell(gencase_name(t), &before, &run.c);
	}
	printf("%" PRIu64 " programs; the verifier walked at most %" PRIu32
	       " instructions of one\n",
		run.c.programs, run.c.walked_max);
	ok &= check(run.c.refused == 0, "the verifier takes every program");
	ok &= check(run.c.wrong == 0, "every verdict is the interpreter's");
	ok &= check(run.c.programs >= 500, "at least 500 programs");
	ok &= check(run.c.matches >= run.c.runs / 20, "at least one run in twenty matches");
	ok &= check(count_broken(&r) > 0, "another program is noticed");
	return ok ? 0 : 1;
}
