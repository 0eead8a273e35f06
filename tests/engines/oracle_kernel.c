// SPDX-License-Identifier: BSD-3-Clause
/*
 * The kernel as a judge: a filter on one end of a datagram socket pair. What
 * arrives is as long as the program said, or does not arrive. No privilege is
 * needed.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/filter.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/shrink.h"
#include "engines.h"

_Static_assert(sizeof(struct sock_filter) == sizeof(struct cbpf_insn), "the same layout");

struct kernel {
	int fd[2];
};

static void *
kernel_load(const struct cbpf_prog *prog)
{
	struct kernel *k = malloc(sizeof(*k));
	struct sock_fprog fprog;
	struct cbpf_insn *insns;
	size_t n;
	int r;

	/* Sixteen words in use leave no room for the tests: like a refusal. */
	if (cbpf_linux(prog, &insns, &n, NULL) < 0) {
		free(k);
		return NULL;
	}
	if (k == NULL || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, k->fd) < 0)
		abort();
	fprog.filter = (struct sock_filter *)(uintptr_t)insns;
	fprog.len = (unsigned short)n;
	r = setsockopt(k->fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &fprog, sizeof(fprog));
	mem_free(insns);
	if (r == 0)
		return k;
	(void)close(k->fd[0]);
	(void)close(k->fd[1]);
	free(k);
	return NULL;
}

static uint32_t
kernel_run(void *p, const uint8_t *data, uint32_t caplen, uint32_t wirelen)
{
	static uint8_t buf[FENCE_MAX];
	struct kernel *k = p;
	ssize_t n;

	if (wirelen != caplen || send(k->fd[0], data, caplen, 0) != (ssize_t)caplen)
		abort();
	n = recv(k->fd[1], buf, sizeof(buf), 0);
	if (n < 0 && errno != EAGAIN)
		abort();
	/* An empty datagram that arrived still was a match. */
	return n < 0 ? 0 : n == 0 ? 1 : (uint32_t)n;
}

static void
kernel_unload(void *p)
{
	struct kernel *k = p;

	(void)close(k->fd[0]);
	(void)close(k->fd[1]);
	free(k);
}

const struct engine engine_kernel = {"linux", kernel_load, kernel_run, kernel_unload};
