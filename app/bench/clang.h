/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_CLANG_H
#define BENCH_CLANG_H

/* C made at run time, compiled by the first clang there is and loaded into the process. */

#include <stddef.h>
#include <stdint.h>

struct sbuf;

struct clang_made {
	void *handle; /* of dlopen(); NULL: nothing is loaded */
	void *fn; /* the function that was asked for */
	size_t bytes; /* of the shared object's file */
};

#define CLANG_WHY 128 /* bytes of a reason */

/*
 * Compile @source with @level ("-O2") and without its warnings, load it, find
 * function @name. Nothing of it is left on disk.
 *
 * @cpu_s:	seconds of the CPU that clang may take; 0: as many as it wants
 *
 * Returns 0 and what clang_fini() undoes, or -errno with a sentence in @why
 * (-ENOENT: there is no clang, -ETIME: it would have taken longer).
 */
int clang_load(const struct sbuf *source, const char *level, uint32_t cpu_s, const char *name,
	struct clang_made *ret, char why[CLANG_WHY]);
void clang_fini(struct clang_made *m);

#endif
