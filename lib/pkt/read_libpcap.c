// SPDX-License-Identifier: BSD-3-Clause
/* All other savefiles, one frame at a time, and the sentence for what is none. */
#include <errno.h>
#include <pcap/pcap.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "reader.h"

/* A stream over what was read already and what is still to come. */
static ssize_t
cookie_read(void *cookie, char *buf, size_t size)
{
	struct input *in = cookie;
	size_t n;
	int r = input_want(in, 1);

	if (r < 0) {
		errno = -r;
		return -1;
	}
	n = MIN(size, input_left(in));
	if (n > 0)
		memcpy(buf, in->buf + in->at, n);
	in->at += n;
	return (ssize_t)n;
}

static int
take(struct pkt_reader *r, struct pkt_frame *frames, uint32_t max, struct diag *diag)
{
	struct pcap_pkthdr *h;
	const uint8_t *data;
	int n;

	/* A frame's bytes are gone with the next one. */
	if (max == 0)
		return 0;
	n = pcap_next_ex(r->pcap, &h, &data);
	if (n == PCAP_ERROR_BREAK) {
		r->pcap_ended = true;
		return 0;
	}
	if (n != 1)
		return reader_broken(r, diag, "%s", pcap_geterr(r->pcap));
	frames[0] = (struct pkt_frame){
		.data = data,
		.caplen = h->caplen,
		.wirelen = MAX(h->len, h->caplen),
		.time_ns = (uint64_t)h->ts.tv_sec * NS_PER_S + (uint64_t)h->ts.tv_usec,
		.number = ++r->number,
	};
	return 1;
}

int
reader_libpcap_open(struct pkt_reader *r, struct diag *diag)
{
	char err[PCAP_ERRBUF_SIZE] = "";
	FILE *f = fopencookie(&r->in, "r", (cookie_io_functions_t){.read = cookie_read});

	if (f == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	r->pcap = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, err);
	if (r->pcap == NULL) {
		(void)fclose(f);
		return diag_fail(diag, -EINVAL, "'%s' is no savefile: %s", r->path, err);
	}
	r->dlt = pcap_datalink(r->pcap);
	r->snaplen = (uint32_t)pcap_snapshot(r->pcap);
	r->take = take;
	r->need = 1; /* for pkt_reader_waits(): there is more than that, or none */
	return 1;
}
