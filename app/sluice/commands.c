// SPDX-License-Identifier: BSD-3-Clause
#include "base/util.h"
#include "cli.h"

/* In the order of the help. */
const struct cli_cmd *const cli_commands[] = {
	&cmd_gen,
	&cmd_asm,
	&cmd_dis,
	&cmd_check,
	&cmd_filter,
	&cmd_replay,
	&cmd_explain,
	&cmd_pcap2hex,
	&cmd_hex2pcap,
	&cmd_parsedns,
	&cmd_offset,
	&cmd_iptables,
	&cmd_iptables_chain,
	&cmd_nft,
	&cmd_xdp,
	&cmd_rules,
	&cmd_stats,
};

_Static_assert(DIM(cli_commands) <= CLI_COMMANDS_MAX, "room for their names");

const size_t cli_n_commands = DIM(cli_commands);
