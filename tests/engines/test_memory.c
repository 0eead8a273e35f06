// SPDX-License-Identifier: BSD-3-Clause
/*
 * Every allocation of the compiler fails once; an arena that is full says so
 * and keeps what it has; no page is ever writable and executable, and where
 * making one so is forbidden (systemd's MemoryDenyWriteExecute=) all works.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "engines.h"
#include "filters.h"
#include "progs.h"

static bool
check(bool ok, const char *what)
{
	if (!ok)
		printf("NOT OK: %s\n", what);
	return ok;
}

static bool
each_allocation_fails(const struct cbpf_prog *prog)
{
	for (long nth = 0;; nth++) {
		struct cbpf_jit *jit = NULL;
		struct diag d = {0};
		long asked;
		int r;

		mem_fault_set(nth);
		r = cbpf_jit_new(prog, &jit, &d);
		asked = mem_fault_set(-1);
		if (asked <= nth) {
			cbpf_jit_free(jit);
			return check(r == 0, "compiles when memory suffices");
		}
		if (!check(r == -ENOMEM && jit == NULL && d.msg[0] != '\0', "-ENOMEM"))
			return false;
	}
}

static bool
arena_fills_up(const struct cbpf_prog *prog)
{
	static const uint8_t pkt[64];
	struct cbpf_arena *arena = NULL;
	cbpf_fn first = NULL, fn;
	struct diag d = {0};
	size_t bytes, used;
	int r = 0;
	bool ok;

	if (cbpf_arena_new(20000, &arena, &d) < 0)
		return check(false, d.msg);
	while (r == 0) {
		used = cbpf_arena_used(arena);
		r = cbpf_jit_into(arena, prog, &fn, &bytes, &d);
		if (r == 0 && first == NULL)
			first = fn;
	}
	ok = check(r == -ENOSPC, "a full arena says so") &&
		check(cbpf_arena_used(arena) == used, "and is left as it was") &&
		check(first(pkt, sizeof(pkt), sizeof(pkt)) ==
				cbpf_run(prog, pkt, sizeof(pkt), sizeof(pkt)),
			"and its programs still run");
	cbpf_arena_free(arena);
	return ok;
}

/* The mappings of code as the kernel lists them: never "w" and "x" in one. */
static bool
no_page_is_both(const struct cbpf_prog *prog)
{
	struct cbpf_jit *jit = NULL;
	char line[512], mode[8];
	bool ok, seen_x = false, seen_w = false, both = false;
	FILE *f = fopen("/proc/self/maps", "r");

	if (f == NULL || cbpf_jit_new(prog, &jit, NULL) < 0)
		return check(false, "maps and a program");
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%*s %7s", mode) != 1)
			continue;
		both |= mode[1] == 'w' && mode[2] == 'x';
		if (strstr(line, "memfd:cbpf") == NULL)
			continue;
		seen_w |= mode[1] == 'w';
		seen_x |= mode[2] == 'x';
	}
	fclose(f);
	cbpf_jit_free(jit);
	ok = check(!both, "no page is writable and executable");
	return check(seen_w && seen_x, "code is mapped twice") && ok;
}

/* mprotect() with PROT_EXEC, and mmap() with PROT_WRITE | PROT_EXEC, fail from now on. */
static bool
deny_write_execute(void)
{
#define ARG2 (offsetof(struct seccomp_data, args) + 2 * sizeof(uint64_t))
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG2),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 4, 5),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG2),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, PROT_WRITE | PROT_EXEC),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROT_WRITE | PROT_EXEC, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {DIM(code), code};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return false;
	return mmap(NULL, page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0) == MAP_FAILED;
}

static bool
works_confined(const struct cbpf_prog *prog)
{
	static const uint8_t pkt[64];
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct cbpf_jit *jit = NULL;

		if (!deny_write_execute())
			_exit(2);
		_exit(cbpf_jit_new(prog, &jit, NULL) < 0 ||
			cbpf_jit_fn(jit)(pkt, sizeof(pkt), sizeof(pkt)) !=
				cbpf_run(prog, pkt, sizeof(pkt), sizeof(pkt)));
	}
	return check(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0,
		"compiles and runs where memory cannot become executable");
}

int
main(void)
{
	struct rng r = {test_seed("test_memory")};
	bool ok = true;

	if (!cbpf_jit_available())
		return 77;
	for (int i = 0; i < 60 && ok; i++) {
		struct cbpf_prog *prog = i % 2 ? progs_random(&r) : progs_real(&r);

		ok = each_allocation_fails(prog) && arena_fills_up(prog);
		if (i == 0)
			ok = ok && no_page_is_both(prog) && works_confined(prog);
		cbpf_prog_free(prog);
	}
	printf("%s\n", ok ? "ok" : "NOT OK");
	return !ok;
}
