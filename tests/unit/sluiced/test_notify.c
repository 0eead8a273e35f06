// SPDX-License-Identifier: BSD-3-Clause
/* Notifications: one datagram to where the variable says, path or abstract name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"

/* Listen on @name ('@' first: abstract), send @state, return what came in @buf. */
static void
round_trip(const char *name, const char *text, char *buf, size_t size)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const size_t len = strlen(name);
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && len < sizeof(sa.sun_path));
	memcpy(sa.sun_path, name, len);
	if (name[0] == '@')
		sa.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (const struct sockaddr *)&sa,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
		0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	notify_send(text);
	n = recv(fd, buf, size - 1, MSG_DONTWAIT);
	buf[n > 0 ? n : 0] = '\0';
	close(fd);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

static void
says_what_it_is_told(void **state)
{
	char name[108], buf[64];

	(void)state;
	(void)snprintf(name, sizeof(name), "@sluiced-notify-%d", (int)getpid());
	round_trip(name, "READY=1", buf, sizeof(buf));
	assert_string_equal(buf, "READY=1");

	(void)snprintf(name, sizeof(name), "/tmp/sluiced-notify-%d", (int)getpid());
	round_trip(name, "STOPPING=1\nSTATUS=x", buf, sizeof(buf));
	assert_string_equal(buf, "STOPPING=1\nSTATUS=x");
	assert_int_equal(unlink(name), 0);
}

static void
nobody_listens(void **state)
{
	static const char *const names[] = {"", "relative", "/nonexistent/socket"};
	char long_name[400];

	(void)state;
	notify_send("READY=1");
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(setenv("NOTIFY_SOCKET", names[i], 1), 0);
		notify_send("READY=1");
	}
	memset(long_name, '/', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(setenv("NOTIFY_SOCKET", long_name, 1), 0);
	notify_send("READY=1");
}

/* A full socket holds nobody up. */
static void
nobody_reads(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char name[108];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), n = 0;

	(void)state;
	(void)snprintf(name, sizeof(name), "@sluiced-notify-full-%d", (int)getpid());
	assert_true(fd >= 0);
	memcpy(sa.sun_path + 1, name + 1, strlen(name) - 1);
	assert_int_equal(
		bind(fd, (const struct sockaddr *)&sa,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	(void)alarm(10); /* instead of waiting for ever */
	for (int i = 0; i < 1000; i++)
		notify_send("READY=1");
	notify_send("STATUS=last");
	(void)alarm(0);
	while (recv(fd, name, sizeof(name), MSG_DONTWAIT) > 0)
		n++;
	assert_in_range(n, 1, 998);
	/* The last state is known in the end. */
	notify_tick();
	notify_tick();
	memset(name, 0, sizeof(name));
	assert_true(recv(fd, name, sizeof(name), MSG_DONTWAIT) > 0);
	assert_string_equal(name, "STATUS=last");
	assert_true(recv(fd, name, sizeof(name), MSG_DONTWAIT) < 0);
	close(fd);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_it_is_told),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
