// SPDX-License-Identifier: BSD-3-Clause
#include "clang.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sbuf.h"
#include "base/util.h"

/* The child: run @argv, or leave with 127; not longer than @cpu_s seconds of the CPU. */
static _Noreturn void
exec_limited(char **argv, const char *dir, uint32_t cpu_s)
{
	const struct rlimit limit = {cpu_s, cpu_s};

	/* What it says of being ended is of no interest. */
	if (cpu_s > 0 && setrlimit(RLIMIT_CPU, &limit) == 0)
		(void)freopen("/dev/null", "w", stderr);
	(void)setenv("TMPDIR", dir, 1);
	(void)execvp(argv[0], argv);
	_exit(127);
}

/* Seconds of the CPU that ended children took. */
static double
children_s(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_CHILDREN, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Run the first clang there is with @argv, whose [0] is filled in, its own files in @dir. */
static int
run(char **argv, const char *dir, uint32_t cpu_s)
{
	static const char *const names[] = {"clang", "clang-14", "clang-16", "clang-19"};

	for (size_t i = 0; i < DIM(names); i++) {
		const double before = children_s();
		int status;
		pid_t pid;

		argv[0] = (char *)(uintptr_t)names[i];
		(void)fflush(NULL);
		pid = fork();
		if (pid == 0)
			exec_limited(argv, dir, cpu_s);
		if (pid < 0 || waitpid(pid, &status, 0) < 0)
			return -errno;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
			continue;
		/* The limit ends the compiler that clang starts, and clang says that this failed. */
		if (status != 0 && cpu_s > 0 && children_s() - before > 0.9 * cpu_s)
			return -ETIME;
		return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
	}
	return -ENOENT;
}

/* A compiler that was ended leaves files behind. */
static void
remove_all(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	char path[sizeof(e->d_name) + 64];

	while (d != NULL && (e = readdir(d)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			(void)unlink(path);
	}
	if (d != NULL)
		(void)closedir(d);
	(void)rmdir(dir);
}

static int
write_source(const char *path, const struct sbuf *source)
{
	FILE *f;
	int r = 0;

	if (!sbuf_ok(source))
		return -ENOMEM;
	f = fopen(path, "we");
	if (f == NULL)
		return -errno;
	if (fputs(sbuf_str(source), f) == EOF)
		r = -EIO;
	if (fclose(f) == EOF && r == 0)
		r = -errno;
	return r;
}

static int
load(const char *so, const char *name, struct clang_made *ret)
{
	struct clang_made m = {0};
	struct stat st;

	if (stat(so, &st) == 0)
		m.bytes = (size_t)st.st_size;
	m.handle = dlopen(so, RTLD_NOW | RTLD_LOCAL);
	if (m.handle != NULL)
		m.fn = dlsym(m.handle, name);
	if (m.fn == NULL) {
		clang_fini(&m);
		return -ENOEXEC;
	}
	*ret = m;
	return 0;
}

int
clang_load(const struct sbuf *source, const char *level, uint32_t cpu_s, const char *name,
	struct clang_made *ret, char why[CLANG_WHY])
{
	char dir[] = "/tmp/sluice-bench-XXXXXX", src[64], so[64];
	char *argv[] = {NULL, (char *)(uintptr_t)level, "-w", "-fno-crash-diagnostics", "-shared",
		"-fPIC", "-o", so, src, NULL};
	int r;

	if (mkdtemp(dir) == NULL)
		return -errno;
	(void)snprintf(src, sizeof(src), "%s/made.c", dir);
	(void)snprintf(so, sizeof(so), "%s/made.so", dir);
	r = write_source(src, source);
	if (r == 0)
		r = run(argv, dir, cpu_s);
	if (r == 0)
		r = load(so, name, ret);
	if (r == -ETIME)
		(void)snprintf(why, CLANG_WHY, "clang takes more than %u s of the CPU", cpu_s);
	else if (r < 0)
		(void)snprintf(why, CLANG_WHY, "%s",
			r == -ENOENT ? "clang is not installed" : "clang made nothing to load");
	remove_all(dir);
	return r;
}

void
clang_fini(struct clang_made *m)
{
	if (m->handle != NULL)
		(void)dlclose(m->handle);
}
