// SPDX-License-Identifier: BSD-3-Clause
/* Frames from file to file through workers: verdicts, books, ways out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "match/verdict.h"
#include "sample/ring.h"

#include "rig.h"

/* A port that reads @in and writes @out (NULL: neither), with its survivors to @to. */
static struct dp_port_conf
file_port(const char *name, const char *in, const char *out, const char *to, char *device)
{
	char in_path[128], out_path[128];
	int n;

	n = sprintf(device, "net_pcap_%s", name);
	if (in != NULL) {
		rig_path(in, in_path, sizeof(in_path));
		n += sprintf(device + n, ",rx_pcap=%s", in_path);
	}
	if (out != NULL) {
		rig_path(out, out_path, sizeof(out_path));
		n += sprintf(device + n, ",tx_pcap=%s", out_path);
	}
	return (struct dp_port_conf){
		.name = name,
		.device = device,
		.queues = 1,
		.exception = to != NULL ? DP_EXC_PORT : DP_EXC_NONE,
		.exception_name = to,
		.exception_uid = (uid_t)-1,
	};
}

static struct dp *
make(const struct dp_port_conf *ports, size_t n, uint32_t one_in)
{
	const struct dp_conf conf = {
		.ports = ports,
		.n_ports = n,
		.sample_one_in = one_in,
		.sample_snaplen = 128,
		.seed = 1,
		.vital = true,
		.vital_pps = 1000,
	};

	return rig_dp(&conf);
}

static void
start(struct dp *dp, struct match_image *image)
{
	struct diag diag = {0};

	if (dp_start(dp, image, &diag) < 0)
		fail_msg("%s", diag.msg);
}

static const uint16_t drop_53[] = {53};
static const enum match_action drops[] = {MATCH_DROP};
static const uint32_t slot_7[] = {7};

static void
test_drop_and_pass(void **state)
{
	struct rig_file in = rig_file("in.pcap"), want = rig_file("want"), got;
	char device[2][512];
	const struct dp_port_conf ports[] = {
		file_port("a", "in.pcap", NULL, "b", device[0]),
		file_port("b", NULL, "out.pcap", NULL, device[1]),
	};
	struct dp_rule_stats rule;
	struct dp *dp;

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		const uint16_t dport = i % 3 == 0 ? 53 : 80;

		rig_add_udp(&in, dport, i % 700);
		if (dport != 53)
			rig_add(&want, in.frames[i].data, in.frames[i].len);
	}
	rig_write(&in);
	dp = make(ports, 2, 0);
	start(dp, rig_image(1, drop_53, drops, slot_7));
	rig_drain(dp);
	match_image_free(dp_stop(dp));

	got = rig_read("out.pcap");
	assert_true(rig_same(&got, &want));
	assert_int_equal(rig_stat(dp, 0, DP_STAT_RX), 1000);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_DROPPED), 334);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_PASSED), 666);
	assert_int_equal(rig_stat(dp, 1, DP_STAT_TX), 666);
	assert_int_equal(rig_stat(dp, 1, DP_STAT_KERNEL_RX), 666);
	dp_rule_stats_get(dp, 7, &rule);
	assert_int_equal(rule.packets, 334);
	assert_int_equal(rule.dropped, 334);
	assert_true(rule.last_hit_s > 1500000000);
	rig_check_books(dp, 0);
	rig_check_books(dp, 1);
	rig_free(dp);
	rig_file_free(&in);
	rig_file_free(&want);
	rig_file_free(&got);
}

