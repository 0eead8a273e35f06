// SPDX-License-Identifier: BSD-3-Clause
#include "afp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

/*
 * The driver joins its sockets to a fanout group, whatever their number, and
 * asks the kernel to put IPv4 fragments together first: a datagram larger than
 * the ring's slots would reach us cut off, and fragments never as they came. A
 * group cannot be left or changed, so the request is corrected on its way: this
 * definition stands before libc's for all libraries of the process.
 */
int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	uint32_t fanout;

	if (level == SOL_PACKET && name == PACKET_FANOUT && len == sizeof(fanout)) {
		memcpy(&fanout, value, sizeof(fanout));
		fanout &= ~((uint32_t)PACKET_FANOUT_FLAG_DEFRAG << 16);
		value = &fanout;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

/* Above any descriptor that a driver's start gets; limits the search. */
#define FDS (sizeof(((struct afp_mark *)0)->fds) * 8)

/* True when @fd is a packet socket; *ret_ifindex is what it is bound to. */
static bool
is_packet_socket(int fd, int *ret_ifindex)
{
	struct sockaddr_ll addr;
	socklen_t len = sizeof(addr);

	memset(&addr, 0, sizeof(addr));
	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0 || addr.sll_family != AF_PACKET)
		return false;
	*ret_ifindex = addr.sll_ifindex;
	return true;
}

void
afp_mark(struct afp_mark *ret_mark)
{
	int ifindex;

	memset(ret_mark, 0, sizeof(*ret_mark));
	for (size_t fd = 0; fd < FDS; fd++)
		if (is_packet_socket((int)fd, &ifindex))
			ret_mark->fds[fd / 64] |= UINT64_C(1) << (fd % 64);
}

static int
filter_set(int fd, struct sock_filter *code, unsigned short n)
{
	const struct sock_fprog prog = {.len = n, .filter = code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0)
		return -errno;
	return 0;
}

/*
 * Refuse frames on their way out of this host. A socket in a fanout group, which
 * the driver's always are, ignores PACKET_IGNORE_OUTGOING; its filter it obeys.
 */
static int
filter_outgoing(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (unsigned int)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};

	return filter_set(fd, code, DIM(code));
}

int
afp_find(const struct afp_mark *mark, unsigned int ifindex, struct afp *ret_afp)
{
	struct afp afp = {.n = 0};
	int bound, r;

	/* The driver opens one per queue, in order, and closes none in between. */
	for (size_t fd = 0; fd < FDS && afp.n < DIM(afp.fd); fd++) {
		if ((mark->fds[fd / 64] >> (fd % 64) & 1) != 0 ||
			!is_packet_socket((int)fd, &bound) || bound != (int)ifindex)
			continue;
		r = filter_outgoing((int)fd);
		if (r < 0)
			return r;
		afp.fd[afp.n++] = (int)fd;
	}
	if (afp.n == 0)
		return -ENOENT;
	*ret_afp = afp;
	return 0;
}

uint64_t
afp_drops(struct afp *afp)
{
	for (size_t i = 0; i < afp->n; i++) {
		struct tpacket_stats st = {0};
		socklen_t len = sizeof(st);

		if (getsockopt(afp->fd[i], SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
			afp->drops += st.tp_drops;
	}
	return afp->drops;
}

void
afp_close_gate(struct afp *afp)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 0)};

	for (size_t i = 0; i < afp->n; i++)
		(void)filter_set(afp->fd[i], code, DIM(code));
}
