// SPDX-License-Identifier: BSD-3-Clause
/* The client against the real server, and against ends that misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "ctl/client.h"
#include "ctl/server.h"

static char folder[] = "/tmp/sluice-client-XXXXXX";
static char path[64];
static atomic_bool
	stop; /* the test writes, the server's thread reads; relaxed, it is only polled */

static int
handler(void *arg, const char *cmd, const char *request, struct sbuf *answer, struct diag *diag)
{
	(void)arg;
	(void)request;
	if (strcmp(cmd, "big") == 0) {
		sbuf_adds(answer, "{\"ok\":true,\"text\":\"");
		for (size_t i = 0; i < 3000000; i++)
			sbuf_addc(answer, 'x');
		sbuf_adds(answer, "\"}");
		return 0;
	}
	if (strcmp(cmd, "hello") == 0) {
		sbuf_adds(answer, "{\"ok\":true,\"n\":1}");
		return 0;
	}
	return diag_fail(diag, -ENOENT, "unknown command %s", cmd);
}

static void *
serve(void *arg)
{
	struct ctl_server *s = arg;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		struct pollfd p = {.fd = ctl_server_fd(s), .events = POLLIN};

		if (poll(&p, 1, 20) > 0)
			ctl_server_step(s);
	}
	return NULL;
}

static void
questions_are_answered(void **state)
{
	struct ctl_server *s = NULL;
	struct ctl_client *c = NULL;
	struct diag d = {0};
	pthread_t thread;
	char *answer = NULL;

	(void)state;
	assert_int_equal(ctl_server_new(path, NULL, handler, NULL, &s, &d), 0);
	atomic_store_explicit(&stop, false, memory_order_relaxed);
	assert_int_equal(pthread_create(&thread, NULL, serve, s), 0);

	assert_int_equal(ctl_client_open(path, &c, &d), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ctl_client_ask(c, "{\"cmd\":\"hello\"}", 5000, &answer, &d), 0);
		assert_string_equal(answer, "{\"ok\":true,\"n\":1}");
		mem_free(answer);
	}
	assert_int_equal(ctl_client_ask(c, "{\"cmd\":\"big\"}", 20000, &answer, &d), 0);
	assert_int_equal(strlen(answer), 3000000 + strlen("{\"ok\":true,\"text\":\"\"}"));
	mem_free(answer);

	answer = NULL;
	assert_int_equal(ctl_client_ask(c, "{\"cmd\":\"frob\"}", 5000, &answer, &d), -EREMOTEIO);
	assert_string_equal(d.msg, "unknown command frob");
	assert_null(answer);
	ctl_client_close(c);

	atomic_store_explicit(&stop, true, memory_order_relaxed);
	assert_int_equal(pthread_join(thread, NULL), 0);
	ctl_server_free(s);
}

static void
nobody_there(void **state)
{
	struct ctl_client *c = NULL;
	struct diag d = {0};
	char long_path[200];

	(void)state;
	assert_int_equal(ctl_client_open("/nonexistent/s.sock", &c, &d), -ENOENT);
	assert_string_equal(d.msg,
		"no daemon answers at /nonexistent/s.sock; is sluiced running, with this [control] socket?");
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(ctl_client_open(long_path, &c, &d), -ENAMETOOLONG);
	ctl_client_close(NULL);
}

/* What an end does that is no sluiced: says this, or nothing, and goes or stays. */
static const struct bad_end {
	const char *says;
	bool stays;
	int want;
	const char *msg;
} bad_ends[] = {
	{"", false, -EPROTO, "sluiced closed the connection without an answer"},
	{"{\"ok\":tr", false, -EPROTO, "sluiced closed the connection without an answer"},
	{"", true, -ETIMEDOUT, "sluiced did not answer within 100 ms"},
	{"220 mail ready\n", true, -EPROTO, "what answers there is not sluiced"},
	{"{\"ok\":1}\n", true, -EPROTO, "what answers there is not sluiced"},
	{"[]\n", true, -EPROTO, "what answers there is not sluiced"},
};

static void
ends_that_misbehave(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 4), 0);
	for (size_t i = 0; i < DIM(bad_ends); i++) {
		const struct bad_end *b = &bad_ends[i];
		struct ctl_client *c = NULL;
		struct diag d = {0};
		char *answer = NULL;
		int end;

		assert_int_equal(ctl_client_open(path, &c, &d), 0);
		end = accept(fd, NULL, NULL);
		assert_true(end >= 0);
		assert_int_equal(write(end, b->says, strlen(b->says)), (ssize_t)strlen(b->says));
		if (!b->stays)
			close(end);
		assert_int_equal(ctl_client_ask(c, "{}", 100, &answer, &d), b->want);
		assert_string_equal(d.msg, b->msg);
		assert_null(answer);
		if (b->stays)
			close(end);
		ctl_client_close(c);
	}
	close(fd);
	unlink(path);
}

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/s.sock", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_are_answered),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(ends_that_misbehave),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
