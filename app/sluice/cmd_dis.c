// SPDX-License-Identifier: BSD-3-Clause
#include <stddef.h>

#include "cli.h"
#include "program.h"

static const char *format, *link_layer;

static int
dis_run(int argc, char **argv)
{
	return program_convert(
		argc > 0 ? argv[0] : "-", format != NULL ? format : "asm", link_layer, true);
}

static const struct cli_opt dis_opts[] = {
	{'f', "format", "FORMAT", "Write " PROGRAM_FORMATS "; default asm.", NULL, &format},
	{0, "link", "raw|ether",
		"For -f ebpf: byte 0 is the IP header's (raw, default) or the frame's.", NULL,
		&link_layer},
	{0},
};

static const struct cli_example dis_examples[] = {
	{"sluice gen dns -- '*.example.uk' | sluice dis",
		"What a generated program does, instruction by instruction."},
	{"sluice dis -f json rule.bpf", "The same program in numbers, for other programs."},
	{0},
};

const struct cli_cmd cmd_dis = {
	.name = "dis",
	.args = "[FILE]",
	.help = "Disassemble a program, or convert it from any format to another.",
	.more = "Reads what sluice asm reads; asm makes the same program of what dis writes. What no program\n"
		"may be is shown, too, but as c and ebpf, with the reason on standard error and exit\n"
		"status 2; an instruction that is none is a comment.\n\n" PROGRAM_EBPF
		"with\n--link ether it gets the frame.",
	.examples = dis_examples,
	.opts = dis_opts,
	.min_args = 0,
	.max_args = 1,
	.run = dis_run,
};
