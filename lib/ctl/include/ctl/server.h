/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTL_SERVER_H
#define CTL_SERVER_H

/*
 * The control socket: a Unix stream socket, one JSON object a line each way.
 * Request {"cmd":"stats",…}; answer {"ok":true,…} or {"ok":false,"error":"…"}.
 * Input is bounded (CTL_LINE_MAX, CTL_CLIENTS_MAX); a client that is slow to
 * read is closed. Driven by the owner's epoll loop; one thread.
 */

#include <stdbool.h>
#include <stddef.h>

struct ctl_server;
struct diag;

#define CTL_LINE_MAX 65536 /* bytes of a request */
#define CTL_CLIENTS_MAX 64

/*
 * Answer one request: @cmd with its whole line @request (JSON text); append one
 * line of JSON, or fail with -errno and a sentence in @diag, which the server
 * turns into the error answer.
 */
struct sbuf;
typedef int (*ctl_handler)(
	void *arg, const char *cmd, const char *request, struct sbuf *answer, struct diag *diag);

/*
 * Listen on @path (0660, group @group when it exists). A stale socket is
 * replaced, a live one refused with -EADDRINUSE. -ENOSYS: built without jansson.
 */
int ctl_server_new(const char *path, const char *group, ctl_handler handler, void *arg,
	struct ctl_server **ret_server, struct diag *diag);

/* An epoll fd that is readable when ctl_server_step() has work. */
int ctl_server_fd(const struct ctl_server *server);
void ctl_server_step(struct ctl_server *server);

/* Close all and remove the socket's file. */
void ctl_server_free(struct ctl_server *server);

#endif
