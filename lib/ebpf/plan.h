/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EBPF_PLAN_H
#define EBPF_PLAN_H

/* What is known of a classic program before it is lowered. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cbpf_insn;

/*
 * What an instruction needs of the packet, with all that follow it on any way to
 * a match: a packet that is shorter cannot match any more, so that the longest
 * load is checked first and the others need no check of their own.
 */
struct plan_need {
	bool hopeless; /* no way from here returns anything but 0 */
	uint32_t abs; /* bytes from the start */
	uint32_t ind; /* bytes from X on, as X is before the instruction */
};

/*
 * Fill @needs, one for each of the @n instructions of a validated program. A
 * load that reaches beyond @max bytes is past the end of every packet.
 */
void plan_needs(const struct cbpf_insn *insns, size_t n, uint32_t max, struct plan_need *needs);

#endif
