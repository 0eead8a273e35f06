// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "cbpf/shrink.h"
#include "cli.h"
#include "gen/gen.h"
#include "program.h"

#define LINK_ETHER 1 /* pcap-linktype(7): EN10MB */
#define L3_OFF_MAX 65535 /* bytes; no link layer is longer */

static struct {
	bool inet6, extensions, negate, assembly, list, shrink;
	const char *offset, *format;
} args;

static int
list_generators(void)
{
	for (size_t i = 0; gen_name(i) != NULL; i++)
		printf("%-14s %s\n", gen_name(i), gen_help(i));
	return CLI_DONE;
}

/* What "gen TYPE -- --help" prints, or -1: there is no such generator. */
static int
describe(const char *type)
{
	for (size_t i = 0; gen_name(i) != NULL; i++) {
		if (strcmp(gen_name(i), type) != 0)
			continue;
		printf("%s\n\nUsage: sluice gen [OPTION…] %s", gen_help(i), gen_usage(i));
		return CLI_DONE;
	}
	return -1;
}

static bool
asks_for_help(int argc, char **argv)
{
	return argc == 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
}

/* The argument in hand is not known to the message; its column is. */
static int
fail_gen(int r, const struct diag *diag)
{
	const int status = r == -ENOMEM ? CLI_FAILED : CLI_USAGE;

	if (diag->col > 0)
		return cli_fail(status, "column %u: %s", diag->col, diag->msg);
	return cli_fail(status, "%s", diag->msg);
}

/* An expression asks for the family itself; what else is generated is for one. */
static enum ebpf_sees
sees(const char *type, uint32_t l3_off, const struct gen_out *out)
{
	if (l3_off > 0 || out->has_link)
		return EBPF_SEES_FRAME;
	if (args.inet6)
		return EBPF_SEES_IP6;
	return strcmp(type, "tcpdump") == 0 ? EBPF_SEES_DATAGRAM : EBPF_SEES_IP4;
}

static int
gen_command(int argc, char **argv)
{
	struct gen_opts opts = {
		.family = args.inet6 ? 6 : 4, .extensions = args.extensions, .negate = args.negate};
	const char *format = args.assembly ? "asm" : args.format != NULL ? args.format : "xt";
	struct gen_out out = {0};
	struct diag diag = {0};
	int r, status;

	if (args.list)
		return list_generators();
	if (argc == 0)
		return cli_fail(CLI_USAGE, "expected TYPE; sluice gen --list names the generators");
	if (args.assembly && args.format != NULL && strcmp(args.format, "asm") != 0)
		return cli_fail(CLI_USAGE, "-s is -f asm, and -f says %.40s", args.format);
	if (args.offset != NULL && parse_u32(args.offset, 0, L3_OFF_MAX, &opts.l3_off, &diag) < 0)
		return cli_fail(CLI_USAGE, "-o: %s", diag.msg);
	status = program_check_format(format);
	if (status != CLI_DONE)
		return status;
	if (asks_for_help(argc - 1, argv + 1) && describe(argv[0]) == CLI_DONE)
		return CLI_DONE;
	r = gen_run(argv[0], &opts, argc - 1, (const char *const *)argv + 1, &out, &diag);
	if (r < 0)
		return fail_gen(r, &diag);
	r = gen_fit(&out, args.shrink ? 0 : CBPF_XT_MAX_INSNS);
	if (r < 0)
		status = cli_fail(CLI_FAILED, "out of memory");
	else if (out.has_link && out.dlt != LINK_ETHER && strcmp(format, "ebpf") == 0)
		status = cli_fail(CLI_USAGE,
			"-f ebpf: an XDP program sees Ethernet; expected --link EN10MB or none");
	else
		status = program_print(
			format, out.insns, out.n, out.text, sees(argv[0], opts.l3_off, &out));
	gen_out_fini(&out);
	return status;
}

static const struct cli_opt gen_opts_table[] = {
	{'6', "inet6", NULL, "Make the program for IPv6; L4 is expected right behind its header.",
		&args.inet6, NULL},
	{'x', "extensions", NULL, "With -6: look behind up to 8 extension headers, as rules do.",
		&args.extensions, NULL},
	{'n', "negate", NULL, "Match what the pattern does not.", &args.negate, NULL},
	{'o', "offset", "OFF", "Bytes before the IP header; default 0, as xt_bpf wants.", NULL,
		&args.offset},
	{'s', "assembly", NULL, "Write assembler with comments; the same as -f asm.",
		&args.assembly, NULL},
	{'f', "format", "FORMAT", "Write " PROGRAM_FORMATS "; default xt.", NULL, &args.format},
	{'S', "shrink", NULL,
		"Make the program as short as it gets; done anyway where it then fits into xt_bpf.",
		&args.shrink, NULL},
	{'l', "list", NULL, "List the generators.", &args.list, NULL},
	{0},
};

static const struct cli_example gen_examples[] = {
	{"sluice gen dns -- '*.www.example.uk'",
		"The program of queries for one label before www.example.uk, as xt_bpf takes it."},
	{"sluice gen -s -o 14 dns -- -i '*.example.uk' '*.example.com'",
		"Two patterns of any case, for frames with an Ethernet header, as assembler that explains itself."},
	{"sluice gen -f ddd tcpdump 'udp and dst port 53'",
		"A tcpdump expression as what tcpdump -ddd prints, for raw IP."},
	{"sluice gen -6 payload -- --end text:xyzzy", "UDP payloads in IPv6 that end with xyzzy."},
	{0},
};

const struct cli_cmd cmd_gen = {
	.name = "gen",
	.args = "TYPE [--] [ARGUMENT…]",
	.help = "Generate a program.",
	.more = "What stands behind -- is the generator's own. sluice gen TYPE -- --help describes a\n"
		"generator.\n\n" PROGRAM_EBPF
		"with -o\nOFF the program gets the frame. It tests neither protocol nor port: in iptables the\n"
		"command line does, for XDP sluice xdp makes whole rules.",
	.examples = gen_examples,
	.opts = gen_opts_table,
	.min_args = 0,
	.max_args = -1,
	.run = gen_command,
};
