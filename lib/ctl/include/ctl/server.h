/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTL_SERVER_H
#define CTL_SERVER_H

/*
 * The control socket: a Unix stream socket, one JSON object a line each way.
 * Request {"cmd":"stats",…}; answer {"ok":true,…} or {"ok":false,"error":"…"}.
 * Input is bounded (CTL_LINE_MAX, CTL_CLIENTS_MAX); a client that is slow to
 * read is closed, and one more client than there are places takes the place of
 * the one that has been silent longest. Driven by the owner's epoll loop; one thread.
 */

#include <stddef.h>
#include <stdint.h>

struct ctl_server;
struct diag;

#define CTL_LINE_MAX 65536 /* bytes of a request */
#define CTL_CLIENTS_MAX 64

/*
 * Answer one request: @cmd with its whole line @request (JSON text); append one
 * line of JSON, or fail with -errno and a sentence in @diag, which the server
 * turns into the error answer. A handler that cannot answer yet calls
 * ctl_server_defer() and returns -EINPROGRESS.
 */
struct sbuf;
typedef int (*ctl_handler)(
	void *arg, const char *cmd, const char *request, struct sbuf *answer, struct diag *diag);

/*
 * Listen on @path (0660, group @group when it exists and may be given). A stale
 * socket is replaced. Returns 0, or with a sentence: -EADDRINUSE (somebody
 * listens there), -EEXIST (another kind of file), -ENAMETOOLONG, -ENOMEM, -errno
 * of the system, -ENOSYS (built without jansson).
 */
int ctl_server_new(const char *path, const char *group, ctl_handler handler, void *arg,
	struct ctl_server **ret_server, struct diag *diag);

/* An epoll fd that is readable when ctl_server_step() has work. */
int ctl_server_fd(const struct ctl_server *server);
void ctl_server_step(struct ctl_server *server);

/*
 * In a handler: keep the client's question open. Its further requests wait.
 * Returns a ticket for ctl_server_answer().
 */
uint64_t ctl_server_defer(struct ctl_server *server);

/*
 * Answer the question of @ticket; no effect when its client is gone. Not from
 * within a handler.
 *
 * @answer:	one line of JSON, NULL: the question failed
 * @error:	why it failed
 */
void ctl_server_answer(
	struct ctl_server *server, uint64_t ticket, const char *answer, const struct diag *error);

/* Close all and remove the socket's file, if it is still ours. NULL is allowed. */
void ctl_server_free(struct ctl_server *server);

#endif
