// SPDX-License-Identifier: BSD-3-Clause
/*
 * The control socket, over real sockets: questions and answers, what is bounded,
 * what a client may do wrong, deferred answers, stale and foreign files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#include "ctl/server.h"

static char folder[] = "/tmp/sluice-ctl-XXXXXX";
static char path[64];
static struct ctl_server *server;
static uint64_t ticket;

/* "echo" gives the request back, "big" a megabyte, "later" waits, "fail" fails. */
static int
handle(void *arg, const char *cmd, const char *request, struct sbuf *answer, struct diag *diag)
{
	(void)arg;
	if (strcmp(cmd, "echo") == 0) {
		sbuf_adds(answer, request);
	} else if (strcmp(cmd, "big") == 0) {
		for (int i = 0; i < 1 << 20; i++)
			sbuf_addc(answer, 'x');
	} else if (strcmp(cmd, "later") == 0) {
		ticket = ctl_server_defer(server);
		return -EINPROGRESS;
	} else if (strcmp(cmd, "refused later") == 0) {
		(void)ctl_server_defer(server);
		return -EPERM;
	} else if (strcmp(cmd, "silent") == 0) {
		return -EPERM;
	} else {
		return diag_fail(diag, -ENOENT, "no \"%s\" here", cmd);
	}
	return 0;
}

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/sock", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	return rmdir(folder); /* fails when a test leaves a file */
}

static int
start(void **state)
{
	struct diag d = {0};

	(void)state;
	return ctl_server_new(path, "no-such-group", handle, NULL, &server, &d);
}

static int
stop(void **state)
{
	(void)state;
	ctl_server_free(server);
	server = NULL;
	return access(path, F_OK) == 0 ? -1 : 0;
}

/* Let the server do all it can do now. */
static void
turn(void)
{
	struct pollfd p = {.fd = ctl_server_fd(server), .events = POLLIN};

	for (int i = 0; i < 1000 && poll(&p, 1, 0) > 0; i++)
		ctl_server_step(server);
}

static int
open_client(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(sa.sun_path, path, strlen(path));
	assert_int_equal(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	turn();
	return fd;
}

static void
say(int fd, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t w = send(fd, text, n, MSG_NOSIGNAL);

		assert_true(w > 0 || errno == EAGAIN);
		if (w > 0) {
			text += w;
			n -= (size_t)w;
		}
		turn();
	}
}

/* What there is to read, in @buf. */
static size_t
hear(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	turn();
	while (len < size - 1 && (n = recv(fd, buf + len, size - 1 - len, 0)) > 0) {
		len += (size_t)n;
		turn();
	}
	buf[len] = '\0';
	return len;
}

static bool
is_closed(int fd)
{
	char c;

	turn();
	return recv(fd, &c, 1, 0) == 0;
}

static void
expect(int fd, const char *question, const char *answer)
{
	char buf[2048];

	say(fd, question, strlen(question));
	(void)hear(fd, buf, sizeof(buf));
	assert_string_equal(buf, answer);
}

static void
questions_and_answers(void **state)
{
	int a = open_client(), b = open_client();
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	expect(a, "{\"cmd\":\"echo\",\"x\":1}\n", "{\"cmd\":\"echo\",\"x\":1}\n");
	expect(b, "{\"cmd\":\"none\"}\n", "{\"ok\":false,\"error\":\"no \\\"none\\\" here\"}\n");
	expect(b, "{\"cmd\":\"silent\"}\n",
		"{\"ok\":false,\"error\":\"Operation not permitted\"}\n");
	expect(a, "{\"cmd\":\"echo\"", "");
	expect(b, "{\"cmd\":\"echo\"}\n{\"cmd\":\"echo\",\"n\":2}\n",
		"{\"cmd\":\"echo\"}\n{\"cmd\":\"echo\",\"n\":2}\n");
	expect(a, "}\n", "{\"cmd\":\"echo\"}\n");
	close(a);
	close(b);
	turn();
}

static void
what_is_no_request(void **state)
{
	static const char *const bad[] = {
		"\n",
		"x\n",
		"[]\n",
		"{}\n",
		"{\"cmd\":1}\n",
		"\"cmd\"\n",
		"{\"cmd\":\"a\"} x\n",
		"{\"cmd\":\"a\",\"cmd\":\"b\"}\n",
		"\xff\n",
	};
	int fd = open_client();
	char buf[2048];

	(void)state;
	for (size_t i = 0; i < DIM(bad); i++) {
		say(fd, bad[i], strlen(bad[i]));
		(void)hear(fd, buf, sizeof(buf));
		if (strstr(buf, "{\"ok\":false,\"error\":\"expected ") != buf)
			fail_msg("%s: %s", bad[i], buf);
	}
	say(fd, "a\0b\n", 4);
	assert_true(hear(fd, buf, sizeof(buf)) > 0);
	expect(fd, "{\"cmd\":\"echo\"}\n", "{\"cmd\":\"echo\"}\n");
	close(fd);
	turn();
}

