/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_ORACLE_EBPF_H
#define TEST_ORACLE_EBPF_H

/* Linux's verifier and eBPF machine, by bpf(2). Needs root. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ebpf_asm;

enum oracle_ebpf_kind { ORACLE_EBPF_SOCKET, ORACLE_EBPF_XDP };

/* True when this process may load programs. */
bool oracle_ebpf_allowed(void);

/*
 * Load the finished @a. Returns a file descriptor, or -errno and the end of the
 * verifier's log at *@ret_log (static).
 */
int oracle_ebpf_load(enum oracle_ebpf_kind kind, const struct ebpf_asm *a, const char **ret_log);

/* Instructions that the verifier walked for the program of @fd. */
uint32_t oracle_ebpf_verified(int fd);

/*
 * BPF_PROG_TEST_RUN on @n bytes, at least 14 for XDP and 1 for a socket filter.
 * Returns what the program returned; aborts when it could not be run.
 */
uint32_t oracle_ebpf_run(enum oracle_ebpf_kind kind, int fd, const uint8_t *data, uint32_t n);

/*
 * Attach socket filter @fd to the second of a pair of datagram sockets (-1 twice
 * when it is longer than net.core.optmem_max lets sockets have), and send @n bytes, 0 as well: what arrives is min(result, @n) bytes long, 1 for an empty
 * one; 0 when nothing arrives.
 */
void oracle_ebpf_attach(int fd, int ret_pair[2]);
uint32_t oracle_ebpf_deliver(const int pair[2], const uint8_t *data, uint32_t n);

#endif
