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

/* What the plan is for. */
enum xdp_writer { XDP_OBJECT, XDP_C };

struct xdp_opts {
	enum xdp_writer writer;
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
	 * name. In /sys/fs/bpf itself the map is pinned by name, so that loaders reuse
	 * or make it; elsewhere, or where there are several programs, the loader has to
	 * be told.
	 */
	const char *hook;

	uint32_t chunk; /* estimated instructions in one program, at most; 0: as many as are safe */
};

/*
 * Returns 0, -EINVAL for a rule that XDP cannot express (file and line in
 * @diag) and for a hook that cannot be a map, -E2BIG for too many rules, -ENOMEM.
 */
int xdp_plan_new(const struct xdp_opts *opts, struct xdp_plan **ret_plan, struct diag *diag);
void xdp_plan_free(struct xdp_plan *plan);

/* Programs that the rules are split into, 1 where no tail call is needed. */
size_t xdp_plan_programs(const struct xdp_plan *plan);

/* Append C for "clang -O2 -g -target bpf -c". Returns 0 or -ENOMEM. */
int xdp_write_c(const struct xdp_plan *plan, struct sbuf *out);

/* Append an object file. Returns 0, -E2BIG for a rule that is too long for jumps, -ENOMEM. */
int xdp_write_object(const struct xdp_plan *plan, struct sbuf *out, struct diag *diag);

/*
 * An object in memory that either writer's output became: what may be changed
 * before it is loaded. Points into the file.
 */
struct xdp_object {
	uint8_t *on; /* by slot: XDP_ON_* */
	const char *names; /* by slot, XDP_NAME_BYTES each */
	const char *where; /* by slot, where_bytes each: locations */
	size_t where_bytes;
	size_t n; /* slots */
	uint8_t *sample; /* 1 in so many, bytes of each, bound of the random number; 4 bytes each */
	bool sampling; /* it was made with sampling; else nothing reads @sample */
};

#define XDP_ON_ENABLED 1
#define XDP_ON_HERE 2 /* a rule is in force with both */

/* Returns 0, or -EINVAL when @file is not such an object. */
int xdp_object_open(void *file, size_t n, struct xdp_object *ret, struct diag *diag);

/* The rule in @slot: a rule's name, or "" where there is no rule at all. */
const char *xdp_object_name(const struct xdp_object *o, size_t slot);
const char *xdp_object_where(const struct xdp_object *o, size_t slot);

/* Switch rule @name. Returns 0, -ENOENT with the nearest name. */
int xdp_object_enable(struct xdp_object *o, const char *name, bool on, struct diag *diag);

/* The rules of @location, and those of no location, are here; all others are not. */
void xdp_object_move(struct xdp_object *o, const char *location);

/* Sample one in @one_in frames (0: none), at most @snaplen bytes of each; see sampling. */
void xdp_object_sample(struct xdp_object *o, uint32_t one_in, uint32_t snaplen);

#endif