/* Both ways at once, each with the frames that its side may not have. */
static void
test_bump_in_the_wire(void **state)
{
	static const uint16_t dports[] = {53, 99};
	static const enum match_action actions[] = {MATCH_DROP, MATCH_DROP};
	static const uint32_t slots[] = {0, 1};
	struct rig_file in[2] = {rig_file("in0.pcap"), rig_file("in1.pcap")}, got;
	struct rig_file want[2] = {rig_file("want0"), rig_file("want1")};
	char device[2][512];
	const struct dp_port_conf ports[] = {
		file_port("left", "in0.pcap", "out0.pcap", "right", device[0]),
		file_port("right", "in1.pcap", "out1.pcap", "left", device[1]),
	};
	struct dp *dp;

	(void)state;
	for (size_t side = 0; side < 2; side++) {
		for (size_t i = 0; i < 3000; i++) {
			const uint16_t dport = i % 7 == 0 ? dports[side] : 443;

			rig_add_udp(&in[side], dport, 1400 - i % 1000);
			if (i % 7 != 0)
				rig_add(&want[side], in[side].frames[i].data,
					in[side].frames[i].len);
		}
		rig_write(&in[side]);
	}
	dp = make(ports, 2, 0);
	start(dp, rig_image(2, dports, actions, slots));
	rig_drain(dp);
	match_image_free(dp_stop(dp));

	got = rig_read("out1.pcap");
	assert_true(rig_same(&got, &want[0]));
	rig_file_free(&got);
	got = rig_read("out0.pcap");
	assert_true(rig_same(&got, &want[1]));
	rig_file_free(&got);
	for (size_t side = 0; side < 2; side++) {
		rig_check_books(dp, side);
		assert_int_equal(rig_stat(dp, side, DP_STAT_TX), want[1 - side].n);
	}
	for (size_t side = 0; side < 2; side++) {
		rig_file_free(&in[side]);
		rig_file_free(&want[side]);
	}
	rig_free(dp);
}

/* Where test_many_segments() looks: behind the first buffer, which has 2048 bytes. */
#define FAR 2500

/* A rule that drops frames whose byte at FAR is odd. */
static struct match_image *
far_image(void)
{
	const struct cbpf_insn insns[] = {
		{0x30, 0, 0, FAR}, /* ldb [FAR] */
		{0x45, 0, 1, 1}, /* jset #1 */
		{0x06, 0, 0, 1}, /* ret #1 */
		{0x06, 0, 0, 0}, /* ret #0 */
	};
	struct match_rule rule = {
		.name = "far",
		.slot = 7,
		.action = MATCH_DROP,
		.enabled = true,
		.scope = {.src = {.any = true}, .dst = {.any = true}, .ports = UINT64_MAX},
		.link = MATCH_LINK_ETHER,
	};
	struct match_image *image = NULL;
	struct cbpf_prog *prog = NULL;

	assert_int_equal(cbpf_prog_new(insns, DIM(insns), &prog, NULL), 0);
	rule.prog[0] = prog;
	assert_int_equal(match_image_new(&rule, 1, MATCH_ENGINE_AUTO, &image, NULL), 0);
	cbpf_prog_free(prog);
	return image;
}

/* Frames larger than a buffer: the verdicts of whole ones, unchanged on the other side. */
static void
test_many_segments(void **state)
{
	struct rig_file in = rig_file("jumbo.pcap"), want = rig_file("want"), got;
	char device[2][512];
	const struct dp_port_conf ports[] = {
		file_port("a", "jumbo.pcap", NULL, "b", device[0]),
		file_port("b", NULL, "jumbo-out.pcap", NULL, device[1]),
	};
	struct dp_rule_stats rule;
	struct dp *dp;

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		const struct rig_frame *f;

		rig_add_udp(&in, 53, 1900 + 60 * i);
		f = &in.frames[i];
		if (f->len <= FAR || f->data[FAR] % 2 == 0)
			rig_add(&want, f->data, f->len);
	}
	assert_in_range(want.n, 100, 110);
	rig_write(&in);
	dp = make(ports, 2, 1);
	start(dp, far_image());
	rig_drain(dp);
	match_image_free(dp_stop(dp));

	got = rig_read("jumbo-out.pcap");
	assert_true(rig_same(&got, &want));
	assert_int_equal(rig_stat(dp, 0, DP_STAT_DROPPED), 200 - want.n);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_SAMPLED), 200);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_TRUNCATED), 0);
	dp_rule_stats_get(dp, 7, &rule);
	assert_int_equal(rule.packets, 200 - want.n);
	rig_check_books(dp, 0);
	rig_free(dp);
	rig_file_free(&in);
	rig_file_free(&want);
	rig_file_free(&got);
}

