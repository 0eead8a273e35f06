// SPDX-License-Identifier: BSD-3-Clause
#include "claim.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/diag.h"

/* "\0sluice/USE/IFACE"; the length tells where it ends, not a NUL. */
static socklen_t
claim_name(const char *use, const char *iface, struct sockaddr_un *addr)
{
	int n;

	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(addr->sun_path + 1, sizeof(addr->sun_path) - 1, "sluice/%s/%s", use, iface);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

/* Who listens at @addr. Returns 0 or -errno. */
static int
holder(const struct sockaddr_un *addr, socklen_t len, struct ucred *ret_cred)
{
	socklen_t size = sizeof(*ret_cred);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, len) < 0 ||
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_cred, &size) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* The name is taken: by somebody whose word counts? */
static int
judge(const struct sockaddr_un *addr, socklen_t len, const char *iface, struct diag *diag)
{
	struct ucred cred;

	if (holder(addr, len, &cred) < 0 || (cred.uid != 0 && cred.uid != geteuid()))
		return 0;
	return diag_fail(diag, -EBUSY, "'%s' is already used by another sluiced (process %d)",
		iface, (int)cred.pid);
}

int
claim_take(const char *use, const char *iface, int *ret_fd, struct diag *diag)
{
	struct sockaddr_un addr;
	const socklen_t len = claim_name(use, iface, &addr);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r = 0;

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&addr, len) == 0 && listen(fd, 1) == 0) {
		*ret_fd = fd;
		return 0;
	}
	if (errno == EADDRINUSE)
		r = judge(&addr, len, iface, diag);
	else
		r = diag_fail(diag, -errno, "cannot claim '%s': %s", iface, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (r == 0)
		*ret_fd = -1;
	return r;
}
