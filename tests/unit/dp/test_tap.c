// SPDX-License-Identifier: BSD-3-Clause
/*
 * The TAP as exception path, in a network namespace of the test's own: what the
 * kernel counts against what we count, both ways. Needs root.
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/util.h"

#include "rig.h"
#include "tun.h"

#define SKIPPED 77
#define TAP "slutap0"

/* What the kernel counted at the TAP. */
static uint64_t
kernel_rx(void)
{
	struct ifaddrs *all, *a;
	uint64_t n = 0;

	assert_int_equal(getifaddrs(&all), 0);
	for (a = all; a != NULL; a = a->ifa_next)
		if (strcmp(a->ifa_name, TAP) == 0 && a->ifa_addr != NULL &&
			a->ifa_addr->sa_family == AF_PACKET)
			n = ((const struct rtnl_link_stats *)a->ifa_data)->rx_packets;
	freeifaddrs(all);
	return n;
}

static int
request(unsigned long what, struct ifreq *ifr)
{
	const int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int r;

	assert_true(fd >= 0);
	strcpy(ifr->ifr_name, TAP);
	r = ioctl(fd, what, ifr);
	close(fd);
	return r;
}

static short
flags(void)
{
	struct ifreq ifr = {.ifr_flags = 0};

	assert_int_equal(request(SIOCGIFFLAGS, &ifr), 0);
	return ifr.ifr_flags;
}

/* The kernel works a change of carrier off when it has time. */
static void
wait_running(bool running)
{
	const struct timespec wait = {.tv_nsec = 1000000};

	for (int i = 0; i < 5000; i++) {
		if (((flags() & IFF_RUNNING) != 0) == running)
			return;
		/* lint: sleep: between looks, with a deadline; nobody signals this event */
		(void)nanosleep(&wait, NULL);
	}
	fail_msg("the carrier is still %s", running ? "off" : "on");
}

static struct dp *
make(char *device)
{
	char in[256], out[256];
	struct dp_port_conf port = {
		.name = "a",
		.device = device,
		.queues = 1,
		.exception = DP_EXC_TAP,
		.exception_name = TAP,
		.exception_uid = (uid_t)-1,
		.mtu = 1500,
	};
	const struct dp_conf conf = {.ports = &port, .n_ports = 1, .sample_snaplen = 64};

	rig_path("tap-in.pcap", in, sizeof(in));
	rig_path("tap-out.pcap", out, sizeof(out));
	sprintf(device, "net_pcap_tap,rx_pcap=%s,tx_pcap=%s", in, out);
	return rig_dp(&conf);
}

static struct rig_file
write_input(size_t n, size_t payload)
{
	struct rig_file in = rig_file("tap-in.pcap");

	for (size_t i = 0; i < n; i++)
		rig_add_udp(&in, i % 4 == 0 ? 53 : 80, payload);
	rig_write(&in);
	return in;
}

static const uint16_t drop_53[] = {53};
static const enum match_action drops[] = {MATCH_DROP};
static const uint32_t slot_0[] = {0};

/* The kernel gets each survivor once, small ones and those in several pieces. */
static void
test_survivors_reach_the_kernel(void **state)
{
	static const size_t payloads[] = {20, 1400, 5000};
	struct diag diag = {0};

	(void)state;
	for (size_t i = 0; i < DIM(payloads); i++) {
		struct rig_file in = write_input(400, payloads[i]);
		struct dp_port_info info;
		struct ifreq ifr;
		char device[600];
		struct dp *dp = make(device);
		const uint64_t before = kernel_rx();

		assert_int_equal(dp_start(dp, rig_image(1, drop_53, drops, slot_0), &diag), 0);
		wait_running(true);
		dp_port_info_get(dp, 0, &info);
		assert_int_equal(request(SIOCGIFHWADDR, &ifr), 0);
		assert_memory_equal(ifr.ifr_hwaddr.sa_data, info.mac, 6);
		rig_drain(dp);
		match_image_free(dp_stop(dp));
		assert_int_equal(rig_stat(dp, 0, DP_STAT_PASSED), 300);
		assert_int_equal(kernel_rx() - before, 300);
		assert_int_equal(rig_stat(dp, 0, DP_STAT_DROPPED), 100);
		rig_check_books(dp, 0);
		/* It stays, without carrier. */
		wait_running(false);
		assert_true(flags() & IFF_UP);
		rig_free(dp);
		assert_true(if_nametoindex(TAP) != 0);
		rig_file_free(&in);
	}
}

/* A TAP that is down takes nothing, and that is what the books say. */
static void
test_tap_down(void **state)
{
	struct rig_file in = write_input(400, 20);
	struct ifreq ifr = {.ifr_flags = 0};
	struct diag diag = {0};
	char device[600];
	struct dp *dp;

	(void)state;
	dp = make(device);
	assert_int_equal(request(SIOCSIFFLAGS, &ifr), 0);
	assert_int_equal(dp_start(dp, NULL, &diag), 0);
	rig_drain(dp);
	(void)dp_stop(dp);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_PASSED), 0);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_EXCEPTION_FULL), 400);
	rig_check_books(dp, 0);
	rig_free(dp);
	rig_file_free(&in);
}

