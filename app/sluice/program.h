/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_PROGRAM_H
#define SLUICE_PROGRAM_H

/* Programs in and out of commands: the formats by name. */

#include <stddef.h>

struct cbpf_insn;
struct diag;

/*
 * Print a program to standard output.
 *
 * @format:	a name of program_formats
 * @text:	assembler with comments for "asm", or NULL: disassembled
 *
 * Returns an exit status, after telling stderr.
 */
int program_print(const char *format, const struct cbpf_insn *insns, size_t n, const char *text);

/* Read a program in any format from @path ("-": standard input) and print it as @format. */
int program_convert(const char *path, const char *format);

/* CLI_DONE, or CLI_USAGE after telling stderr that there is no such format. */
int program_check_format(const char *format);

/* The name of format number @i, or NULL past the end. */
const char *program_format_name(size_t i);

/* The formats, for help: "xt, asm, …". */
#define PROGRAM_FORMATS "xt, asm, ddd, c-array, json or c"

#endif
