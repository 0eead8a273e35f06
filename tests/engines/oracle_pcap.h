/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_ORACLE_PCAP_H
#define TEST_ORACLE_PCAP_H

#include <stdbool.h>
#include <stddef.h>

#include "cbpf/insn.h"

/* Compile @expr with libpcap. Returns the number of instructions, 0 when it refuses. */
size_t oracle_compile(
	const char *expr, bool raw, bool optimise, struct cbpf_insn *insns, size_t max);

#endif
