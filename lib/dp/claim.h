/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_CLAIM_H
#define DP_CLAIM_H

/*
 * Who has a kernel interface: two daemons on one would undo each other's work
 * (the table of takeover.h, the queues of a TAP). A claim is a Unix socket bound
 * to an abstract name, so it belongs to a network namespace like the interface
 * itself, and the kernel ends it with the process, however that dies.
 */

struct diag;

/*
 * Claim @iface in the calling thread's network namespace, for @use ("takeover").
 *
 * @ret_fd:	the claim; closing it ends it. -1 when another user's process sits on
 *		the name: whoever has no right to keep us out does not
 *
 * Returns 0, or with a sentence: -EBUSY (names the process), or another -errno.
 * Source: unix(7), abstract sockets and SO_PEERCRED.
 */
int claim_take(const char *use, const char *iface, int *ret_fd, struct diag *diag);

#endif
