// SPDX-License-Identifier: BSD-3-Clause
/*
 * The readers of pcap and pcapng files against libpcap: the same frames, times
 * and ends, for files of every byte order, resolution and kind of block, for
 * mutations of them, through pipes, and for every capture in SLUICE_CORPUS. Where
 * libpcap gives up and these readers go on (test_reader.c: lenient), its frames
 * are the first of theirs.
 */
#include <dirent.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "pkt/savefile.h"

#define IMAGE_MAX (2 << 20)

/* A file in the making. */
static struct image {
	size_t n;
	bool swapped;
	uint8_t bytes[IMAGE_MAX];
} image;

static char path[64]; /* of a memfd that gets the image */
static int memfd;

static int
open_memfd(void **state)
{
	(void)state;
	memfd = memfd_create("reader", 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	return memfd < 0 ? -1 : 0;
}

static void
add(const void *bytes, size_t n)
{
	assert_true(n <= IMAGE_MAX - image.n);
	memcpy(image.bytes + image.n, bytes, n);
	image.n += n;
}

static void
add_u16(uint16_t v)
{
	v = image.swapped ? __builtin_bswap16(v) : v;
	add(&v, sizeof(v));
}

static void
add_u32(uint32_t v)
{
	v = image.swapped ? __builtin_bswap32(v) : v;
	add(&v, sizeof(v));
}

static void
add_data(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		add(&(uint8_t){(uint8_t)(i * 7 + n)}, 1);
}

static void
store_image(size_t n)
{
	assert_int_equal(ftruncate(memfd, 0), 0);
	assert_int_equal(pwrite(memfd, image.bytes, n, 0), (ssize_t)n);
}

/* Both readers over one file. */
struct judge {
	pcap_t *pcap;
	struct pkt_reader *reader;
	bool lenient; /* libpcap may end before; times need not be equal */
	char err[PCAP_ERRBUF_SIZE];
};

static bool
same_frame(const struct judge *j, const struct pcap_pkthdr *h, const uint8_t *data,
	const struct pkt_frame *f)
{
	uint64_t ns = (uint64_t)h->ts.tv_sec * 1000000000 + (uint64_t)h->ts.tv_usec;

	/* Beyond 2038 libpcap takes a pcap file's seconds as negative. */
	return h->caplen == f->caplen && MAX(h->len, h->caplen) == f->wirelen &&
		(h->caplen == 0 || memcmp(data, f->data, h->caplen) == 0) &&
		(ns == f->time_ns || j->lenient || h->ts.tv_sec < 0 || h->ts.tv_usec < 0);
}

/* Frames by both until libpcap has no more. NULL, or what is wrong. */
static const char *
compare_frames(struct judge *j)
{
	struct pcap_pkthdr *h;
	const uint8_t *data;
	struct pkt_frame f;
	struct diag diag = {0};
	int theirs, ours;

	if (pcap_datalink(j->pcap) != pkt_reader_dlt(j->reader))
		return "another link type";
	for (uint64_t n = 1;; n++) {
		theirs = pcap_next_ex(j->pcap, &h, &data);
		if (theirs != 1 && j->lenient && theirs != PCAP_ERROR_BREAK)
			return NULL;
		ours = pkt_reader_next(j->reader, &f, &diag);
		if (theirs != 1)
			break;
		if (ours != 1)
			return "ended before libpcap";
		if (f.number != n || !same_frame(j, h, data, &f))
			return "another frame";
	}
	if (ours == 1)
		return "went on behind libpcap's end";
	if ((ours < 0) != (theirs != PCAP_ERROR_BREAK))
		return ours < 0 ? "an error where libpcap has none"
				: "no error where libpcap has one";
	return ours < 0 && diag.msg[0] == '\0' ? "an error without a sentence" : NULL;
}

static const char *
compare(const char *file, bool lenient)
{
	struct judge j = {.lenient = lenient};
	const char *wrong = NULL;
	struct diag diag = {0};

	j.pcap = pcap_open_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, j.err);
	if (pkt_reader_open(file, &j.reader, &diag) < 0 && j.pcap != NULL) {
		/* A header that lies is told at once, not behind the first frames. */
		struct pcap_pkthdr *h;
		const uint8_t *data;

		if (pcap_next_ex(j.pcap, &h, &data) == 1)
			wrong = "did not open";
	} else if (j.reader != NULL && j.pcap == NULL && !lenient) {
		wrong = "opened what libpcap does not";
	} else if (j.reader != NULL && j.pcap != NULL) {
		wrong = compare_frames(&j);
	}
	if (wrong != NULL)
		print_error("%s: %s (libpcap: %s; here: %s)\n", file, wrong,
			j.pcap != NULL ? pcap_geterr(j.pcap) : j.err, diag.msg);
	pkt_reader_close(j.reader);
	if (j.pcap != NULL)
		pcap_close(j.pcap);
	return wrong;
}

