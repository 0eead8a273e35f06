/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTL_LISTEN_H
#define CTL_LISTEN_H

/* The control socket's file (private to lib/ctl). */

struct diag;

/* Listen on @path as ctl_server_new() says. Returns a non-blocking descriptor or -errno. */
int ctl_listen(const char *path, const char *group, struct diag *diag);

#endif
