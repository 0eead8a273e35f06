// SPDX-License-Identifier: BSD-3-Clause
/*
 * tshark and capinfos as judges: of the builder's lengths and checksums, of the
 * parser's reading of the same frames, of the pcapng writer.
 */
#include <inttypes.h>
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
#include "base/util.h"
#include "frames.h"
#include "pkt/pcapng.h"
#include "pkt/savefile.h"

static char dir[] = "/tmp/sluice-tshark-XXXXXX";
static char pcap[64], ng[64];

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(pcap, sizeof(pcap), "%s/a.pcap", dir);
	(void)snprintf(ng, sizeof(ng), "%s/a.pcapng", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(pcap);
	(void)unlink(ng);
	return rmdir(dir);
}

static FILE *
run(const char *program, const char *file, const char *options)
{
	char cmd[1024];
	FILE *f;

	(void)snprintf(cmd, sizeof(cmd), "%s %s %s 2>/dev/null", program, file, options);
	f = popen(cmd, "r");
	assert_non_null(f);
	return f;
}

/* What tshark says of a sound frame is what the table expects. Layers: the last of each. */
static void
fields(void **state)
{
	uint8_t buf[2048];
	struct pkt_writer *w = NULL;
	char line[512];
	FILE *f;

	(void)state;
	assert_int_equal(pkt_writer_open(pcap, 1, 65535, &w, NULL), 0);
	for (size_t i = 0; i < n_frame_cases; i++) {
		size_t len = frame_make(&frame_cases[i], buf, sizeof(buf));

		assert_int_equal(pkt_writer_put(w,
					 &(struct pkt_frame){.data = buf,
						 .caplen = (uint32_t)len,
						 .wirelen = (uint32_t)len,
						 .time_ns = i}),
			0);
	}
	assert_int_equal(pkt_writer_close(w), 0);

	f = run("tshark -n -r", pcap,
		"-o ip.check_checksum:TRUE -o udp.check_checksum:TRUE"
		" -o tcp.check_checksum:TRUE -o ip.defragment:FALSE -o ipv6.defragment:FALSE"
		" -T fields -E separator=, -E occurrence=l"
		" -e ip.version -e ipv6.version -e ip.len -e ip.checksum.status"
		" -e udp.checksum.status -e tcp.checksum.status -e icmp.checksum.status"
		" -e icmpv6.checksum.status"
		" -e udp.dstport -e tcp.dstport -e sctp.dstport -e tcp.flags -e dns.qry.name");
	for (size_t i = 0; i < n_frame_cases; i++) {
		const struct frame_case *c = &frame_cases[i];
		char *field[13], *at = line;
		const char *port;

		assert_non_null(fgets(line, sizeof(line), f));
		if (c->spoil != NULL)
			continue;
		print_message("%s: %s", c->what, line);
		line[strcspn(line, "\n")] = '\0';
		for (size_t k = 0; k < DIM(field); k++) {
			field[k] = strsep(&at, ",");
			assert_non_null(field[k]);
		}
		/* Five tags are beyond what we walk; tshark goes on. */
		if (strcmp(c->what, "5 tags") == 0)
			continue;
		assert_string_equal(field[1], c->family == 6 ? "6" : "");
		if (c->family == 4)
			assert_int_equal(atoi(field[2]), c->l3_len);
		if (c->family == 4)
			assert_string_equal(field[3], "1");
		/* 1 is good; a part of a datagram, or one we made without, cannot be told. */
		for (size_t k = 4; k < 8; k++)
			if ((c->flags & PKT_FRAGMENT) == 0 && strcmp(c->what, "IPv6 AH") != 0)
				assert_true(field[k][0] == '\0' || field[k][0] == '1');
		/* Our nine headers; and tshark leaves a first fragment's payload alone. */
		if (c->flags & (PKT_EXT_UNKNOWN | PKT_FRAGMENT))
			continue;
		port = field[8][0] != '\0' ? field[8] : field[9][0] != '\0' ? field[9] : field[10];
		assert_int_equal(atoi(port), c->dport);
		if (c->dport == 53 && strcmp(c->what, "IPv6 AH") != 0)
			assert_string_equal(field[12], "a.www.example.uk");
	}
	assert_null(fgets(line, sizeof(line), f));
	assert_int_equal(pclose(f), 0);
}