static void
pcap_header(bool swapped, bool ns, uint32_t snaplen, uint32_t linktype)
{
	image.n = 0;
	image.swapped = swapped;
	add_u32(ns ? 0xa1b23c4d : 0xa1b2c3d4);
	add_u16(2);
	add_u16(4);
	add_u32(0);
	add_u32(0);
	add_u32(snaplen);
	add_u32(linktype);
}

static void
pcap_record(uint32_t s, uint32_t fraction, uint32_t caplen, uint32_t len)
{
	add_u32(s);
	add_u32(fraction);
	add_u32(caplen);
	add_u32(len);
	add_data(caplen);
}

static void
pcap_records(void)
{
	pcap_record(1, 2, 60, 60);
	pcap_record(1767225600, 999999, 0, 0);
	pcap_record(1767225600, 999999999, 1500, 9000);
	pcap_record(0, 0, 100, 40); /* claims less than it kept */
	pcap_record(3000000000, 5, 33, 33);
	pcap_record(5, 4294967295, 1, 1);
	for (uint32_t i = 0; i < 3000; i++)
		pcap_record(6 + i, i, i % 200, i);
	pcap_record(7, 0, 262144, 262144);
	pcap_record(8, 0, 64, 64);
}

static const uint32_t linktypes[] = {0, 1, 12, 14, 101, 105, 108, 113, 127, 189, 228, 229, 239, 276,
	0x30000001, 0x04000001, 0x12340001};

static void
pcap_kinds(void **state)
{
	static const uint32_t snaplens[] = {65535, 0, 64, 262144, 0x7fffffff, 0xffffffff};

	(void)state;
	for (size_t l = 0; l < DIM(linktypes); l++)
		for (unsigned int k = 0; k < 4 * DIM(snaplens); k++) {
			pcap_header(k & 1, k & 2, snaplens[k / 4], linktypes[l]);
			pcap_records();
			store_image(image.n);
			assert_null(compare(path, false));
		}
}

/* Headers that are refused, frames that cannot be, and every place to be cut at. */
static void
pcap_broken(void **state)
{
	(void)state;
	for (uint32_t caplen = 262143; caplen < 262147; caplen++) {
		pcap_header(false, true, 65535, 1);
		pcap_record(1, 1, 10, 10);
		pcap_record(1, 1, caplen, caplen);
		store_image(image.n);
		assert_null(compare(path, false));
	}
	for (uint32_t version = 0; version < 7; version++) {
		pcap_header(false, false, 65535, 1);
		image.bytes[6] = (uint8_t)version;
		pcap_record(1, 1, 10, 20);
		pcap_record(1, 1, 10, 10);
		store_image(image.n);
		assert_null(compare(path, false));
	}
	pcap_header(true, false, 65535, 1);
	pcap_record(1, 1, 10, 10);
	pcap_record(1, 1, 70, 70);
	for (size_t n = 0; n <= image.n; n++) {
		store_image(n);
		assert_null(compare(path, false));
	}
}

static size_t
block_begin(uint32_t type)
{
	add_u32(type);
	add_u32(0);
	return image.n - 8;
}

static void
block_end(size_t at)
{
	const size_t end = image.n;
	const uint32_t bytes = (uint32_t)(end - at) + 4;

	image.n = at + 4;
	add_u32(bytes);
	image.n = end;
	add_u32(bytes);
}

static void
add_padded(const void *bytes, size_t n)
{
	add(bytes, n);
	add("\0\0\0", -n & 3);
}

