// SPDX-License-Identifier: BSD-3-Clause
/* tcpdump expressions: libpcap's programs, its sentences, and the bounds around it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <errno.h>
#include <pcap/pcap.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "gen/gen.h"

static const char *const good[] = {
	"udp port 53",
	"tcp[13] & 2 != 0",
	"ip[ip[4:2]-16:2] = 1",
	"host 192.0.2.1 and not port 22",
	"net 2001:db8::/32",
	"icmp6 or igmp",
	"less 100",
	"portrange 1000-2000",
	"vlan and ip",
};

static void
programs_are_libpcaps(void **state)
{
	static const int dlts[] = {12, 1, 113};

	(void)state;
	for (size_t d = 0; d < DIM(dlts); d++)
		for (size_t i = 0; i < DIM(good); i++) {
			pcap_t *dead = pcap_open_dead(dlts[d], 65535);
			struct cbpf_insn *insns = NULL;
			struct cbpf_prog *prog = NULL;
			struct bpf_program bp;
			struct diag diag = {0};
			size_t n = 0;
			int want = pcap_compile(dead, &bp, good[i], 1, PCAP_NETMASK_UNKNOWN);

			pcap_close(dead);
			assert_int_equal(gen_expr(good[i], dlts[d], &insns, &n, &diag),
				want == 0 ? 0 : -EINVAL);
			if (want != 0)
				continue;
			assert_int_equal(n, bp.bf_len);
			for (size_t j = 0; j < n; j++) {
				assert_int_equal(insns[j].code, bp.bf_insns[j].code);
				assert_int_equal(insns[j].jt, bp.bf_insns[j].jt);
				assert_int_equal(insns[j].jf, bp.bf_insns[j].jf);
				assert_int_equal(insns[j].k, bp.bf_insns[j].k);
			}
			assert_int_equal(cbpf_prog_new(insns, n, &prog, &diag), 0);
			cbpf_prog_free(prog);
			mem_free(insns);
			pcap_freecode(&bp);
		}
}

/* For some links that carry no IP libpcap compiles loads from before the frame. */
static bool
reads_before(const struct bpf_program *bp)
{
	bool found = false;

	for (unsigned int i = 0; i < bp->bf_len; i++)
		found |= ((bp->bf_insns[i].code & 0xe7) == 0x20 || bp->bf_insns[i].code == 0xb1 ||
				 (bp->bf_insns[i].code & 0xe7) == 0x40) &&
			bp->bf_insns[i].k > INT32_MAX;
	return found;
}

/* --link takes every name that libpcap gives a link type, and compiles for it. */
static void
every_link_type_has_programs(void **state)
{
	const struct gen_opts opts = {.family = 4};
	unsigned int known = 0, compiled = 0;

	(void)state;
	for (int dlt = 0; dlt < 400; dlt++) {
		const char *name = pcap_datalink_val_to_name(dlt);
		const char *const words[] = {"--link", name, "udp", "port", "53"};
		struct gen_out out = {0};
		struct diag diag = {0};
		struct bpf_program bp = {0};
		pcap_t *dead;
		bool can;

		if (name == NULL)
			continue;
		known++;
		dead = pcap_open_dead(dlt, 65535);
		can = pcap_compile(dead, &bp, "udp port 53", 1, PCAP_NETMASK_UNKNOWN) == 0 &&
			!reads_before(&bp);
		pcap_close(dead);
		assert_int_equal(
			gen_run("tcpdump", &opts, 5, words, &out, &diag), can ? 0 : -EINVAL);
		if (can) {
			compiled++;
			assert_int_equal(out.n, bp.bf_len);
			assert_memory_equal(out.insns, bp.bf_insns, out.n * sizeof(*out.insns));
		} else {
			assert_true(diag.msg[0] != '\0');
		}
		pcap_freecode(&bp);
		gen_out_fini(&out);
	}
	print_message("%u link types, %u with IP\n", known, compiled);
	assert_true(known > 100 && compiled > 10);
}

static void
bad_link_types_are_refused(void **state)
{
	static const struct {
		uint32_t l3_off;
		int argc;
		const char *words[3];
		const char *says;
	} cases[] = {
		{0, 3, {"--link", "EN10", "udp"}, "did you mean EN10MB?"},
		{0, 3, {"--link", "", "udp"}, "no link type ''"},
		{0, 1, {"--link"}, "behind --link"},
		{0, 2, {"--link", "RAW"}, "needs an expression"},
		{14, 3, {"--link", "RAW", "udp"}, "one of them"},
	};

	(void)state;
	for (size_t i = 0; i < DIM(cases); i++) {
		const struct gen_opts opts = {.family = 4, .l3_off = cases[i].l3_off};
		struct gen_out out = {0};
		struct diag diag = {0};

		assert_int_equal(
			gen_run("tcpdump", &opts, cases[i].argc, cases[i].words, &out, &diag),
			-EINVAL);
		if (strstr(diag.msg, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].words[1], diag.msg);
	}
}

/* libpcap takes it; no engine can: offset -15 is Linux' word for something that is no byte. */
static void
what_cannot_run_is_refused(void **state)
{
	struct cbpf_insn *insns = NULL;
	struct diag diag = {0};
	size_t n = 0;

	(void)state;
	assert_int_equal(gen_expr("ip[-15:2] = 1", 12, &insns, &n, &diag), -EINVAL);
	assert_null(insns);
	assert_non_null(strstr(diag.msg, "'ip[-15:2] = 1': "));
}

