// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"

/* The control thread's: what a full socket did not take, "" for nothing; that it was told of. */
static char waiting[1024];
static bool is_told;

/* The manager's socket and the length of its address; 0: there is none. */
static socklen_t
address(struct sockaddr_un *sa)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return 0;
	len = strlen(path);
	if (len >= sizeof(sa->sun_path))
		return 0;
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(sa->sun_path, path, len);
	if (path[0] == '@')
		sa->sun_path[0] = '\0'; /* an abstract name */
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* Returns false when the socket is full: nobody has read it for long. */
static bool
send_now(const char *state)
{
	struct sockaddr_un sa;
	const socklen_t len = address(&sa);
	bool full;
	int fd;

	if (len == 0)
		return true;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true;
	full = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&sa, len) <
			0 &&
		errno == EAGAIN;
	close(fd);
	return !full;
}

void
notify_send(const char *state)
{
	if (send_now(state)) {
		waiting[0] = '\0';
		return;
	}
	(void)snprintf(waiting, sizeof(waiting), "%s", state);
	if (!is_told)
		log_line(LOG_LEVEL_WARNING,
			"the service manager does not read what NOTIFY_SOCKET is sent; the last "
			"state will be sent again");
	is_told = true;
}

void
notify_tick(void)
{
	if (waiting[0] != '\0' && send_now(waiting))
		waiting[0] = '\0';
}
