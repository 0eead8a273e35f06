// SPDX-License-Identifier: BSD-3-Clause
/* The client of a build without jansson: there is none, and it says so. */
#include <errno.h>

#include "base/diag.h"
#include "ctl/client.h"

static const char missing[] = "built without jansson, so there is no way to ask sluiced";

int
ctl_client_open(const char *path, struct ctl_client **ret_client, struct diag *diag)
{
	(void)path;
	(void)ret_client;
	return diag_fail(diag, -ENOSYS, "%s", missing);
}

int
ctl_client_ask(struct ctl_client *client, const char *request, int timeout_ms, char **ret_answer,
	struct diag *diag)
{
	(void)client;
	(void)request;
	(void)timeout_ms;
	(void)ret_answer;
	return diag_fail(diag, -ENOSYS, "%s", missing);
}

void
ctl_client_close(struct ctl_client *client)
{
	(void)client;
}
