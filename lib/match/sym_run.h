/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_SYM_RUN_H
#define MATCH_SYM_RUN_H

/* Ways through a program; for the files sym_run.c, sym_join.c, sym_loop.c. */

#include <string.h>

#include "cbpf/insn.h"
#include "sym_impl.h"

#define WAYS_MAX 16 /* at one instruction */
#define STEPS_MAX 65536 /* instructions of all ways of a program */
/* Of sym_cover(), which joins ways: few more than the program has. */
#define STEPS_FEW 1024
#define STEPS_OF_INSN 4
/* Of sym_cover() in one pool: a second, or 10,000 programs of 400 steps. */
#define STEPS_OF_ALL 4000000

#define REG_A 0
#define REG_X 1
#define REG_M 2
#define REGS (REG_M + CBPF_MEM_WORDS)

/* An instruction as one number, in which fields can be masked. */
static inline uint64_t
sym_insn_bits(const struct cbpf_insn *in)
{
	uint64_t v;

	_Static_assert(sizeof(*in) == sizeof(v), "no padding");
	memcpy(&v, in, sizeof(v));
	return v;
}

struct needs {
	struct sym_need v[SYM_NEEDS_MAX];
	uint32_t n;
};

struct way {
	struct way *next; /* at the same instruction, or free */
	struct sym_val regs[REGS]; /* M[] that was not stored is 0 and, as validated, not read */
	struct sym_fact *facts;
	struct needs needs;
	/* What other ways needed that were joined into this one: exact only if needs say so. */
	struct needs owed;
	bool exact;
};

/* What is known of an instruction from those behind it. */
struct flow {
	uint32_t live; /* bit i: regs[i] may be read before it is written */
	bool hopeless; /* nothing but "ret #0" can be reached */
	bool target; /* of a jump */
};

#define LOOP_TRIES 4 /* in one program */

/* A comparison with a number that differs within a shape. */
struct sym_asked {
	size_t pc;
	struct sym_val v; /* what is compared with it */
	bool neg; /* where it is not equal */
};

/* Programs that differ in numbers that they compare with alone; see sym_shape.c. */
struct sym_shape {
	struct sym_shape *next; /* by hash */
	uint64_t hash;
	uint64_t *mask, *val; /* of @n instructions; numbers that differ are not in the mask */
	size_t n;
	/* What was found hangs on the numbers, or was never said completely: of no use to others. */
	bool spoilt;
	struct sym_asked *asked; /* by sym_atom.of_shape - 1 */
	uint32_t n_asked, cap_asked;
	struct {
		size_t pc,
			n; /* as many instructions are equal to those that are @len behind them */
		size_t len;
	} loops[LOOP_TRIES];
	uint32_t n_loops;
	struct sym_result result;
	uint32_t n_atoms; /* of all paths */
};

struct run {
	struct sym_pool *pool;
	struct arena *mem; /* of ways and facts, until the end of the run */
	struct sym_shape *shape; /* to be told what is found; or NULL */
	size_t first; /* in the program, of the instructions that are run */
	const struct cbpf_insn *insns;
	size_t n, last; /* instructions; the last one that ways may come to */
	struct way **at; /* by instruction */
	struct way *free;
	struct way *rest; /* for which there was no path left */
	struct sym_path paths[SYM_PATHS_MAX];
	uint32_t n_paths, n_waiting, steps, steps_max;
	bool too_many;
	/* The rest only where ways are joined. */
	const struct flow *flow; /* by instruction */
	struct needs done; /* of all exact paths */
	bool done_lost; /* of some it is not in done */
	bool escaped; /* a way went behind the last instruction */
	uint32_t epoch; /* for struct sym_fact.mark */
	uint32_t loop_tries;
};

struct way *sym_way_new(struct run *r, const struct way *like);
void sym_way_end(struct run *r, struct way *w);
void sym_way_goto(struct run *r, struct way *w, size_t pc);

/* All ways from the first instruction to the end of the run. */
void sym_walk_ways(struct run *r);

/* Make of all ways in @list one, which knows what all of them know. */
struct way *sym_merge(struct run *r, struct way *list);
struct sym_fact *sym_common_facts(struct sym_fact *a, struct sym_fact *b);
/* Leave in @a what both ask. */
void sym_needs_common(struct needs *a, const struct needs *b);

/* What is known of each of the instructions, and of the end behind them. NULL: out of memory. */
const struct flow *sym_flow(struct run *r);

/* The registers that @in writes, as bits. */
uint32_t sym_writes(const struct cbpf_insn *in);

/* Whether a packet that has @f bytes from @b has @e from @a. */
bool sym_need_follows(
	const struct sym_node *a, uint32_t e, const struct sym_node *b, uint64_t f, int depth);
bool sym_need_in(const struct needs *needs, const struct sym_node *base, uint32_t end);
/* @needs ask @end bytes from @base, too. *@exact is false when there is no room. */
void sym_need_add(struct needs *needs, const struct sym_node *base, uint32_t end, bool *exact);

/* The shape of program @insns in @p, new if it has no result; or NULL: there is no room. */
struct sym_shape *sym_shape_of(struct sym_pool *p, const struct cbpf_insn *insns, size_t n);

/*
 * The paths of @insns, which is of shape @s, from what is known of that. False when it
 * does not say or memory is out, which p->failed tells.
 */
bool sym_shape_fill(struct sym_pool *p, const struct sym_shape *s, const struct cbpf_insn *insns,
	struct sym_result *ret_result);

/*
 * For who runs a program for its shape, which may be NULL: at @pc @v was compared
 * with a number that differs, for equality or (@neg) the opposite, which gave @atom,
 * where @t is SYM_OPEN; numbers were looked at to find something out; @n instructions from @pc on are equal to those
 * @len behind them; this is the result.
 */
void sym_shape_ask(struct run *r, size_t pc, struct sym_val v, bool neg, enum sym_truth t,
	struct sym_atom *atom);
void sym_shape_spoil(struct run *r);
void sym_shape_loop(struct run *r, size_t pc, size_t len, size_t n);
void sym_shape_done(struct sym_shape *s, const struct sym_result *result);

/*
 * The *@n ways in @list, all that have come to @pc, as one where nothing is lost
 * by it. Returns the list, *@n its length.
 */
struct way *sym_join(struct run *r, size_t pc, struct way *list, uint32_t *n);

/* @w is about to become a path: see whether it is exact, and note what that covers. */
void sym_way_accepted(struct run *r, struct way *w);

/*
 * Whether a loop begins at @pc, which cBPF writes one round behind the other,
 * with @w, the only way there is. If so its paths are made and the way goes on
 * behind the last round.
 */
bool sym_loop(struct run *r, size_t pc, struct way *w);

#endif
