/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_JIT_H
#define CBPF_JIT_H

/*
 * Native code. A code arena is memory mapped twice, writable for the compiler
 * and executable for everyone else, so that no page is ever both and no
 * mprotect() stalls polling cores. Works under MemoryDenyWriteExecute.
 *
 * Threads: making and freeing code belongs to one thread at a time per arena;
 * running finished code to any number.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbpf/prog.h"

struct cbpf_arena;
struct cbpf_jit;
struct diag;

/* True when this machine and build can run compiled programs (x86-64, executable memory allowed). */
bool cbpf_jit_available(void);

/*
 * A new arena for up to @cap bytes of code (rounded up to pages; memory is taken
 * as it is used). Returns 0, -ENOMEM, -EPERM where executable memory is
 * forbidden, -ENOSYS where there is no code emitter for this machine.
 */
int cbpf_arena_new(size_t cap, struct cbpf_arena **ret_arena, struct diag *diag);
/* Its memory is kept for other arenas and not unmapped, which would stall polling cores. */
void cbpf_arena_free(struct cbpf_arena *arena);

/* Bytes of code in use. */
size_t cbpf_arena_used(const struct cbpf_arena *arena);

/*
 * Compile @prog into @arena. The code lives as long as the arena; nothing else
 * is to be freed. Returns 0, -ENOSPC when the arena is full, -ENOMEM.
 */
int cbpf_jit_into(struct cbpf_arena *arena, const struct cbpf_prog *prog, cbpf_fn *ret_fn,
	size_t *ret_code_bytes, struct diag *diag);

/*
 * A function that has the interpreter run @prog, which lives as long: made at once, whatever
 * @prog is, for who has no time to compile. Errors as of cbpf_jit_into().
 */
int cbpf_jit_call(
	struct cbpf_arena *arena, const struct cbpf_prog *prog, cbpf_fn *ret_fn, struct diag *diag);

/*
 * Programs asked one after another, as one function, in which they share what
 * they load and ask. A frame is asked about by a key of the caller's, which says what
 * kind of frame it is, and the numbers of the links that are allowed. The function
 * takes a burst: a call a frame costs as much as two rules.
 */
#define CBPF_CHAIN_NUMBERS 32
#define CBPF_CHAIN_NONE UINT32_MAX

/*
 * One of a list must hold. Of a part of the key, or of the source port: a range.
 * Of bytes of the packet, which are there wherever the key is as the link wants it:
 * a mask and a value, as they lie in memory.
 */
enum cbpf_ask_of { CBPF_ASK_KEY, CBPF_ASK_SPORT, CBPF_ASK_BYTES };

#define CBPF_ASK_BYTES_MAX 16

struct cbpf_ask {
	enum cbpf_ask_of of;
	union {
		struct {
			uint32_t shift, mask; /* of KEY: (key >> shift) & mask */
		};
		struct {
			uint32_t off, size; /* of BYTES: size is 4 or 16 */
		};
	};
	const union cbpf_choice {
		struct {
			uint32_t lo, hi;
		};
		struct {
			uint8_t bits[CBPF_ASK_BYTES_MAX], val[CBPF_ASK_BYTES_MAX];
		};
	} * v;
	size_t n; /* none: the link never matches */
};

/*
 * What a caller knows of packets before a program sees them. Programs are compiled for it: what
 * it answers is not asked. Where it does not hold the program may read what is not there.
 */
#define CBPF_KNOWN_BYTES 16

struct cbpf_known {
	uint32_t there; /* bytes that were on the wire and are captured, at least */
	bool whole; /* all are that were on the wire */
	uint8_t bits[CBPF_KNOWN_BYTES], val[CBPF_KNOWN_BYTES]; /* masks and values of the first */
};

struct cbpf_link {
	const struct cbpf_prog *prog; /* NULL: it matches where it is asked */
	uint32_t mask, val; /* it is asked where (key & mask) == val */
	/*
	 * Some of these bits, which are asked first: what several links share is so asked once,
	 * and who fails it leads past all of them.
	 */
	uint32_t gate;
	const struct cbpf_known *known; /* where the key is so; NULL: nothing. whole is asked */
	const struct cbpf_ask *asks; /* and all these hold */
	size_t n_asks;
	/*
	 * And where this bit is allowed; from CBPF_CHAIN_NUMBERS on always. Several links may
	 * have it. CBPF_CHAIN_NONE: no link behind is asked.
	 */
	uint32_t number;
};

/* Records of the caller's, one a frame: their size, and where in them what is asked about is. */
struct cbpf_records {
	uint32_t size;
	uint32_t frame; /* a pointer */
	uint32_t start; /* 16 bits: where in the frame the program's packet starts */
	uint32_t caplen, wirelen; /* 32 bits each, as of cbpf_run(); caplen is below 2^31 */
	uint32_t key; /* 32 bits */
	uint32_t sport; /* 16 bits, what CBPF_ASK_SPORT asks about */
};

/*
 * For each of @n records, 1 at least, the number of the first link that is asked and
 * whose program does not return 0, or CBPF_CHAIN_NONE. @allowed: bits by number.
 */
typedef void (*cbpf_chain_fn)(
	const void *records, uint32_t n, uint32_t allowed, uint32_t *ret_numbers);

/*
 * Compile @n links into @arena, where the code lives as long; it is asked about
 * records like @records. Returns 0, -ENOSPC: the arena is full, -E2BIG: the links are
 * too large for one function, -ENOMEM.
 */
int cbpf_jit_chain(struct cbpf_arena *arena, const struct cbpf_link *links, size_t n,
	const struct cbpf_records *records, cbpf_chain_fn *ret_fn, size_t *ret_code_bytes,
	struct diag *diag);

/* One program with an arena of its own. Errors as the two above. */
int cbpf_jit_new(const struct cbpf_prog *prog, struct cbpf_jit **ret_jit, struct diag *diag);
cbpf_fn cbpf_jit_fn(const struct cbpf_jit *jit);
void cbpf_jit_free(struct cbpf_jit *jit);

/* The machine code, for disassembly in tests. */
const void *cbpf_jit_code(const struct cbpf_jit *jit, size_t *ret_bytes);

#endif