static void
a_line_is_bounded(void **state)
{
	static char text[CTL_LINE_MAX + 10], buf[CTL_LINE_MAX + 10];
	int fd = open_client();

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "{\"cmd\":\"echo\"}", 14);
	text[CTL_LINE_MAX - 1] = '\n';
	say(fd, text, CTL_LINE_MAX);
	assert_int_equal(hear(fd, buf, sizeof(buf)), CTL_LINE_MAX);
	text[CTL_LINE_MAX - 1] = ' ';
	say(fd, text, CTL_LINE_MAX);
	(void)hear(fd, buf, sizeof(buf));
	assert_non_null(strstr(buf, "longer than 65536"));
	assert_true(is_closed(fd));
	close(fd);
}

static void
clients_are_bounded(void **state)
{
	int fds[CTL_CLIENTS_MAX], extra;
	char buf[256];

	(void)state;
	for (size_t i = 0; i < DIM(fds); i++) {
		fds[i] = open_client();
		expect(fds[i], "{\"cmd\":\"later\"}\n", ""); /* all have a question open */
	}
	extra = open_client();
	(void)hear(extra, buf, sizeof(buf));
	assert_string_equal(buf, "{\"ok\":false,\"error\":\"too many clients\"}\n");
	assert_true(is_closed(extra));
	close(extra);
	ctl_server_answer(server, ticket, "{\"ok\":true}", NULL);
	expect(fds[CTL_CLIENTS_MAX - 1], "", "{\"ok\":true}\n");
	for (size_t i = 0; i < DIM(fds); i++)
		close(fds[i]);
	turn();
	extra = open_client();
	expect(extra, "{\"cmd\":\"echo\"}\n", "{\"cmd\":\"echo\"}\n");
	close(extra);
	turn();
}

/* Connections that say nothing cannot lock others out. */
static void
the_longest_silent_makes_room(void **state)
{
	int fds[CTL_CLIENTS_MAX], extra;

	(void)state;
	for (size_t i = 0; i < DIM(fds); i++)
		fds[i] = open_client();
	expect(fds[0], "{\"cmd\":\"echo\"}\n", "{\"cmd\":\"echo\"}\n");
	expect(fds[1], "{\"cmd\":\"later\"}\n", "");
	extra = open_client();
	expect(extra, "{\"cmd\":\"echo\"}\n", "{\"cmd\":\"echo\"}\n");
	assert_true(is_closed(fds[2]));
	expect(fds[0], "{\"cmd\":\"echo\"}\n", "{\"cmd\":\"echo\"}\n");
	ctl_server_answer(server, ticket, "{\"ok\":true}", NULL);
	expect(fds[1], "", "{\"ok\":true}\n");
	close(extra);
	for (size_t i = 0; i < DIM(fds); i++)
		close(fds[i]);
	turn();
}

/* An answer larger than a socket's buffer arrives whole; questions behind it wait. */
static void
a_big_answer_is_sent_in_pieces(void **state)
{
	static char buf[(1 << 20) + 100];
	const char *questions = "{\"cmd\":\"big\"}\n{\"cmd\":\"echo\"}\n";
	int fd = open_client();
	size_t len;

	(void)state;
	say(fd, questions, strlen(questions));
	len = hear(fd, buf, sizeof(buf));
	assert_int_equal(len, (1 << 20) + 1 + strlen("{\"cmd\":\"echo\"}\n"));
	assert_string_equal(buf + (1 << 20) + 1, "{\"cmd\":\"echo\"}\n");
	close(fd);
	turn();
}

static void
one_that_takes_no_answer_is_closed(void **state)
{
	int fd = open_client(), other;
	struct pollfd p = {.fd = ctl_server_fd(server), .events = POLLIN};
	static char buf[1 << 20];
	size_t total = 0;
	ssize_t n;

	(void)state;
	say(fd, "{\"cmd\":\"big\"}\n", 14);
	for (int i = 0; i < 13; i++) {
		assert_true(poll(&p, 1, 3000) > 0);
		ctl_server_step(server);
		other = open_client();
		expect(other, "{\"cmd\":\"echo\"}\n", "{\"cmd\":\"echo\"}\n");
		close(other);
		turn();
		if (poll(&p, 1, 2000) == 0)
			break; /* its clock has stopped: it is gone */
	}
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		total += (size_t)n;
	assert_int_equal(n, 0);
	assert_true(total < 1 << 20);
	close(fd);
}

static void
an_answer_may_come_later(void **state)
{
	const struct diag why = {.file = "a.ini", .line = 3, .msg = "no"};
	int fd = open_client();
	uint64_t old;

	(void)state;
	expect(fd, "{\"cmd\":\"later\"}\n{\"cmd\":\"echo\"}\n", "");
	ctl_server_answer(server, ticket, "{\"ok\":true}", NULL);
	expect(fd, "", "{\"ok\":true}\n{\"cmd\":\"echo\"}\n");
	ctl_server_answer(server, ticket, "{}", NULL); /* once only */
	expect(fd, "{\"cmd\":\"later\"}\n", "");
	ctl_server_answer(server, ticket, NULL, &why);
	expect(fd, "", "{\"ok\":false,\"error\":\"a.ini:3: no\"}\n");

	expect(fd, "{\"cmd\":\"later\"}\n", "");
	old = ticket;
	close(fd);
	turn();
	fd = open_client(); /* has its place now, but not its ticket */
	expect(fd, "{\"cmd\":\"later\"}\n", "");
	ctl_server_answer(server, old, "{}", NULL);
	ctl_server_answer(server, UINT64_MAX, "{}", NULL);
	expect(fd, "", "");
	ctl_server_answer(server, ticket, "{}", NULL);
	expect(fd, "", "{}\n");
	assert_int_equal(ctl_server_defer(server), UINT64_MAX);
	expect(fd, "{\"cmd\":\"refused later\"}\n{\"cmd\":\"echo\"}\n",
		"{\"ok\":false,\"error\":\"Operation not permitted\"}\n{\"cmd\":\"echo\"}\n");
	close(fd);
	turn();
}

