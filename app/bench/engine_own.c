// SPDX-License-Identifier: BSD-3-Clause
/* Sluice's own engines, and the same program through clang -O3. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "cbpf/text.h"
#include "engine.h"

static uint32_t
interp_one(const struct engine_prog *p, const struct engine_frames *f, size_t i)
{
	return cbpf_run(p->prog, f->v[i].data, f->v[i].caplen, f->v[i].wirelen);
}

static uint32_t
interp_all(const struct engine_prog *p, const struct engine_frames *f)
{
	ENGINE_LOOP(f, cbpf_run(p->prog, frame->data, frame->caplen, frame->wirelen));
}

static int
interp_make(const struct cbpf_prog *prog, struct engine_prog *ret, char why[128])
{
	(void)why;
	ret->prog = prog;
	return 0;
}

static void
nothing_fini(struct engine_prog *p)
{
	(void)p;
}

const struct engine engine_interp = {
	.name = "interpreter",
	.key = "interpreter",
	.make = interp_make,
	.one = interp_one,
	.all = interp_all,
	.fini = nothing_fini,
};

/* A pointer to a function of the one signature: our JIT's and clang's alike. */
static uint32_t
fn_one(const struct engine_prog *p, const struct engine_frames *f, size_t i)
{
	return p->fn(f->v[i].data, f->v[i].caplen, f->v[i].wirelen);
}

static uint32_t
fn_all(const struct engine_prog *p, const struct engine_frames *f)
{
	const cbpf_fn fn = p->fn;

	ENGINE_LOOP(f, fn(frame->data, frame->caplen, frame->wirelen));
}

static int
jit_make(const struct cbpf_prog *prog, struct engine_prog *ret, char why[128])
{
	struct cbpf_jit *jit = NULL;
	struct diag diag = {0};
	int r = cbpf_jit_new(prog, &jit, &diag);

	if (r < 0) {
		(void)snprintf(why, 128, "%.120s", diag.msg);
		return r;
	}
	ret->handle = jit;
	ret->fn = cbpf_jit_fn(jit);
	return 0;
}

static void
jit_fini(struct engine_prog *p)
{
	cbpf_jit_free(p->handle);
}

const struct engine engine_jit = {
	.name = "JIT",
	.key = "jit",
	.make = jit_make,
	.one = fn_one,
	.all = fn_all,
	.fini = jit_fini,
};

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

int
engine_run_clang(char **argv, const char *dir, uint32_t cpu_s)
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

static int
write_source(const char *path, const struct cbpf_prog *prog)
{
	struct sbuf c = SBUF_INIT;
	FILE *f = fopen(path, "we");
	int r = f == NULL ? -errno : 0;

	cbpf_write_c(prog, "filter", &c);
	if (!sbuf_ok(&c))
		r = -ENOMEM;
	else if (f != NULL && fputs(sbuf_str(&c), f) == EOF)
		r = -EIO;
	if (f != NULL && fclose(f) == EOF && r == 0)
		r = -errno;
	sbuf_fini(&c);
	return r;
}

/* Compile and load, all within a directory that is gone afterwards. */
static int
clang_make(const struct cbpf_prog *prog, struct engine_prog *ret, char why[128])
{
	char dir[] = "/tmp/sluice-bench-XXXXXX", src[64], so[64];
	char *argv[] = {NULL, "-O3", "-shared", "-fPIC", "-o", so, src, NULL};
	int r;

	if (mkdtemp(dir) == NULL)
		return -errno;
	(void)snprintf(src, sizeof(src), "%s/filter.c", dir);
	(void)snprintf(so, sizeof(so), "%s/filter.so", dir);
	r = write_source(src, prog);
	if (r == 0)
		r = engine_run_clang(argv, dir, 0);
	if (r == 0) {
		ret->handle = dlopen(so, RTLD_NOW | RTLD_LOCAL);
		if (ret->handle != NULL)
			*(void **)&ret->fn = dlsym(ret->handle, "filter");
		r = ret->handle == NULL || ret->fn == NULL ? -ENOEXEC : 0;
	}
	if (r < 0)
		(void)snprintf(why, 128, "%s",
			r == -ENOENT ? "clang is not installed" : "clang made nothing to load");
	(void)unlink(src);
	(void)unlink(so);
	(void)rmdir(dir);
	return r;
}

static void
clang_fini(struct engine_prog *p)
{
	(void)dlclose(p->handle);
}

const struct engine engine_clang = {
	.name = "clang -O3",
	.key = "clang",
	.make = clang_make,
	.one = fn_one,
	.all = fn_all,
	.fini = clang_fini,
};
