// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "base/sbuf.h"
#include "base/util.h"
#include "cli.h"
#include "hex.h"
#include "pkt/ether.h"
#include "pkt/savefile.h"
#include "pkt/scrub.h"
#include "pkt/view.h"
#include "savefiles.h"

#define FRAME_MAX 262144 /* bytes; libpcap gives no more */

static struct {
	bool ascii, keep, scrub;
	const char *key;
} args;

static struct pkt_scrub_key scrub_key;
static uint8_t scrubbed[FRAME_MAX];

/* Blanks count as unprintable, so that a line has no white space but the tab. */
static void
add_ascii(struct sbuf *line, const uint8_t *bytes, size_t n)
{
	char text[256];

	for (size_t done = 0; done < n;) {
		const size_t some = MIN(n - done, sizeof(text));

		for (size_t i = 0; i < some; i++) {
			const uint8_t c = bytes[done + i];

			text[i] = c > ' ' && c < 0x7f ? (char)c : '.';
		}
		sbuf_add(line, text, some);
		done += some;
	}
}

static void
print_frame(int dlt, const struct pkt_frame *frame, struct sbuf *line)
{
	uint8_t head[PKT_ETHER_HEAD];
	uint32_t head_len = 0, skip = 0;
	const uint8_t *data = frame->data;
	const uint32_t n = MIN(frame->caplen, FRAME_MAX);
	struct pkt_view v;

	if (args.scrub) {
		memcpy(scrubbed, data, n);
		pkt_scrub(&scrub_key, dlt, scrubbed, n, frame->wirelen);
		data = scrubbed;
	}
	if (!args.keep) {
		pkt_parse_link(dlt, data, n, frame->wirelen, &v);
		if (pkt_to_ether(dlt, &v, head, &skip))
			head_len = sizeof(head);
	}
	hex_add(line, head, head_len);
	hex_add(line, data + skip, n - skip);
	if (args.ascii) {
		sbuf_addc(line, '\t');
		add_ascii(line, head, head_len);
		add_ascii(line, data + skip, n - skip);
	}
	sbuf_addc(line, '\n');
}

static int
check_link(const char *path, int dlt)
{
	if (pkt_link_known(dlt) || (args.keep && !args.scrub))
		return 0;
	if (args.scrub)
		return cli_fail(CLI_USAGE, "'%s': link type %s (%d) cannot be scrubbed", path,
			pkt_link_name(dlt), dlt);
	return cli_fail(CLI_USAGE,
		"'%s': link type %s (%d) cannot be made Ethernet; --no-normalize prints it as it is",
		path, pkt_link_name(dlt), dlt);
}

static int
pcap2hex_run(int argc, char **argv)
{
	static const struct savefiles_use use = {.begin = check_link, .print = print_frame};

	if (args.key != NULL) {
		args.scrub = true;
		pkt_scrub_key_text(args.key, (uint32_t)strlen(args.key), &scrub_key);
	} else if (args.scrub &&
		getrandom(&scrub_key, sizeof(scrub_key), 0) != (ssize_t)sizeof(scrub_key)) {
		return cli_fail(CLI_FAILED, "cannot get random numbers: %s", strerror(errno));
	}
	return savefiles_print(argc, argv, &use);
}

static const struct cli_opt pcap2hex_opts[] = {
	{'a', "ascii", NULL, "Add a tab and the bytes as characters, a dot for unprintable ones.",
		&args.ascii, NULL},
	{'s', "scrub", NULL, "Replace MAC and IP addresses and DNS names.", &args.scrub, NULL},
	{'k', "key", "TEXT", "Scrub so that the same TEXT gives the same; default a random one.",
		NULL, &args.key},
	{'n', "no-normalize", NULL, "Leave the link layer as it is.", &args.keep, NULL},
	{0},
};

static const struct cli_example pcap2hex_examples[] = {
	{"sluice pcap2hex --ascii example.pcap | head", "The first frames, to look at."},
	{"sluice pcap2hex example.pcap | sluice hex2pcap >ethernet.pcap",
		"Make a capture on \"any\" one of Ethernet frames."},
	{"sluice pcap2hex --scrub example.pcap >to-show.hex", "Frames without who was in them."},
	{0},
};

const struct cli_cmd cmd_pcap2hex = {
	.name = "pcap2hex",
	.args = "[FILE…]",
	.help = "Print the frames of savefiles in hexadecimal, one a line.",
	.more = "FILE is a pcap or pcapng file, - or none standard input. Frames are made untagged\n"
		"Ethernet ones: VLAN tags are taken out, the cooked header of a capture on \"any\" is cut\n"
		"to 14 bytes, and what has no link layer gets one of zeros. A frame that ends within\n"
		"its link layer stays as it is. Scrubbed MAC addresses are zeros; IP addresses and labels\n"
		"of names keep common prefixes, lengths, and what is a letter or a digit; checksums are\n"
		"mended. Payload other than DNS stays, and what a broken DNS message has behind the break.",
	.examples = pcap2hex_examples,
	.opts = pcap2hex_opts,
	.min_args = 0,
	.max_args = -1,
	.run = pcap2hex_run,
};
