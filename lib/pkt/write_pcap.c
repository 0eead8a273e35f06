// SPDX-License-Identifier: BSD-3-Clause
/* pcap files with nanoseconds. Frames are gathered, so that the system is asked rarely. */
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "linktype.h"
#include "reader.h"

#define OUTPUT_BYTES ((size_t)256 << 10)
#define RECORD_HEADER 16

struct pkt_writer {
	int fd;
	int error; /* -errno of the first write that failed; nothing is written behind it */
	size_t n; /* bytes gathered */
	uint8_t buf[OUTPUT_BYTES];
};

/* The file's header, by libpcap, which knows how link types are numbered in files. */
static int
put_header(struct pkt_writer *w, int dlt, uint32_t snaplen)
{
	/* What OpenBSD calls raw IP has no number of its own in files. */
	pcap_t *pcap =
		pcap_open_dead_with_tstamp_precision(dlt == LINK_RAW_OPENBSD ? LINK_RAW_LINUX : dlt,
			(int)MIN(snaplen, FRAME_BYTES_MAX), PCAP_TSTAMP_PRECISION_NANO);
	FILE *f = pcap != NULL ? fmemopen(w->buf, sizeof(w->buf), "w") : NULL;
	pcap_dumper_t *dumper = f != NULL ? pcap_dump_fopen(pcap, f) : NULL;
	int r = dumper != NULL ? 0 : f != NULL ? -EINVAL : -ENOMEM;

	if (r == 0 && pcap_dump_flush(dumper) < 0)
		r = -EIO;
	if (r == 0)
		w->n = (size_t)pcap_dump_ftell(dumper);
	if (dumper != NULL)
		pcap_dump_close(dumper);
	else if (f != NULL)
		(void)fclose(f);
	if (pcap != NULL)
		pcap_close(pcap);
	return r;
}

static int
open_output(const char *path)
{
	int fd;

	/* A descriptor of its own, so that closing it leaves the caller's alone. */
	if (strcmp(path, "-") == 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return fd < 0 ? -errno : fd;
}

int
pkt_writer_open(const char *path, int dlt, uint32_t snaplen, struct pkt_writer **ret_writer,
	struct diag *diag)
{
	struct pkt_writer *w;
	int r, fd = open_output(path);

	if (fd < 0)
		return diag_fail(diag, fd, "cannot create '%s': %s", path, strerror(-fd));
	w = mem_alloc(sizeof(*w));
	if (w == NULL) {
		(void)close(fd);
		return diag_fail(diag, -ENOMEM, "out of memory");
	}
	w->fd = fd;
	w->error = 0;
	w->n = 0;
	r = put_header(w, dlt, snaplen);
	if (r < 0) {
		(void)close(fd);
		mem_free(w);
		return diag_fail(diag, r, "cannot write '%s': link type %d", path, dlt);
	}
	*ret_writer = w;
	return 0;
}

static int
write_all(struct pkt_writer *w, const uint8_t *p, size_t n)
{
	while (w->error == 0 && n > 0) {
		ssize_t done = write(w->fd, p, n);

		if (done < 0 && errno != EINTR)
			w->error = -errno;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return w->error;
}

int
pkt_writer_flush(struct pkt_writer *w)
{
	int r = write_all(w, w->buf, w->n);

	w->n = 0;
	return r;
}

int
pkt_writer_put(struct pkt_writer *w, const struct pkt_frame *frame)
{
	const uint32_t header[] = {(uint32_t)(frame->time_ns / NS_PER_S),
		(uint32_t)(frame->time_ns % NS_PER_S), frame->caplen, frame->wirelen};

	_Static_assert(sizeof(header) == RECORD_HEADER, "a record's header");
	if (sizeof(header) + frame->caplen > sizeof(w->buf) - w->n) {
		int r = pkt_writer_flush(w);

		if (r < 0)
			return r;
	}
	memcpy(w->buf + w->n, header, sizeof(header));
	w->n += sizeof(header);
	if (frame->caplen > sizeof(w->buf) - w->n) {
		(void)pkt_writer_flush(w);
		return write_all(w, frame->data, frame->caplen);
	}
	if (frame->caplen > 0)
		memcpy(w->buf + w->n, frame->data, frame->caplen);
	w->n += frame->caplen;
	return w->error;
}

int
pkt_writer_close(struct pkt_writer *w)
{
	int r;

	if (w == NULL)
		return 0;
	r = pkt_writer_flush(w);
	if (close(w->fd) < 0 && r == 0 && errno != EINTR)
		r = -errno;
	mem_free(w);
	return r;
}
