/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_PROGRAM_H
#define SLUICE_PROGRAM_H

/* Programs in and out of commands: the formats by name. */

#include <stdbool.h>
#include <stddef.h>

#include "ebpf/lower.h"

struct cbpf_insn;
struct diag;

/*
 * Print a program to standard output.
 *
 * @format:	a name of program_formats
 * @text:	assembler with comments for "asm", or NULL: disassembled
 * @sees:	what byte 0 is in XDP, for "ebpf"
 *
 * Returns an exit status, after telling stderr.
 */
int program_print(const char *format, const struct cbpf_insn *insns, size_t n, const char *text,
	enum ebpf_sees sees);

/*
 * Read a program in any format from @path ("-": standard input) and print it as
 * @format. @link is the word of --link, or NULL: raw.
 *
 * @show:	print what no program may be, too, where @format can have it; the
 *		status is CLI_USAGE and stderr has the reason all the same
 */
int program_convert(const char *path, const char *format, const char *link, bool show);

/* CLI_DONE, or CLI_USAGE after telling stderr that there is no such format. */
int program_check_format(const char *format);

/* The name of format number @i, or NULL past the end. */
const char *program_format_name(size_t i);

/* The formats, for help: "xt, asm, …". */
#define PROGRAM_FORMATS "xt, asm, ddd, c-array, json, c or ebpf"

/* What the format ebpf is, for the help of commands. */
#define PROGRAM_EBPF \
	"-f ebpf is an object file for bpftool, ip link and xdp-loader with two programs. Section\n" \
	"socket is for iptables -m bpf --object-pinned and for SO_ATTACH_BPF. Section xdp drops what\n" \
	"matches and passes the rest: it skips Ethernet and up to four VLAN tags, shows the program\n" \
	"the IP datagram without what pads it, and passes what is not IP; "

#endif
