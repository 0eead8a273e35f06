/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_PRIVILEGES_H
#define SLUICED_PRIVILEGES_H

/*
 * Giving root away after start. What stays is CAP_NET_ADMIN (carrier, link and
 * ingress drop) and CAP_NET_RAW, in the calling thread only; the workers keep
 * nothing, since they only use descriptors that are open.
 */

#include <stdbool.h>

struct diag;

/*
 * Become @user ("" or a process that is not root: change nothing but
 * no_new_privs). Call from the control thread when all that needs root is done.
 *
 * @ret_changed:	whether the user was changed
 *
 * Returns 0, -ENOENT: no such user, -errno with what failed.
 */
int privileges_drop(const char *user, bool *ret_changed, struct diag *diag);

/* Give up the calling thread's capabilities, unless it is root's: for those that need none. */
void privileges_none(void);

#endif
