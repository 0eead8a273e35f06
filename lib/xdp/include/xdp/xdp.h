/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef XDP_XDP_H
#define XDP_XDP_H

/*
 * A whole ruleset as one XDP program, for machines that run no daemon: as C for
 * clang and as an object file. It drops what the daemon drops and counts what
 * the daemon counts; README.md says what its maps hold.
 *
 * A plan is made once and not changed; any thread may write from it. It borrows
 * the rules, which must stay as long as it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;
struct ip_addr;
struct match_rule;
struct sbuf;
struct xdp_plan;

#define XDP_RULES_MAX 16384
#define XDP_NAME_BYTES 48 /* of a rule's name in the object, with the NUL */
#define XDP_PROGRAMS_MAX 32 /* the kernel follows 33 tail calls, one of which is the hook's */
#define XDP_HOOK_ENTRIES 5 /* xdpcap's map: one program per action */

/* A rule with what its switch is made of. In order; slot i of the maps is rule i. */
struct xdp_rule {
	const struct match_rule *m; /* slot, enabled and scope.ports are not looked at */
	const char *file; /* for messages and comments; NULL: none */
	unsigned int line;
	const char *locations; /* comma separated; "": everywhere */
	bool on; /* by its key, and no set that it needs is empty */
	bool here; /* one of its locations is ours */
};

struct xdp_opts {
	const struct xdp_rule *rules;
	size_t n_rules; /* 0..XDP_RULES_MAX */

	/* [protect], as the daemon has it. */
	bool vital;
	bool gtsm;
	const struct ip_addr *peers;
	size_t n_peers;
	uint32_t vital_pps; /* bucket of a class on a CPU; 0: no limit */

	bool sampling; /* false: no code for it */
	uint32_t sample_one_in; /* 0: off, until it is patched */
	uint32_t snaplen; /* bytes of a frame in a sample */

	/*
	 * A file name in the BPF file system, or NULL: its last part is the map's
	 * name. Pinned by name, so that a loader reuses or makes it.
	 */
	const char *hook;

	uint32_t chunk; /* estimated instructions in one program, at most; 0: as many as are safe */
};

/*
 * Returns 0, -EINVAL for a rule that XDP cannot express (file and line in
 * @diag), -E2BIG for too many rules, -ENOMEM.
 */
int xdp_plan_new(const struct xdp_opts *opts, struct xdp_plan **ret_plan, struct diag *diag);
void xdp_plan_free(struct xdp_plan *plan);

/* Programs that the rules are split into, 1 where no tail call is needed. */
size_t xdp_plan_programs(const struct xdp_plan *plan);

/* Append C for "clang -O2 -g -target bpf -c". Returns 0 or -ENOMEM. */
int xdp_write_c(const struct xdp_plan *plan, struct sbuf *out);

#endif
