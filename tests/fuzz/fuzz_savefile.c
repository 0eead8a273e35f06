// SPDX-License-Identifier: BSD-3-Clause
/* Any bytes as a savefile: frames within bounds until the end or a reason. Read through a memfd. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/diag.h"
#include "pkt/savefile.h"
#include "pkt/view.h"

#include "fuzz.h"

static void
read_all(struct pkt_reader *r)
{
	struct pkt_frame f;
	struct diag d = {0};
	struct pkt_view v;
	uint64_t number = 0;
	int ret;

	while ((ret = pkt_reader_next(r, &f, &d)) == 1 && number < 10000) {
		fuzz_check(f.number == ++number);
		fuzz_check(f.caplen == 0 || f.data != NULL);
		pkt_parse_link(pkt_reader_dlt(r), f.data, f.caplen, f.wirelen, &v);
	}
	fuzz_check(ret == 1 || ret == 0 || (ret < 0 && d.msg[0] != '\0'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pkt_reader *r = NULL;
	struct diag d = {0};
	char path[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC), err;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = pkt_reader_open(path, &r, &d);
	if (err == 0)
		read_all(r);
	else
		fuzz_check(r == NULL && d.msg[0] != '\0');
	pkt_reader_close(r);
	(void)close(fd);
	return 0;
}
