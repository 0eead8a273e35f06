// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any bytes as a savefile: frames within bounds until the end or a reason, and
 * wherever libpcap reads one, the same ones. Read through a memfd.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/util.h"
#include "pkt/savefile.h"
#include "pkt/view.h"

#include "fuzz.h"

#define FRAMES 8 /* in a burst */

/* libpcap's next frame is this one. Where libpcap gives up, nothing more is asked of it. */
static void
judge(pcap_t **pcap, const struct pkt_frame *f)
{
	struct pcap_pkthdr *h;
	const uint8_t *data;
	int n = *pcap != NULL ? pcap_next_ex(*pcap, &h, &data) : -1;

	if (*pcap == NULL)
		return;
	fuzz_check(n != PCAP_ERROR_BREAK);
	if (n != 1) {
		pcap_close(*pcap);
		*pcap = NULL;
		return;
	}
	fuzz_check(h->caplen == f->caplen && MAX(h->len, h->caplen) == f->wirelen);
	fuzz_check(h->caplen == 0 || memcmp(data, f->data, h->caplen) == 0);
}

static void
read_all(struct pkt_reader *r, pcap_t **pcap)
{
	struct pkt_frame f[FRAMES];
	struct diag d = {0};
	struct pkt_view v;
	uint64_t number = 0;
	struct pcap_pkthdr *h;
	const uint8_t *data;
	int n;

	fuzz_check(*pcap == NULL || pcap_datalink(*pcap) == pkt_reader_dlt(r));
	while ((n = pkt_reader_burst(r, f, FRAMES, &d)) > 0 && number < 10000) {
		fuzz_check(n <= FRAMES);
		for (int i = 0; i < n; i++) {
			fuzz_check(f[i].number == ++number);
			fuzz_check(f[i].caplen == 0 || f[i].data != NULL);
			pkt_parse_link(pkt_reader_dlt(r), f[i].data, f[i].caplen, f[i].wirelen, &v);
			judge(pcap, &f[i]);
		}
	}
	fuzz_check(n >= 0 || d.msg[0] != '\0');
	/* Not ended before libpcap. */
	fuzz_check(n > 0 || *pcap == NULL || pcap_next_ex(*pcap, &h, &data) != 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pkt_reader *r = NULL;
	struct diag d = {0};
	char path[64], err[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const uint8_t *p;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	pcap_t *pcap;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	pcap = pcap_open_offline(path, err);
	if (pkt_reader_open(path, &r, &d) == 0) {
		read_all(r, &pcap);
	} else {
		fuzz_check(r == NULL && d.msg[0] != '\0');
		/* A header that lies is told at once, not behind the frames before. */
		fuzz_check(pcap == NULL || pcap_next_ex(pcap, &h, &p) != 1);
	}
	pkt_reader_close(r);
	if (pcap != NULL)
		pcap_close(pcap);
	(void)close(fd);
	return 0;
}
