/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_AFP_H
#define DP_AFP_H

/*
 * The packet sockets that DPDK's net_af_packet (or libpcap, for net_pcap on an
 * interface) opened for a device. The driver shows neither them nor, with
 * net_af_packet, what the kernel dropped at them, and it would receive what the
 * host itself sends, so they are looked up among the process's descriptors.
 * Borrowed: the driver closes them.
 *
 * Main thread, but for waiting on the descriptors.
 */

#include <stddef.h>
#include <stdint.h>

#define AFP_QUEUES_MAX 64

struct afp {
	int fd[AFP_QUEUES_MAX]; /* by queue */
	size_t n;
	uint64_t drops; /* collected so far, see afp_drops() */
};

/* A mark to tell sockets opened afterwards from those before. */
struct afp_mark {
	uint64_t fds[1024 / 64]; /* packet sockets that are open already */
};
void afp_mark(struct afp_mark *ret_mark);

/*
 * Find the packet sockets bound to interface @ifindex that were not there at
 * @mark, and let them no longer receive what this host sends. Returns 0,
 * -ENOENT when there are none, or -errno.
 */
int afp_find(const struct afp_mark *mark, unsigned int ifindex, struct afp *ret_afp);

/*
 * Frames the kernel dropped because a ring was full, since afp_find(). The
 * kernel forgets what it has told, so there may be only one caller: not for
 * net_pcap, where libpcap is one.
 */
uint64_t afp_drops(struct afp *afp);

/* Let no further frame into the rings, so that they can be emptied. */
void afp_close_gate(struct afp *afp);

#endif
