/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_TAKEOVER_H
#define DP_TAKEOVER_H

/*
 * Keep the kernel from handling what arrives at an interface whose frames we
 * only get copies of: an nft netdev chain that drops everything at ingress,
 * behind the point where packet sockets look.
 */

struct diag;

/*
 * Begin; what an earlier run left behind on @iface is replaced. Returns 0,
 * -ENOTSUP (built without libnftables), -EPERM, -EIO with nft's words.
 */
int takeover_begin(const char *iface, struct diag *diag);

/* End. Nothing there is no error. */
void takeover_end(const char *iface);

#endif