/* Nobody takes survivors; every frame is sampled with its verdict. */
static void
test_none_and_samples(void **state)
{
	struct rig_file in = rig_file("in.pcap");
	struct sample_ring *const *rings;
	const struct sample_rec *rec;
	char device[512];
	const struct dp_port_conf ports[] = {file_port("a", "in.pcap", NULL, NULL, device)};
	struct dp *dp;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < 500; i++)
		rig_add_udp(&in, i % 2 == 0 ? 53 : 80, 100);
	rig_write(&in);
	dp = make(ports, 1, 1);
	start(dp, rig_image(1, drop_53, drops, slot_7));
	rig_drain(dp);
	match_image_free(dp_stop(dp));

	assert_int_equal(rig_stat(dp, 0, DP_STAT_EXCEPTION_FULL), 250);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_DROPPED), 250);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_SAMPLED), 500);
	rig_check_books(dp, 0);
	assert_int_equal(dp_rings(dp, &rings), 1);
	for (; (rec = sample_ring_peek(rings[0])) != NULL; n++) {
		assert_int_equal(rec->wirelen, in.frames[n].len);
		assert_int_equal(rec->caplen, 128);
		assert_memory_equal(rec->data, in.frames[n].data, rec->caplen);
		assert_int_equal(rec->slot, n % 2 == 0 ? 7 : UINT32_MAX);
		assert_int_equal(
			rec->verdict, n % 2 == 0 ? MATCH_VERDICT_DROP : MATCH_VERDICT_PASS);
		assert_int_equal(rec->weight, 1);
		sample_ring_release(rings[0]);
	}
	assert_int_equal(n, 500);
	rig_free(dp);
	rig_file_free(&in);
}

/* The policer lets its burst through and counts the rest, but never refuses vital frames. */
static void
test_policer_spares_vital(void **state)
{
	static const uint8_t arp[60] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1,
		8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2};
	struct rig_file in = rig_file("in.pcap"), got;
	char device[2][512];
	struct dp_port_conf ports[] = {
		file_port("a", "in.pcap", NULL, "b", device[0]),
		file_port("b", NULL, "out.pcap", NULL, device[1]),
	};
	struct dp *dp;
	size_t n_arp = 0;

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		if (i % 50 == 49)
			rig_add(&in, arp, sizeof(arp));
		else
			rig_add_udp(&in, 80, 20);
	}
	rig_write(&in);
	ports[0].policer_pps = 1;
	ports[0].policer_burst = 10;
	dp = make(ports, 2, 0);
	start(dp, NULL);
	rig_drain(dp);
	assert_null(dp_stop(dp));

	got = rig_read("out.pcap");
	for (size_t i = 0; i < got.n; i++)
		n_arp += got.frames[i].len == sizeof(arp) &&
			memcmp(got.frames[i].data, arp, sizeof(arp)) == 0;
	assert_int_equal(n_arp, 20);
	assert_in_range(got.n, 20 + 10, 20 + 40); /* a second or more may have passed */
	/* Vital frames go first in their burst. */
	assert_memory_equal(got.frames[0].data, arp, sizeof(arp));
	assert_int_equal(rig_stat(dp, 0, DP_STAT_EXCEPTION_POLICED), 1000 - got.n);
	rig_check_books(dp, 0);
	rig_free(dp);
	rig_file_free(&in);
	rig_file_free(&got);
}

/* A drop rule for everything does not touch what is vital, within its bucket. */
static void
test_vital_is_protected(void **state)
{
	static const uint8_t arp[60] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1,
		8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2};
	static const uint16_t all[] = {0};
	struct rig_file in = rig_file("in.pcap");
	char device[2][512];
	const struct dp_port_conf ports[] = {
		file_port("a", "in.pcap", NULL, "b", device[0]),
		file_port("b", NULL, "out.pcap", NULL, device[1]),
	};
	struct dp_rule_stats rule;
	uint64_t passed;
	struct dp *dp;

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		rig_add(&in, arp, sizeof(arp));
	rig_write(&in);
	dp = make(ports, 2, 0);
	start(dp, rig_image(1, all, drops, slot_7));
	rig_drain(dp);
	match_image_free(dp_stop(dp));

	/* The bucket of 1000/s holds a tenth of a second's worth. */
	passed = rig_stat(dp, 0, DP_STAT_PASSED);
	assert_in_range(passed, 100, 900);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_PROTECTED), passed);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_DROPPED), 1000 - passed);
	dp_rule_stats_get(dp, 7, &rule);
	assert_int_equal(rule.packets, 1000);
	assert_int_equal(rule.prot, passed);
	rig_check_books(dp, 0);
	rig_free(dp);
	rig_file_free(&in);
}