static void
add_option(uint16_t code, const void *value, uint16_t n)
{
	add_u16(code);
	add_u16(n);
	add_padded(value, n);
}

static void
ng_section(void)
{
	size_t at = block_begin(0x0a0d0d0a);

	add_u32(0x1a2b3c4d);
	add_u16(1);
	add_u16(0);
	add_u32(UINT32_MAX);
	add_u32(UINT32_MAX);
	add_option(4, "test", 4);
	add_option(0, "", 0);
	block_end(at);
}

/* @resolution: of option if_tsresol, -1 none */
static void
ng_interface(uint16_t linktype, uint32_t snaplen, int resolution, int64_t offset)
{
	size_t at = block_begin(1);

	add_u16(linktype);
	add_u16(0);
	add_u32(snaplen);
	add_option(2, "eth0", 4);
	if (resolution >= 0)
		add_option(9, &(uint8_t){(uint8_t)resolution}, 1);
	if (offset != 0) {
		offset = image.swapped ? (int64_t)__builtin_bswap64((uint64_t)offset) : offset;
		add_option(14, &offset, 8);
	}
	add_option(0, "", 0);
	block_end(at);
}

static void
ng_packet(uint32_t interface, uint64_t time, uint32_t caplen, uint32_t len)
{
	size_t at = block_begin(6);

	add_u32(interface);
	add_u32((uint32_t)(time >> 32));
	add_u32((uint32_t)time);
	add_u32(caplen);
	add_u32(len);
	add_data(caplen);
	add("\0\0\0", -caplen & 3);
	if (len & 1) {
		add_option(1, "odd", 3);
		add_option(0, "", 0);
	}
	block_end(at);
}

/* The two other blocks with frames, and one that says nothing here. */
static void
ng_rare(uint32_t len)
{
	size_t at = block_begin(3);

	add_u32(len);
	add_data(len);
	add("\0\0\0", -len & 3);
	block_end(at);
	at = block_begin(2);
	add_u16(0);
	add_u16(7);
	add_u32(1);
	add_u32(2);
	add_u32(len);
	add_u32(len + 3);
	add_data(len);
	add("\0\0\0", -len & 3);
	block_end(at);
	at = block_begin(5);
	add_u32(0);
	add_u32(0);
	add_u32(0);
	block_end(at);
}

static void
ng_packets(uint32_t interfaces)
{
	ng_packet(0, 0, 60, 60);
	ng_packet(0, 1767225600123456, 0, 0);
	ng_packet(interfaces - 1, UINT64_C(1767225600123456789), 1500, 9001);
	ng_rare(77);
	for (uint32_t i = 0; i < 500; i++)
		ng_packet(i % interfaces, UINT64_C(1767225600000000) + i, i % 300, i);
	ng_packet(0, 5, 65535, 65535);
	ng_packet(0, 6, 10, 5);
}

/* Powers of 10 and of 2; beyond 2^-34 s libpcap's own arithmetic overflows. */
static const int resolutions[] = {-1, 0, 3, 6, 9, 12, 19, 0x80, 0x80 + 10, 0x80 + 20, 0x80 + 33};

static void
pcapng_kinds(void **state)
{
	(void)state;
	for (size_t l = 0; l < DIM(linktypes); l++)
		for (size_t k = 0; k < 2 * DIM(resolutions); k++) {
			const int resolution = resolutions[k / 2];

			image.n = 0;
			image.swapped = k & 1;
			ng_section();
			ng_interface((uint16_t)linktypes[l], 65535, resolution, 0);
			ng_packets(1);
			ng_section();
			/* libpcap compares the numbers of two numberings here. */
			ng_interface(linktypes[l] == 101 ? 12 : (uint16_t)linktypes[l], 65535,
				resolution, 3600);
			ng_packets(1);
			store_image(image.n);
			assert_null(compare(path, linktypes[l] == 101));
		}
}

static void
pcapng_interfaces(void **state)
{
	(void)state;
	image.n = 0;
	image.swapped = false;
	ng_section();
	ng_interface(1, 0, 9, 0);
	ng_interface(1, 0, 6, -7200);
	ng_rare(60);
	ng_interface(1, 262144, 0x80 + 20, 0);
	ng_packets(3);
	store_image(image.n);
	assert_null(compare(path, false));
}

