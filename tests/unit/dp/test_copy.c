// SPDX-License-Identifier: BSD-3-Clause
/*
 * net_af_packet on a veth pair, in a network namespace of the test's own: every
 * frame sent is in the books, also those that found no room; nothing is
 * received that was not sent to us, and nothing put together. Needs root.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/util.h"

#include "rig.h"

#define SKIPPED 77

static int
veth_setup(void **state)
{
	if (system("ip link add sluv0 type veth peer name sluv1 && ip link set sluv0 up && "
		   "ip link set sluv1 up") != 0)
		return -1;
	return rig_setup(state);
}

static struct dp *
make(uint16_t queues, uint32_t ring)
{
	const struct dp_port_conf port = {
		.name = "a",
		.device = "net_af_packet_t,iface=sluv1",
		.queues = queues,
		.rx_ring = ring,
		.exception = DP_EXC_NONE,
		.exception_uid = (uid_t)-1,
	};
	const struct dp_conf conf = {.ports = &port, .n_ports = 1, .sample_snaplen = 64};

	return rig_dp(&conf);
}

/* Send the frames of @f, @times over, out of @iface. */
static void
send_all(const char *iface, const struct rig_file *f, size_t times)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_halen = 6};
	const int fd = socket(AF_PACKET, SOCK_RAW, 0);

	assert_true(fd >= 0);
	to.sll_ifindex = (int)if_nametoindex(iface);
	for (size_t i = 0; i < times * f->n; i++) {
		const struct rig_frame *frame = &f->frames[i % f->n];

		assert_int_equal(
			sendto(fd, frame->data, frame->len, 0, (struct sockaddr *)&to, sizeof(to)),
			frame->len);
	}
	close(fd);
}

static void
wait_seen(struct dp *dp, uint64_t n)
{
	const struct timespec wait = {.tv_nsec = 1000000};

	for (int i = 0; i < 5000; i++) {
		if (rig_stat(dp, 0, DP_STAT_RX) + rig_stat(dp, 0, DP_STAT_RX_MISSED) >= n)
			return;
		/* lint: sleep: between looks, with a deadline; nobody signals this event */
		(void)nanosleep(&wait, NULL);
	}
}

/*
 * A socket that sees what arrives at sluv1, each frame after all sockets that were
 * opened later have: when it has seen the last one, so have the driver's.
 */
static int
watch(void)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	const int fd = socket(AF_PACKET, SOCK_RAW, 0), room = 64 << 20;

	assert_true(fd >= 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	at.sll_ifindex = (int)if_nametoindex("sluv1");
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void
watch_end(int fd, size_t n)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t buf[64];

	for (; n > 0; n--) {
		assert_int_equal(poll(&p, 1, 10000), 1);
		assert_true(recv(fd, buf, sizeof(buf), 0) > 0);
	}
	close(fd);
}

/* Nobody reads while 3000 frames meet a ring of 512: the rest is missed, exactly. */
static void
test_missed_is_exact(void **state)
{
	struct rig_file f = rig_file("unused");
	struct diag diag = {0};
	struct dp *dp;

	(void)state;
	rig_add_udp(&f, 80, 100);
	dp = make(1, 512);
	send_all("sluv0", &f, 3000);
	assert_int_equal(dp_start(dp, NULL, &diag), 0);
	wait_seen(dp, 3000);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_RX), 512);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_RX_MISSED), 2488);
	(void)dp_stop(dp);
	/* And so it stays. */
	assert_int_equal(rig_stat(dp, 0, DP_STAT_RX_MISSED), 2488);
	rig_check_books(dp, 0);
	rig_free(dp);
	rig_file_free(&f);
}

/* What is in the ring when the stop comes is dealt with. */
static void
test_stop_leaves_none_behind(void **state)
{
	struct rig_file f = rig_file("unused");
	struct diag diag = {0};

	(void)state;
	rig_add_udp(&f, 80, 100);
	for (int round = 0; round < 5; round++) {
		const int watcher = watch();
		struct dp *dp = make(2, 16384);

		/* More than the workers get done between start and stop. */
		send_all("sluv0", &f, 16000);
		watch_end(watcher, 16000);
		assert_int_equal(dp_start(dp, NULL, &diag), 0);
		(void)dp_stop(dp);
		assert_int_equal(
			rig_stat(dp, 0, DP_STAT_RX) + rig_stat(dp, 0, DP_STAT_RX_MISSED), 16000);
		rig_check_books(dp, 0);
		rig_free(dp);
	}
	rig_file_free(&f);
}

/* What the host sends by the interface was not sent to us. */
static void
test_outgoing_is_not_received(void **state)
{
	struct rig_file f = rig_file("unused");
	struct diag diag = {0};
	struct dp *dp;

	(void)state;
	rig_add_udp(&f, 80, 100);
	dp = make(1, 512);
	assert_int_equal(dp_start(dp, NULL, &diag), 0);
	send_all("sluv1", &f, 100);
	send_all("sluv0", &f, 10);
	wait_seen(dp, 10);
	(void)dp_stop(dp);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_RX), 10);
	rig_free(dp);
	rig_file_free(&f);
}

/* Two fragments of one datagram are two frames. */
static void
test_fragments_stay_apart(void **state)
{
	struct rig_file f = rig_file("unused");
	struct diag diag = {0};
	struct dp *dp;

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint8_t *ip;
		uint32_t sum = 0;

		rig_add_udp(&f, 80, 1000);
		ip = f.frames[i].data + 14;
		store_be16(ip + 4, 77); /* one datagram */
		store_be16(ip + 6, i == 0 ? 0x2000 : 1008 / 8);
		store_be16(ip + 10, 0);
		for (int j = 0; j < 20; j += 2)
			sum += load_be16(ip + j);
		store_be16(ip + 10, (uint16_t) ~((sum & 0xffff) + (sum >> 16)));
	}
	dp = make(1, 512);
	assert_int_equal(dp_start(dp, NULL, &diag), 0);
	send_all("sluv0", &f, 1);
	wait_seen(dp, 2);
	(void)dp_stop(dp);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_RX), 2);
	assert_int_equal(rig_stat(dp, 0, DP_STAT_RX_BYTES), 2 * 1042);
	rig_free(dp);
	rig_file_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missed_is_exact),
		cmocka_unit_test(test_stop_leaves_none_behind),
		cmocka_unit_test(test_outgoing_is_not_received),
		cmocka_unit_test(test_fragments_stay_apart),
	};
	int fd;

	if (unshare(CLONE_NEWNET) < 0) {
		printf("needs root: %s\n", strerror(errno));
		return SKIPPED;
	}
	/* Else the kernel itself sends what nobody asked for. */
	fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY);
	if (fd >= 0) {
		(void)!write(fd, "1", 1);
		close(fd);
	}
	return cmocka_run_group_tests(tests, veth_setup, rig_teardown);
}
