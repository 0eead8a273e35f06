// SPDX-License-Identifier: BSD-3-Clause
/* One program run and timed. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "tools.h"

static double
seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static double
now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Only in the child; does not come back. */
static void
become(const char *const *argv, int in, int out)
{
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
		dup2(in, STDERR_FILENO) < 0)
		_exit(126);
	(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

int
tools_run(const char *const *argv, const char *out, struct tools_run *ret)
{
	const int in = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct rusage usage = {0};
	double begin = now_s();
	int status = 0, r = BENCH_OK;
	pid_t pid = in >= 0 && fd >= 0 ? fork() : -1;

	if (pid == 0)
		become(argv, in, fd);
	while (pid > 0 && (r = wait4(pid, &status, 0, &usage)) < 0 && errno == EINTR)
		;
	*ret = (struct tools_run){
		.wall_s = now_s() - begin,
		.cpu_s = seconds(&usage.ru_utime) + seconds(&usage.ru_stime),
		.rss_kib = (uint64_t)usage.ru_maxrss,
		.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
	};
	r = pid > 0 && r == pid ? BENCH_OK
				: bench_fail("cannot run %s: %s", argv[0], strerror(errno));
	if (in >= 0)
		(void)close(in);
	if (fd >= 0)
		(void)close(fd);
	return r;
}
