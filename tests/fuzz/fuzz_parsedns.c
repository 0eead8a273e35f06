// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any bytes, in hexadecimal, and any text to parsedns, which ends and either has
 * printed all or says what is wrong. The first byte says which: text (odd), bytes,
 * or bytes as the DNS message of a query's frame (a multiple of 4).
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../../app/sluice/cli.h"
#include "../../app/sluice/hex.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "fuzz.h"
#include "pkt/build.h"
#include "quiet_cli.h"

#define MESSAGE_MAX 1400

static void
run(char *text)
{
	const int stdout_was = dup(STDOUT_FILENO);
	char *argv[] = {text, NULL};
	static int null;
	int status;

	if (null == 0)
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	fuzz_check(stdout_was >= 0 && dup2(null, STDOUT_FILENO) >= 0);
	quiet_cli_failed = false;
	status = cmd_parsedns.run(1, argv);
	(void)fflush(stdout);
	fuzz_check(dup2(stdout_was, STDOUT_FILENO) >= 0 && close(stdout_was) == 0);
	fuzz_check((status != 0) == quiet_cli_failed);
	fuzz_check(status == CLI_DONE || status == CLI_USAGE);
}

static size_t
frame_of(const uint8_t *message, size_t n, uint8_t *buf, size_t cap)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct pkt_build b;

	pkt_build_init(&b, buf, cap);
	pkt_build_ether(&b, mac, mac);
	pkt_build_ip4(&b, &(struct pkt_ip4){.src = 0xc0000201, .dst = 0xc0000202, .ttl = 64});
	pkt_build_udp(&b, 1024, 53);
	pkt_build_bytes(&b, message, n);
	return pkt_build_done(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t frame[MESSAGE_MAX + 100];
	struct sbuf hex = SBUF_INIT;
	char *text = NULL;

	if (size < 2 || size > MESSAGE_MAX)
		return 0;
	if (data[0] & 1) {
		text = mem_strndup((const char *)data + 1, size - 1);
	} else if (data[0] & 2) {
		hex_add(&hex, data + 1, size - 1);
		text = sbuf_take(&hex);
	} else {
		const size_t n = frame_of(data + 1, size - 1, frame, sizeof(frame));

		fuzz_check(n > 0);
		hex_add(&hex, frame, n);
		text = sbuf_take(&hex);
	}
	if (text != NULL)
		run(text);
	mem_free(text);
	return 0;
}