static void
half_closed_gets_its_answer(void **state)
{
	int fd = open_client();
	char buf[256];

	(void)state;
	say(fd, "{\"cmd\":\"later\"}\n", 16);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	turn();
	ctl_server_answer(server, ticket, "{}", NULL);
	(void)hear(fd, buf, sizeof(buf));
	assert_string_equal(buf, "{}\n");
	assert_true(is_closed(fd));
	close(fd);
}

static void
only_one_listens(void **state)
{
	struct ctl_server *second = NULL;
	struct diag d = {0};

	(void)state;
	assert_int_equal(ctl_server_new(path, NULL, handle, NULL, &second, &d), -EADDRINUSE);
	assert_non_null(strstr(d.msg, path));
	assert_null(second);
	turn();
	assert_int_equal(access(path, F_OK), 0);
}

/* Its file was removed, and another daemon listens there now: that one's file stays. */
static void
a_file_of_another_is_left_alone(void **state)
{
	struct ctl_server *second = NULL;
	struct diag d = {0};

	(void)state;
	assert_int_equal(start(NULL), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ctl_server_new(path, NULL, handle, NULL, &second, &d), 0);
	ctl_server_free(server);
	server = NULL;
	assert_int_equal(access(path, F_OK), 0);
	ctl_server_free(second);
	assert_int_equal(access(path, F_OK), -1);
}

static void
files_in_the_way(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char longer[200];
	struct diag d = {0};
	int fd;

	(void)state;
	/* What a killed daemon leaves is replaced. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(sa.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	assert_int_equal(ctl_server_new(path, NULL, handle, NULL, &server, &d), 0);
	ctl_server_free(server);
	assert_int_equal(access(path, F_OK), -1);

	/* A file that is no socket is not. */
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	server = NULL;
	assert_int_equal(ctl_server_new(path, NULL, handle, NULL, &server, &d), -EEXIST);
	assert_int_equal(unlink(path), 0);

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(ctl_server_new(longer, NULL, handle, NULL, &server, &d), -ENAMETOOLONG);
	assert_int_equal(ctl_server_new("", NULL, handle, NULL, &server, &d), -ENAMETOOLONG);
	assert_int_equal(
		ctl_server_new("/nonexistent/s", NULL, handle, NULL, &server, &d), -ENOENT);
	assert_non_null(strstr(d.msg, "/nonexistent/s"));
	assert_null(server);
	ctl_server_free(NULL);
}

static void
memory_may_fail_anywhere(void **state)
{
	struct diag d = {0};
	long n = 0;
	int r;

	(void)state;
	do {
		mem_fault_set(n++);
		r = ctl_server_new(path, NULL, handle, NULL, &server, &d);
		if (r == 0) {
			int fd = open_client();

			mem_fault_set(-1);
			ctl_server_free(server);
			close(fd);
		}
		mem_fault_set(-1);
		assert_int_equal(access(path, F_OK), -1);
	} while (r < 0);
	server = NULL;

	for (n = 0; n < 8; n++) {
		int fd;

		assert_int_equal(start(NULL), 0);
		fd = open_client();
		mem_fault_set(n);
		say(fd, "{\"cmd\":\"echo\"}\n", 15);
		turn();
		mem_fault_set(-1);
		close(fd);
		turn();
		assert_int_equal(stop(NULL), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(questions_and_answers, start, stop),
		cmocka_unit_test_setup_teardown(what_is_no_request, start, stop),
		cmocka_unit_test_setup_teardown(a_line_is_bounded, start, stop),
		cmocka_unit_test_setup_teardown(clients_are_bounded, start, stop),
		cmocka_unit_test_setup_teardown(the_longest_silent_makes_room, start, stop),
		cmocka_unit_test_setup_teardown(a_big_answer_is_sent_in_pieces, start, stop),
		cmocka_unit_test_setup_teardown(one_that_takes_no_answer_is_closed, start, stop),
		cmocka_unit_test_setup_teardown(an_answer_may_come_later, start, stop),
		cmocka_unit_test_setup_teardown(half_closed_gets_its_answer, start, stop),
		cmocka_unit_test_setup_teardown(only_one_listens, start, stop),
		cmocka_unit_test(a_file_of_another_is_left_alone),
		cmocka_unit_test(files_in_the_way),
		cmocka_unit_test(memory_may_fail_anywhere),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