static uint64_t
count(int *ret_last, struct diag *diag, uint32_t *ret_snaplen)
{
	struct pkt_reader *r = NULL;
	struct pkt_frame f;
	uint64_t n = 0;

	*ret_last = pkt_reader_open(path, &r, diag);
	if (*ret_last < 0)
		return 0;
	*ret_snaplen = pkt_reader_snaplen(r);
	while ((*ret_last = pkt_reader_next(r, &f, diag)) == 1)
		n++;
	pkt_reader_close(r);
	return n;
}

/* What libpcap refuses and need not be. */
static void
pcapng_beyond(void **state)
{
	struct diag diag = {0};
	uint32_t snaplen = 0;
	int last;

	(void)state;
	image.n = 0;
	image.swapped = false;
	ng_section();
	ng_interface(101, 96, -1, 0);
	ng_interface(101, 70000, -1, 0);
	ng_packet(0, 1, 96, 96);
	ng_packet(1, 1, 66000, 66000);
	image.swapped = true;
	ng_section();
	ng_interface(101, 128, -1, 0);
	ng_packet(0, 1, 100, 100);
	store_image(image.n);
	assert_int_equal(count(&last, &diag, &snaplen), 3);
	assert_int_equal(last, 0);
	assert_int_equal(snaplen, 70000);
	assert_null(compare(path, true));
}

static const struct {
	uint16_t linktype;
	uint32_t interface, caplen;
	uint64_t frames;
	const char *says;
} lies[] = {
	{113, 0, 60, 1,
		"behind frame 1: an interface of link type LINUX_SLL; those before have EN10MB"},
	{1, 5, 60, 1, "behind frame 1: a packet of interface 5, of which the file has not told"},
	{1, 0, 70000, 1, "a frame of 70000 bytes; the interfaces promise at most 65535"},
};

static void
pcapng_lies(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(lies); i++) {
		struct diag diag = {0};
		uint32_t snaplen;
		int last;

		image.n = 0;
		image.swapped = i & 1;
		ng_section();
		ng_interface(1, 65535, -1, 0);
		ng_packet(0, 1, 60, 60);
		ng_interface(lies[i].linktype, 65535, -1, 0);
		ng_packet(lies[i].interface, 1, lies[i].caplen, lies[i].caplen);
		store_image(image.n);
		assert_int_equal(count(&last, &diag, &snaplen), lies[i].frames);
		assert_int_equal(last, -EINVAL);
		assert_non_null(strstr(diag.msg, lies[i].says));
		assert_null(compare(path, false));
	}
}

static void
pcapng_cut(void **state)
{
	(void)state;
	image.n = 0;
	image.swapped = true;
	ng_section();
	ng_interface(1, 65535, 9, 0);
	ng_packet(0, 1, 61, 61);
	ng_rare(20);
	for (size_t n = 0; n <= image.n; n++) {
		store_image(n);
		assert_null(compare(path, false));
	}
}

/* A few bytes changed: what libpcap reads is read. */
static void
mutations(void **state)
{
	const char *s = getenv("SLUICE_SEED"), *wide = getenv("SLUICE_LONG");
	const int rounds = wide != NULL && strcmp(wide, "1") == 0 ? 200000 : 5000;
	struct rng rng = {s != NULL ? strtoull(s, NULL, 0) : 20261121};
	static uint8_t pristine[4096];

	(void)state;
	print_message("seed %llu\n", (unsigned long long)rng.state);
	for (int i = 0; i < rounds; i++) {
		image.n = 0;
		if (i & 1) {
			pcap_header(i & 2, i & 4, 200, 1);
			pcap_record(1, 2, 60, 60);
			pcap_record(3, 4, 201, 202);
			pcap_record(5, 6, 7, 8);
		} else {
			image.swapped = i & 2;
			ng_section();
			ng_interface(1, 200, 9, 0);
			ng_packet(0, 1, 60, 60);
			ng_rare(30);
			ng_interface(1, 200, 6, 5);
			ng_packet(1, 1, 61, 67);
			ng_packet(0, 1, 62, 68);
		}
		memcpy(pristine, image.bytes, image.n);
		for (uint32_t n = 1 + rng_below(&rng, 3); n > 0; n--)
			image.bytes[rng_below(&rng, (uint32_t)image.n)] = rng_below(&rng, 2)
				? (uint8_t)rng_next(&rng)
				: (uint8_t)rng_below(&rng, 4);
		store_image(image.n);
		if (compare(path, true) != NULL)
			fail_msg("mutation %d", i);
	}
}

