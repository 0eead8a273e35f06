// SPDX-License-Identifier: BSD-3-Clause
#include "oracle_ebpf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "base/util.h"
#include "ebpf/asm.h"

_Static_assert(sizeof(struct bpf_insn) == sizeof(struct ebpf_insn), "the same layout");

#define ETHER_BYTES 14
#define RUN_MAX 4096

static char log_text[1 << 20];

static int
bpf(int cmd, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static uint64_t
pointer(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static int
load(enum oracle_ebpf_kind kind, const struct ebpf_insn *insns, size_t n, uint32_t log_level)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = kind == ORACLE_EBPF_XDP ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = pointer(insns);
	attr.insn_cnt = (uint32_t)n;
	attr.license = pointer("Dual BSD/GPL");
	attr.log_level = log_level;
	if (log_level > 0) {
		attr.log_buf = pointer(log_text);
		attr.log_size = sizeof(log_text);
	}
	return bpf(BPF_PROG_LOAD, &attr);
}

bool
oracle_ebpf_allowed(void)
{
	const struct ebpf_insn insns[] = {
		{0xb7, 0, 0, 0}, /* r0 = 0 */
		{0x95, 0, 0, 0}, /* exit */
	};
	int fd = load(ORACLE_EBPF_XDP, insns, DIM(insns), 0);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

int
oracle_ebpf_load(enum oracle_ebpf_kind kind, const struct ebpf_asm *a, const char **ret_log)
{
	int fd = load(kind, a->insns.v, a->insns.n, 0);
	size_t len;

	if (fd >= 0)
		return fd;
	log_text[0] = '\0';
	(void)load(kind, a->insns.v, a->insns.n, 1);
	len = strlen(log_text);
	*ret_log = log_text + (len > 6000 ? len - 6000 : 0);
	return fd;
}

uint32_t
oracle_ebpf_verified(int fd)
{
	struct bpf_prog_info info;
	union bpf_attr attr;

	memset(&info, 0, sizeof(info));
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = pointer(&info);
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0 ? 0 : info.verified_insns;
}

/* A socket filter sees what is behind the Ethernet header. */
uint32_t
oracle_ebpf_run(enum oracle_ebpf_kind kind, int fd, const uint8_t *data, uint32_t n)
{
	static uint8_t in[RUN_MAX];
	const uint32_t skip = kind == ORACLE_EBPF_SOCKET ? ETHER_BYTES : 0;
	union bpf_attr attr;
	int r;

	if (skip + n > sizeof(in))
		abort();
	/* A type of IP would ask for a whole header behind it. */
	memset(in, 0, skip);
	memcpy(in + skip, data, n);
	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)fd;
	attr.test.data_in = pointer(in);
	attr.test.data_size_in = skip + n;
	do
		r = bpf(BPF_PROG_TEST_RUN, &attr);
	while (r == -EINTR || r == -EAGAIN);
	if (r < 0) {
		printf("BPF_PROG_TEST_RUN of kind %d on %u bytes: %s\n", (int)kind, n,
			strerror(-r));
		abort();
	}
	return attr.test.retval;
}

void
oracle_ebpf_attach(int fd, int ret_pair[2])
{
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ret_pair) < 0)
		abort();
	if (setsockopt(ret_pair[1], SOL_SOCKET, SO_ATTACH_BPF, &fd, sizeof(fd)) == 0)
		return;
	if (errno != ENOMEM)
		abort();
	(void)close(ret_pair[0]);
	(void)close(ret_pair[1]);
	ret_pair[0] = ret_pair[1] = -1;
}

uint32_t
oracle_ebpf_deliver(const int pair[2], const uint8_t *data, uint32_t n)
{
	static uint8_t buf[RUN_MAX];
	ssize_t got;

	got = send(pair[0], data, n, 0);
	if (got == (ssize_t)n)
		got = recv(pair[1], buf, sizeof(buf), 0);
	else
		errno = got < 0 ? errno : EMSGSIZE;
	if (got < 0 && errno != EAGAIN) {
		printf("%u bytes through a socket: %s\n", n, strerror(errno));
		abort();
	}
	return got < 0 ? 0 : got == 0 ? 1 : (uint32_t)got;
}