/* With enforcement off nothing is dropped, and it can be switched while running. */
static void
test_enforce_off(void **state)
{
	struct rig_file in = rig_file("in.pcap"), got;
	char device[2][512];
	const struct dp_port_conf ports[] = {
		file_port("a", "in.pcap", NULL, "b", device[0]),
		file_port("b", NULL, "out.pcap", NULL, device[1]),
	};
	struct dp *dp;

	(void)state;
	for (size_t i = 0; i < 100; i++)
		rig_add_udp(&in, 53, 20);
	rig_write(&in);
	dp = make(ports, 2, 0);
	dp_enforce_set(dp, false);
	start(dp, rig_image(1, drop_53, drops, slot_7));
	rig_drain(dp);
	match_image_free(dp_stop(dp));
	got = rig_read("out.pcap");
	assert_true(rig_same(&got, &in));
	assert_int_equal(rig_stat(dp, 0, DP_STAT_DROPPED), 0);
	rig_free(dp);
	rig_file_free(&in);
	rig_file_free(&got);
}

/* Anything that cannot be is refused with a sentence, and leaves nothing behind. */
static void
test_refusals(void **state)
{
	char device[3][512];
	struct dp_port_conf ports[5];
	struct dp_conf conf = {.ports = ports, .n_ports = 1, .sample_snaplen = 128};
	struct diag diag = {0};
	struct dp *dp = NULL;
	struct rig_file in = rig_file("in.pcap");

	(void)state;
	rig_add_udp(&in, 53, 20);
	rig_write(&in);
	rig_file_free(&in);

	ports[0] = file_port("a", "missing.pcap", NULL, NULL, device[0]);
	assert_int_equal(dp_new(&conf, &dp, &diag), -ENOENT);
	assert_non_null(strstr(diag.msg, "port a: cannot read"));

	ports[0] = file_port("a", "in.pcap", NULL, "nobody", device[0]);
	assert_int_equal(dp_new(&conf, &dp, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "port:nobody"));

	ports[0] = file_port("a", "in.pcap", NULL, NULL, device[0]);
	ports[0].queues = 2;
	assert_int_equal(dp_new(&conf, &dp, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "receive"));
	ports[0].queues = RIG_WORKERS + 1;
	assert_int_equal(dp_new(&conf, &dp, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "CPUs for only"));

	ports[0] = file_port("a", "in.pcap", NULL, NULL, device[0]);
	ports[1] = file_port("a", "in.pcap", NULL, NULL, device[1]);
	conf.n_ports = 2;
	assert_int_equal(dp_new(&conf, &dp, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "two ports named 'a'"));

	conf.n_ports = 1;
	ports[0].device = "net_nonsense0,a=b";
	assert_true(dp_new(&conf, &dp, &diag) < 0);
	assert_non_null(strstr(diag.msg, "net_nonsense0"));
	ports[0].device = "0000:ff:1f.7";
	assert_int_equal(dp_new(&conf, &dp, &diag), -ENODEV);
	assert_non_null(strstr(diag.msg, "vfio-pci"));
	assert_null(dp);

	/* The name of every device is free again. */
	ports[0] = file_port("a", "in.pcap", NULL, NULL, device[0]);
	rig_free(rig_dp(&conf));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop_and_pass),
		cmocka_unit_test(test_bump_in_the_wire),
		cmocka_unit_test(test_many_segments),
		cmocka_unit_test(test_none_and_samples),
		cmocka_unit_test(test_policer_spares_vital),
		cmocka_unit_test(test_vital_is_protected),
		cmocka_unit_test(test_enforce_off),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
