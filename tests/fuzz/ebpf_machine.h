/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FUZZ_EBPF_MACHINE_H
#define FUZZ_EBPF_MACHINE_H

/*
 * A machine for what lib/ebpf makes of classic programs: no calls, no maps. It
 * knows which bytes a program may touch and ends the fuzz target on any other,
 * on a register that was never set, on an opcode that lib/ebpf does not make,
 * and on code that does not end.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ebpf_insn;

/* Run @insns on the @size bytes at @data; R1 is a struct __sk_buff or, with @xdp, a struct xdp_md. */
uint32_t ebpf_machine_run(
	const struct ebpf_insn *insns, size_t n, bool xdp, const uint8_t *data, uint32_t size);

#endif
