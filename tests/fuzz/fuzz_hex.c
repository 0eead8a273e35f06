// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any text to hex2pcap, and its savefile to pcap2hex: what hex2pcap took comes
 * out as digits that it takes again for the same savefile.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../app/sluice/cli.h"
#include "fuzz.h"
#include "quiet_cli.h"

enum { TEXT, SAVEFILE, TEXT_AGAIN, SAVEFILE_AGAIN, FILES };

static int files[FILES];
static char paths[FILES][32];

static void
open_files(void)
{
	for (int i = 0; i < FILES; i++) {
		files[i] = memfd_create("fuzz", MFD_CLOEXEC);
		fuzz_check(files[i] >= 0);
		(void)snprintf(paths[i], sizeof(paths[i]), "/proc/self/fd/%d", files[i]);
	}
}

/* @cmd with file @in as its operand and standard output into file @out. */
static int
run(const struct cli_cmd *cmd, int in, int out)
{
	const int stdout_was = dup(STDOUT_FILENO);
	char *argv[] = {paths[in], NULL};
	int status;

	fuzz_check(stdout_was >= 0 && ftruncate(files[out], 0) == 0);
	fuzz_check(lseek(files[out], 0, SEEK_SET) == 0 && dup2(files[out], STDOUT_FILENO) >= 0);
	quiet_cli_failed = false;
	status = cmd->run(1, argv);
	fuzz_check(fflush(stdout) == 0);
	fuzz_check(dup2(stdout_was, STDOUT_FILENO) >= 0 && close(stdout_was) == 0);
	fuzz_check((status != 0) == quiet_cli_failed);
	return status;
}

static void
check_same(int a, int b)
{
	const off_t n = lseek(files[a], 0, SEEK_END);
	char x[4096], y[4096];

	fuzz_check(n == lseek(files[b], 0, SEEK_END));
	for (off_t at = 0; at < n; at += (off_t)sizeof(x)) {
		const ssize_t some = pread(files[a], x, sizeof(x), at);

		fuzz_check(some > 0 && pread(files[b], y, sizeof(y), at) == some);
		fuzz_check(memcmp(x, y, (size_t)some) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (files[TEXT] == 0)
		open_files();
	fuzz_check(ftruncate(files[TEXT], 0) == 0);
	fuzz_check(pwrite(files[TEXT], data, size, 0) == (ssize_t)size);
	*cmd_pcap2hex.opts[3].flag = true; /* --no-normalize */
	*cmd_pcap2hex.opts[0].flag = size > 0 && data[0] == '#'; /* --ascii */
	if (run(&cmd_hex2pcap, TEXT, SAVEFILE) != 0)
		return 0;
	fuzz_check(run(&cmd_pcap2hex, SAVEFILE, TEXT_AGAIN) == 0);
	fuzz_check(run(&cmd_hex2pcap, TEXT_AGAIN, SAVEFILE_AGAIN) == 0);
	check_same(SAVEFILE, SAVEFILE_AGAIN);
	return 0;
}