static void
what_needs_ethernet_says_so(void **state)
{
	static const char *const exprs[] = {
		"arp",
		"ether host 02:00:00:00:00:01",
		"vlan 7",
		"ether proto 0x88cc",
		"ether[0] & 1 = 1",
	};

	(void)state;
	for (size_t i = 0; i < DIM(exprs); i++) {
		struct cbpf_insn *insns = NULL;
		struct diag diag = {0};
		size_t n = 0;

		/* "ether[0]" is byte 0 of whatever there is, so libpcap takes it. */
		if (gen_expr(exprs[i], 12, &insns, &n, &diag) == 0) {
			assert_string_equal(exprs[i], "ether[0] & 1 = 1");
			mem_free(insns);
			continue;
		}
		assert_non_null(strstr(diag.msg, "needs link = ether"));
		assert_int_equal(gen_expr(exprs[i], 1, &insns, &n, NULL), 0);
		mem_free(insns);
	}
}

static void
bad_expressions_are_refused(void **state)
{
	static const char *const exprs[] = {"", "  ", "udp prot 53", "port 70000", "(((", "host"};

	(void)state;
	for (size_t i = 0; i < DIM(exprs); i++) {
		struct cbpf_insn *insns = NULL;
		struct diag diag = {0};
		size_t n = 0;

		assert_int_equal(gen_expr(exprs[i], 12, &insns, &n, &diag), -EINVAL);
		assert_null(insns);
		assert_true(diag.msg[0] != '\0');
	}
}

/* Text up to the limit costs bounded time; beyond it is refused. */
static void
long_expressions_do_not_hang(void **state)
{
	static const int counts[] = {100, 250, 700, 1000, 6000};
	static const int want[] = {0, 0, -E2BIG, -E2BIG, -E2BIG};

	(void)state;
	for (size_t i = 0; i < DIM(counts); i++) {
		struct sbuf b = SBUF_INIT;
		struct cbpf_insn *insns = NULL;
		struct cbpf_prog *prog = NULL;
		struct timespec t0, t1;
		struct diag diag = {0};
		size_t n = 0;
		double s;

		for (int j = 0; j < counts[i]; j++)
			sbuf_addf(&b, "%sudp port %d", j > 0 ? " or " : "", j + 1);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t0);
		assert_int_equal(gen_expr(sbuf_str(&b), 12, &insns, &n, &diag), want[i]);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t1);
		s = (double)(t1.tv_sec - t0.tv_sec) + 1e-9 * (double)(t1.tv_nsec - t0.tv_nsec);
		print_message(
			"%d ports, %zu bytes: %zu instructions, %.3f s\n", counts[i], b.len, n, s);
		assert_true(s < 10);
		if (want[i] == 0) {
			assert_int_equal(cbpf_prog_new(insns, n, &prog, &diag), 0);
			cbpf_prog_free(prog);
		}
		mem_free(insns);
		sbuf_fini(&b);
	}
}

static void
the_generator_follows_offset_and_negation(void **state)
{
	/* IPv4, UDP 1 -> 53, behind up to 22 bytes. */
	static const uint8_t ip[28] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0,
		0, 2, 0, 1, 0, 53, 0, 8, 0, 0};
	static const uint32_t offs[] = {0, 14, 16, 18, 22};
	static const char *const words[] = {"udp", "dst port", "53"};

	(void)state;
	for (size_t i = 0; i < DIM(offs); i++)
		for (int negate = 0; negate < 2; negate++) {
			struct gen_opts opts = {.family = 4, .negate = negate, .l3_off = offs[i]};
			struct gen_out out = {0};
			struct cbpf_prog *prog = NULL;
			struct cbpf_insn *back = NULL;
			uint8_t pkt[64] = {0};
			size_t n = 0;

			memcpy(pkt + offs[i], ip, sizeof(ip));
			if (offs[i] == 14 || offs[i] == 16)
				store_be16(pkt + offs[i] - 2, 0x0800);
			if (offs[i] == 18) {
				store_be16(pkt + 12, 0x8100);
				store_be16(pkt + 16, 0x0800);
			}
			assert_int_equal(gen_run("tcpdump", &opts, 3, words, &out, NULL), 0);
			assert_int_equal(cbpf_prog_new(out.insns, out.n, &prog, NULL), 0);
			assert_int_equal(cbpf_run(prog, pkt, offs[i] + 28, offs[i] + 28),
				negate ? 0 : 65535);
			pkt[offs[i] + 23] = 54;
			assert_int_equal(cbpf_run(prog, pkt, offs[i] + 28, offs[i] + 28),
				negate ? 65535 : 0);
			assert_int_equal(cbpf_run(prog, pkt, 5, 5), 0);
			assert_int_equal(cbpf_asm(out.text, &back, &n, NULL), 0);
			assert_int_equal(n, out.n);
			assert_memory_equal(back, out.insns, n * sizeof(*back));
			mem_free(back);
			cbpf_prog_free(prog);
			gen_out_fini(&out);
		}
}

static void
every_allocation_may_fail(void **state)
{
	static const char *const words[] = {"udp port 53"};
	struct gen_opts opts = {.family = 4};
	struct gen_out out = {0};

	(void)state;
	for (long n = 0;; n++) {
		int r;

		mem_fault_set(n);
		r = gen_run("tcpdump", &opts, 1, words, &out, NULL);
		if (mem_fault_set(-1) <= n) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_null(out.insns);
	}
	gen_out_fini(&out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_are_libpcaps),
		cmocka_unit_test(every_link_type_has_programs),
		cmocka_unit_test(bad_link_types_are_refused),
		cmocka_unit_test(what_cannot_run_is_refused),
		cmocka_unit_test(what_needs_ethernet_says_so),
		cmocka_unit_test(bad_expressions_are_refused),
		cmocka_unit_test(long_expressions_do_not_hang),
		cmocka_unit_test(the_generator_follows_offset_and_negation),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