static int
to_file(void *arg, const void *bytes, size_t n)
{
	return fwrite(bytes, 1, n, arg) == n ? 0 : -1;
}

#define T0 UINT64_C(1767225600123456789)

static void
write_ng(void)
{
	uint8_t buf[256];
	struct pcapng *p = NULL;
	FILE *f = fopen(ng, "w");

	assert_non_null(f);
	assert_int_equal(pcapng_new(to_file, f, "sluiced test", &p), 0);
	assert_int_equal(pcapng_interface(p, "edge0", 1, 128), 0);
	assert_int_equal(pcapng_interface(p, "edge1", 1, 128), 0);
	for (uint32_t i = 0; i < 10; i++) {
		char comment[64];
		size_t len = frame_make(&frame_cases[0], buf, sizeof(buf));

		(void)snprintf(comment, sizeof(comment), "verdict=drop rule=r%" PRIu32, i);
		assert_int_equal(pcapng_packet(p,
					 &(struct pcapng_packet){.interface = i & 1,
						 .time_ns = T0 + i,
						 .data = buf,
						 .caplen = (uint32_t)len - i,
						 .wirelen = (uint32_t)len,
						 .comment = i == 9 ? NULL : comment,
						 .direction = i == 9 ? 0 : 1,
						 .queue = i == 9 ? -1 : (int32_t)i}),
			0);
	}
	assert_int_equal(pcapng_stats(p, 0, T0, 1000, 7), 0);
	assert_int_equal(pcapng_stats(p, 1, T0, 2000, 8), 0);
	pcapng_free(p);
	assert_int_equal(fclose(f), 0);
}

static void
pcapng_by_tshark(void **state)
{
	char line[512];
	FILE *f;

	(void)state;
	write_ng();
	f = run("tshark -n -r", ng,
		"-T fields -E separator='|' -e frame.time_epoch -e frame.interface_name"
		" -e frame.cap_len -e frame.len -e frame.comment -e frame.packet_flags_direction"
		" -e frame.interface_queue");
	for (uint32_t i = 0; i < 10; i++) {
		char want[512];

		if (i < 9)
			(void)snprintf(want, sizeof(want),
				"1767225600.%" PRIu32 "|edge%" PRIu32
				"|%d|%d|verdict=drop rule=r%" PRIu32 "|0x00000001|%" PRIu32 "\n",
				123456789 + i, i & 1, 87 - (int)i, 87, i, i);
		else
			(void)snprintf(want, sizeof(want), "1767225600.123456798|edge1|78|87|||\n");
		assert_non_null(fgets(line, sizeof(line), f));
		assert_string_equal(line, want);
	}
	assert_null(fgets(line, sizeof(line), f));
	assert_int_equal(pclose(f), 0);
}

static void
pcapng_by_capinfos(void **state)
{
	static const char *const says[] = {
		"Number of packets:   10",
		"First packet time:   2026-01-01 00:00:00.123456789",
		"Capture application: sluiced test",
		"Number of interfaces in file: 2",
		"Name = edge0",
		"Time resolution = 0x09",
	};
	char text[8192];
	size_t n;
	FILE *f;

	(void)state;
	write_ng();
	f = run("TZ=UTC capinfos -M", ng, "");
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	assert_int_equal(pclose(f), 0);
	print_message("%s", text);
	for (size_t i = 0; i < DIM(says); i++) {
		if (strstr(text, says[i]) == NULL)
			fail_msg("capinfos does not say '%s'", says[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(pcapng_by_tshark),
		cmocka_unit_test(pcapng_by_capinfos),
	};

	if (system("command -v tshark >/dev/null && command -v capinfos >/dev/null") != 0)
		return 77;
	return cmocka_run_group_tests_name("pkt tshark", tests, setup, teardown);
}
