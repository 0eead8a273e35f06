// SPDX-License-Identifier: BSD-3-Clause
#include "listen.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/diag.h"

#define BACKLOG 16

/* 0 when nobody listens at @sa any more, so that its file may go. */
static int
check_stale(const struct sockaddr_un *sa, struct diag *diag)
{
	struct stat st;
	int fd, r = 0;

	if (lstat(sa->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return diag_fail(diag, -EEXIST,
			"cannot listen on %s: it is another kind of file; remove it or set "
			"another \"socket =\" in [control]",
			sa->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return diag_fail(diag, -errno, "cannot make a socket: %s", strerror(errno));
	/* EAGAIN: somebody listens and has a full backlog. */
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN)
		r = diag_fail(diag, -EADDRINUSE,
			"another process listens on %s: stop it or set another \"socket =\" in "
			"[control]",
			sa->sun_path);
	else if (errno != ECONNREFUSED && errno != ENOENT)
		r = diag_fail(diag, -errno, "cannot use %s: %s", sa->sun_path, strerror(errno));
	close(fd);
	return r;
}

/* bind() with the right mode from the first moment. */
static int
bind_mode(int fd, const struct sockaddr_un *sa)
{
	const mode_t before = umask(0117);
	const int r = bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 ? -errno : 0;

	(void)umask(before);
	return r;
}

static int
bind_path(int fd, const struct sockaddr_un *sa, struct diag *diag)
{
	int r = bind_mode(fd, sa);

	if (r == -EADDRINUSE) {
		r = check_stale(sa, diag);
		if (r < 0)
			return r;
		(void)unlink(sa->sun_path);
		r = bind_mode(fd, sa);
	}
	if (r == -ENOENT)
		return diag_fail(diag, r,
			"cannot listen on %s: make its folder or set another \"socket =\" in "
			"[control]",
			sa->sun_path);
	if (r < 0)
		return diag_fail(diag, r, "cannot listen on %s: %s", sa->sun_path, strerror(-r));
	return 0;
}

/* Not being root, or no such group, leaves the socket to its owner's group. */
static void
give_group(const char *path, const char *group)
{
	const struct group *gr = group != NULL && group[0] != '\0' ? getgrnam(group) : NULL;

	if (gr != NULL && chown(path, (uid_t)-1, gr->gr_gid) < 0)
		return;
}

int
ctl_listen(const char *path, const char *group, struct diag *diag)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd, r;

	if (path[0] == '\0' || strlen(path) >= sizeof(sa.sun_path))
		return diag_fail(diag, -ENAMETOOLONG,
			"control socket '%s': expected a path of 1 to %zu bytes", path,
			sizeof(sa.sun_path) - 1);
	memcpy(sa.sun_path, path, strlen(path));

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return diag_fail(diag, -errno, "cannot make a socket: %s", strerror(errno));
	r = bind_path(fd, &sa, diag);
	if (r < 0)
		goto fail;
	give_group(path, group);
	if (listen(fd, BACKLOG) < 0) {
		r = diag_fail(diag, -errno, "cannot listen on %s: %s", path, strerror(errno));
		(void)unlink(path);
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return r;
}
