/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

/* The other end of the control socket, for the CLI. One thread per object. */

struct ctl_client;
struct diag;

/* Returns 0, -errno with what to do (not running? no permission?), -ENOSYS without jansson. */
int ctl_client_open(const char *path, struct ctl_client **ret_client, struct diag *diag);

/*
 * Send one request line and wait up to @timeout_ms for its answer.
 *
 * @ret_answer:	the answer's line, mem_free() it
 *
 * Returns 0, -EPROTO, -ETIMEDOUT, -EREMOTEIO: the daemon's own error sentence in @diag.
 */
int ctl_client_ask(struct ctl_client *client, const char *request, int timeout_ms,
	char **ret_answer, struct diag *diag);
void ctl_client_close(struct ctl_client *client);

#endif
