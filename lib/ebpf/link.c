// SPDX-License-Identifier: BSD-3-Clause
/*
 * Jumps from labels to distances. The verifier refuses code that nothing leads
 * to, and what is put together from parts has such code (the common end of a
 * program that always matches): it is removed here, and with it jumps to what
 * follows anyway, so that whoever emits need not know.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

#include "base/diag.h"
#include "base/mem.h"
#include "code.h"
#include "ebpf/asm.h"

/* About one instruction, while linking. */
struct site {
	uint32_t target; /* of a jump: the instruction it leads to; else NO_TARGET */
	uint32_t place; /* where it will be */
	bool reached;
	bool gone;
};

#define NO_TARGET UINT32_MAX

static bool
is_wide(const struct ebpf_insn *in)
{
	return in->code == CODE_LD_IMM64;
}

/* True when what follows @in is not reached through it. */
static bool
ends(const struct ebpf_insn *in)
{
	return in->code == CODE_JA || in->code == CODE_EXIT;
}

static int
set_targets(const struct ebpf_asm *a, struct site *sites, struct diag *diag)
{
	for (size_t i = 0; i < a->insns.n; i++)
		sites[i].target = NO_TARGET;
	for (size_t i = 0; i < a->jumps.n; i++) {
		uint32_t to = a->labels.v[a->jumps.v[i].label];

		if (to >= a->insns.n)
			return diag_fail(diag, -EINVAL, "a jump of the eBPF code leads nowhere");
		sites[a->jumps.v[i].insn].target = to;
	}
	return 0;
}

/* Where one who goes to @at ends up: behind unconditional jumps, of which no chain is this long. */
static uint32_t
follow(const struct ebpf_asm *a, const struct site *sites, uint32_t at)
{
	for (int i = 0; i < 64 && a->insns.v[at].code == CODE_JA; i++)
		at = sites[at].target;
	return at;
}

/* Mark all that is reached from the first instruction, with @stack for at most one entry each. */
static int
mark_reached(const struct ebpf_asm *a, struct site *sites, uint32_t *stack, struct diag *diag)
{
	size_t depth = 0;

	stack[depth++] = 0;
	while (depth > 0) {
		uint32_t at = stack[--depth];

		while (!sites[at].reached) {
			const struct ebpf_insn *in = &a->insns.v[at];

			sites[at].reached = true;
			if (is_wide(in))
				sites[++at].reached = true;
			if (sites[at].target != NO_TARGET) {
				sites[at].target = follow(a, sites, sites[at].target);
				if (!sites[sites[at].target].reached)
					stack[depth++] = sites[at].target;
			}
			if (ends(in))
				break;
			if (++at >= a->insns.n)
				return diag_fail(diag, -EINVAL, "the eBPF code runs past its end");
		}
	}
	return 0;
}

/* Jumps to the next instruction that stays are none. From the end, since that depends on what follows. */
static void
drop_idle_jumps(const struct ebpf_asm *a, struct site *sites)
{
	uint32_t next = (uint32_t)a->insns.n;

	for (size_t i = a->insns.n; i-- > 0;) {
		sites[i].gone = !sites[i].reached ||
			(a->insns.v[i].code == CODE_JA && sites[i].target == next);
		if (!sites[i].gone)
			next = (uint32_t)i;
	}
}

/* The place of a removed instruction is that of the next one that stays. */
static uint32_t
set_places(size_t n, struct site *sites)
{
	uint32_t place = 0;

	for (size_t i = 0; i < n; i++) {
		sites[i].place = place;
		place += !sites[i].gone;
	}
	return place;
}

static int
set_distances(struct ebpf_asm *a, const struct site *sites, struct diag *diag)
{
	for (size_t i = 0; i < a->insns.n; i++) {
		int64_t off;

		if (sites[i].gone || sites[i].target == NO_TARGET)
			continue;
		off = (int64_t)sites[sites[i].target].place - sites[i].place - 1;
		if (off < INT16_MIN || off > INT16_MAX)
			return diag_fail(diag, -E2BIG,
				"the eBPF code is too long: a jump over %" PRId64 " instructions",
				off);
		a->insns.v[i].off = (int16_t)off;
	}
	return 0;
}

static void
close_gaps(struct ebpf_asm *a, const struct site *sites, uint32_t n)
{
	size_t refs = 0;

	for (size_t i = 0; i < a->refs.n; i++) {
		struct ebpf_ref ref = a->refs.v[i];

		if (sites[ref.insn].gone)
			continue;
		ref.insn = sites[ref.insn].place;
		a->refs.v[refs++] = ref;
	}
	a->refs.n = refs;
	for (size_t i = 0; i < a->insns.n; i++)
		if (!sites[i].gone)
			a->insns.v[sites[i].place] = a->insns.v[i];
	a->insns.n = n;
}

static int
link_jumps(struct ebpf_asm *a, struct site *sites, uint32_t *stack, struct diag *diag)
{
	int r = set_targets(a, sites, diag);
	uint32_t n;

	if (r == 0)
		r = mark_reached(a, sites, stack, diag);
	if (r < 0)
		return r;
	drop_idle_jumps(a, sites);
	n = set_places(a->insns.n, sites);
	r = set_distances(a, sites, diag);
	if (r == 0)
		close_gaps(a, sites, n);
	return r;
}

int
ebpf_asm_finish(struct ebpf_asm *a, struct diag *diag)
{
	struct site *sites = NULL;
	uint32_t *stack = NULL;

	if (a->err == 0 && (a->finished || a->insns.n == 0))
		a->err = -EINVAL;
	if (a->err == -E2BIG)
		return diag_fail(diag, a->err,
			"the eBPF code is too long: more than %d instructions", EBPF_MAX_INSNS);
	if (a->err == -EINVAL)
		return diag_fail(diag, a->err, "the eBPF code was put together wrongly");
	if (a->err == 0) {
		sites = mem_calloc(a->insns.n, sizeof(*sites));
		stack = mem_calloc(a->insns.n + 1, sizeof(*stack));
		if (sites == NULL || stack == NULL)
			a->err = diag_fail(diag, -ENOMEM, "out of memory");
		else
			a->err = link_jumps(a, sites, stack, diag);
		a->finished = a->err == 0;
	} else {
		(void)diag_fail(diag, a->err, "out of memory");
	}
	mem_free(sites);
	mem_free(stack);
	return a->err;
}
