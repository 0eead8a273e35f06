/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_TUN_H
#define DP_TUN_H

/*
 * A TAP of the kernel: persistent, so that its addresses, routes and sessions
 * outlive the daemon. Written to and read from with plain descriptors, one per
 * queue, non-blocking, no packet information in front of frames.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct diag;

struct tun_conf {
	const char *name;
	const char *netns; /* name below /run/netns, or a path; NULL or "": ours */
	size_t queues;
	uid_t uid; /* who may attach later; (uid_t)-1: leave as it is */
	const uint8_t *mac; /* 6 bytes, or NULL: leave as it is */
	uint32_t mtu; /* bytes; 0: leave as it is */
};

/*
 * Attach to the TAP, made if it is not there, set MAC and MTU, and bring it up,
 * its carrier still off.
 *
 * @ret_fds:	conf->queues descriptors, the caller's to close
 * @ret_claim:	the claim of claim.h or -1, the caller's to close after those
 *
 * Returns 0, or with a sentence that says what to do: -EINVAL (name; the TAP has
 * another number of queues or is a TUN), -EBUSY, -EPERM, -ENOENT (no such
 * namespace, no /dev/net/tun), or another -errno.
 */
int tun_open(const struct tun_conf *conf, int *ret_fds, int *ret_claim, struct diag *diag);

/* Switch the carrier of the TAP behind @fd. Returns 0 or -errno. */
int tun_carrier_set(int fd, bool up);

#endif
