// SPDX-License-Identifier: BSD-3-Clause
#include <stddef.h>

#include "cli.h"
#include "program.h"

static const char *format, *link_layer;

static int
asm_run(int argc, char **argv)
{
	return program_convert(
		argc > 0 ? argv[0] : "-", format != NULL ? format : "xt", link_layer, false);
}

static const struct cli_opt asm_opts[] = {
	{'f', "format", "FORMAT", "Write " PROGRAM_FORMATS "; default xt.", NULL, &format},
	{0, "link", "raw|ether",
		"For -f ebpf: byte 0 is the IP header's (raw, default) or the frame's.", NULL,
		&link_layer},
	{0},
};

static const struct cli_example asm_examples[] = {
	{"sluice asm rule.bpf", "A file of assembler as xt_bpf's bytecode."},
	{"tcpdump -y RAW -ddd 'udp port 53' | sluice asm -f c",
		"What tcpdump prints as a C function."},
	{0},
};

const struct cli_cmd cmd_asm = {
	.name = "asm",
	.args = "[FILE]",
	.help = "Assemble a program, or convert it from any format to another.",
	.more = "Reads assembler, xt_bpf's bytecode, what tcpdump -d, -dd and -ddd print, C arrays and its\n"
		"own JSON; which of them is seen from the text. - or nothing is standard input. What no\n"
		"program may be (it has no end, jumps past it, divides by 0) is refused; sluice dis shows\n"
		"it.\n\n" PROGRAM_EBPF "with\n--link ether it gets the frame.",
	.examples = asm_examples,
	.opts = asm_opts,
	.min_args = 0,
	.max_args = 1,
	.run = asm_run,
};