/* Whether the kernel's first frame came, given a second for it. */
static bool
first_arrived(struct dp *dp)
{
	const struct timespec wait = {.tv_nsec = 1000000};

	for (int i = 0; i < 1000 && rig_stat(dp, 0, DP_STAT_KERNEL_RX) == 0; i++) {
		/* lint: sleep: between looks, with a deadline; nobody signals this event */
		(void)nanosleep(&wait, NULL);
	}
	return rig_stat(dp, 0, DP_STAT_KERNEL_RX) > 0;
}

/* What the kernel sends leaves by the port, unchanged. */
static void
test_way_back(void **state)
{
	const struct timespec wait = {.tv_nsec = 1000000};
	const time_t deadline = time(NULL) + 20;
	struct rig_file in = write_input(1, 20), sent = rig_file("sent"), got;
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_halen = 6};
	struct diag diag = {0};
	char device[600];
	struct dp *dp;
	int fd;

	(void)state;
	dp = make(device);
	assert_int_equal(dp_start(dp, NULL, &diag), 0);
	wait_running(true);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	assert_true(fd >= 0);
	to.sll_ifindex = (int)if_nametoindex(TAP);
	for (size_t i = 0; i < 200; i++) {
		rig_add_udp(&sent, 80, i * 7);
		do {
			assert_int_equal(sendto(fd, sent.frames[i].data, sent.frames[i].len, 0,
						 (struct sockaddr *)&to, sizeof(to)),
				sent.frames[i].len);
			/*
			 * A carrier that has just come up shows before the kernel's queue
			 * takes frames, and until then they are lost without an error.
			 */
		} while (i == 0 && !first_arrived(dp) && time(NULL) < deadline);
	}
	for (int i = 0; i < 5000 && rig_stat(dp, 0, DP_STAT_TX) < 200; i++) {
		/* lint: sleep: between looks, with a deadline; nobody signals this event */
		(void)nanosleep(&wait, NULL);
	}
	close(fd);
	(void)dp_stop(dp);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_KERNEL_RX), 200);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_TX), 200);
	rig_check_books(dp, 0);
	got = rig_read("tap-out.pcap");
	assert_true(rig_same(&got, &sent));
	rig_free(dp);
	rig_file_free(&in);
	rig_file_free(&sent);
	rig_file_free(&got);
}

static void
test_refusals(void **state)
{
	struct tun_conf conf = {
		.name = TAP, .netns = "sluice-no-such", .queues = 1, .uid = (uid_t)-1};
	struct diag diag = {0};
	int fds[2], others[2], claim, fd;

	(void)state;
	assert_int_equal(tun_open(&conf, &fd, &claim, &diag), -ENOENT);
	assert_non_null(strstr(diag.msg, "sluice-no-such"));
	conf.netns = NULL;
	conf.name = "a/b";
	assert_int_equal(tun_open(&conf, &fd, &claim, &diag), -EINVAL);
	conf.name = "much-too-long-a-name";
	assert_int_equal(tun_open(&conf, &fd, &claim, &diag), -EINVAL);
	conf.name = TAP;
	assert_int_equal(tun_open(&conf, &fd, &claim, &diag), 0);
	assert_int_equal(tun_open(&conf, others, &claim, &diag), -EBUSY);
	assert_non_null(strstr(diag.msg, "already used by another sluiced"));
	/* Without a claim, as another program does it, the kernel refuses. */
	close(claim);
	assert_int_equal(tun_open(&conf, others, &claim, &diag), -EBUSY);
	assert_non_null(strstr(diag.msg, "in use"));
	/* One queue cannot become two. */
	close(fd);
	conf.queues = 2;
	assert_int_equal(tun_open(&conf, fds, &claim, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "several queues"));
	/* The kernel would let a second daemon join several queues. */
	conf.name = TAP "m";
	assert_int_equal(tun_open(&conf, fds, &claim, &diag), 0);
	assert_int_equal(tun_open(&conf, others, &claim, &diag), -EBUSY);
	assert_non_null(strstr(diag.msg, "already used by another sluiced"));
	close(fds[0]);
	close(fds[1]);
	close(claim);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_survivors_reach_the_kernel),
		cmocka_unit_test(test_tap_down),
		cmocka_unit_test(test_way_back),
		cmocka_unit_test(test_refusals),
	};
	int fd;

	if (access("/dev/net/tun", R_OK | W_OK) < 0 || unshare(CLONE_NEWNET) < 0) {
		printf("needs root and /dev/net/tun: %s\n", strerror(errno));
		return SKIPPED;
	}
	/* Else the kernel itself sends what nobody asked for. */
	fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY);
	if (fd >= 0) {
		(void)!write(fd, "1", 1);
		close(fd);
	}
	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
