// SPDX-License-Identifier: BSD-3-Clause
/* The server of a build without JSON: there is none, and it says so. */
#include <errno.h>

#include "base/diag.h"
#include "ctl/server.h"

int
ctl_server_new(const char *path, const char *group, ctl_handler handler, void *arg,
	struct ctl_server **ret_server, struct diag *diag)
{
	(void)path;
	(void)group;
	(void)handler;
	(void)arg;
	(void)ret_server;
	return diag_fail(diag, -ENOSYS, "no control socket: built without libjansson");
}

int
ctl_server_fd(const struct ctl_server *server)
{
	(void)server;
	return -1;
}

void
ctl_server_step(struct ctl_server *server)
{
	(void)server;
}

uint64_t
ctl_server_defer(struct ctl_server *server)
{
	(void)server;
	return 0;
}

void
ctl_server_answer(
	struct ctl_server *server, uint64_t ticket, const char *answer, const struct diag *error)
{
	(void)server;
	(void)ticket;
	(void)answer;
	(void)error;
}

void
ctl_server_free(struct ctl_server *server)
{
	(void)server;
}