/* Frames longer than what is read at once. */
static void
large(void **state)
{
	(void)state;
	image.n = 0;
	image.swapped = false;
	ng_section();
	ng_interface(1, 1 << 20, 9, 0);
	ng_packet(0, 1, 900000, 900000);
	ng_packet(0, 1, 20, 20);
	ng_packet(0, 1, 1 << 20, 1 << 20);
	store_image(image.n);
	assert_null(compare(path, false));
}

/* Standard input as a pipe that delivers a few bytes at a time, then waits. */
static void
pipes(void **state)
{
	struct pkt_frame frames[8];
	struct pkt_reader *r = NULL;
	int data[2], old = dup(0), n, total = 0, status;
	pid_t pid;

	(void)state;
	pcap_header(true, true, 65535, 1);
	for (uint32_t i = 0; i < 300; i++)
		pcap_record(i, i, i, i);
	assert_int_equal(pipe(data), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (size_t at = 0; at < image.n; at += 7)
			if (write(data[1], image.bytes + at, MIN(7, image.n - at)) < 0)
				_exit(1);
		_exit(0);
	}
	assert_int_equal(dup2(data[0], 0), 0);
	assert_int_equal(pkt_reader_open("-", &r, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	while (total < 300 && (n = pkt_reader_burst(r, frames, DIM(frames), NULL)) > 0) {
		for (int i = 0; i < n; i++) {
			assert_int_equal(frames[i].caplen, total);
			assert_int_equal(frames[i].number, ++total);
		}
		assert_true(total == 300 || !pkt_reader_waits(r));
	}
	assert_true(pkt_reader_waits(r));
	close(data[1]);
	assert_false(pkt_reader_waits(r));
	assert_int_equal(pkt_reader_burst(r, frames, DIM(frames), NULL), 0);
	pkt_reader_close(r);
	close(data[0]);
	dup2(old, 0);
	close(old);
}

static void
corpus(void **state)
{
	const char *folder = getenv("SLUICE_CORPUS");
	const struct dirent *e;
	unsigned int files = 0, wrong = 0;
	char file[4096];
	DIR *d;

	(void)state;
	if (folder == NULL)
		skip();
	d = opendir(folder);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".pcap") == NULL)
			continue;
		(void)snprintf(file, sizeof(file), "%s/%s", folder, e->d_name);
		files++;
		wrong += compare(file, false) != NULL;
	}
	closedir(d);
	print_message("%u files\n", files);
	assert_true(files > 0);
	assert_int_equal(wrong, 0);
}

/* Each allocation fails once: no frame is lost without a word, nothing leaks. */
static void
no_memory(void **state)
{
	long asked = 1;

	(void)state;
	image.n = 0;
	image.swapped = false;
	ng_section();
	ng_interface(1, 1 << 20, 9, 0);
	ng_packet(0, 1, 20, 20);
	ng_packet(0, 1, 900000, 900000);
	store_image(image.n);
	for (long nth = 0; asked >= nth; nth++) {
		struct diag diag = {0};
		uint32_t snaplen;
		uint64_t n;
		int last;

		mem_fault_set(nth);
		n = count(&last, &diag, &snaplen);
		asked = mem_fault_set(-1);
		assert_true(last == -ENOMEM || (last == 0 && n == 2));
		assert_true((last < 0) == (diag.msg[0] != '\0'));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcap_kinds),
		cmocka_unit_test(pcap_broken),
		cmocka_unit_test(pcapng_kinds),
		cmocka_unit_test(pcapng_interfaces),
		cmocka_unit_test(pcapng_beyond),
		cmocka_unit_test(pcapng_lies),
		cmocka_unit_test(pcapng_cut),
		cmocka_unit_test(mutations),
		cmocka_unit_test(large),
		cmocka_unit_test(pipes),
		cmocka_unit_test(corpus),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests_name("pkt reader", tests, open_memfd, NULL);
}
