/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_FILTERS_H
#define BENCH_FILTERS_H

/*
 * The programs whose speed is held against clang's, as assembler: nothing, a
 * tcpdump expression, DNS names, a TCP signature. link says what byte 0 is.
 */

enum filter_link { FILTER_ETHER, FILTER_RAW_IP };
enum filter_traffic { FILTER_DNS, FILTER_SYN };

struct filter {
	const char *name;
	enum filter_link link;
	enum filter_traffic traffic; /* what a flood that it matches consists of */
	const char *text;
};

/* "ip and udp port 53" as libpcap compiles and optimises it for Ethernet. */
#define FILTER_UDP_53 \
	"ldh [12]\n jneq #0x800, drop\n ldb [23]\n jneq #17, drop\n" \
	"ldh [20]\n jset #0x1fff, drop\n ldxb 4*([14]&0xf)\n" \
	"ldh [x + 14]\n jeq #53, hit\n ldh [x + 16]\n jneq #53, drop\n" \
	"hit: ret #65535\n drop: ret #0\n"

/* X = start of the name in a query: IPv4 header, 8 bytes of UDP, 12 of DNS. */
#define FILTER_DNS_START "ldx 4*([0]&0xf)\n ld #20\n add x\n tax\n"

/* Skip the label at X. */
#define FILTER_DNS_ANY "ldb [x + 0]\n add x\n add #1\n tax\n"

/* *.www.example.uk */
#define FILTER_DNS_WILDCARD \
	FILTER_DNS_START FILTER_DNS_ANY "ld [x + 0]\n jneq #0x03777777, drop\n" \
					"ld [x + 4]\n jneq #0x07657861, drop\n" \
					"ld [x + 8]\n jneq #0x6d706c65, drop\n" \
					"ld [x + 12]\n jneq #0x02756b00, drop\n" \
					"ret #65535\n drop: ret #0\n"

/* -i: a.example.uk b.example.com *.shop.example.uk *.www.example.uk */
#define FILTER_DNS_FOUR \
	FILTER_DNS_START "st M[0]\n" \
			 "ld [x + 0]\n or #0x00200000\n jneq #0x01610765, p2\n" \
			 "ld [x + 4]\n or #0x20202020\n jneq #0x78616d70, p2\n" \
			 "ld [x + 8]\n or #0x20200020\n jneq #0x6c650275, p2\n" \
			 "ldh [x + 12]\n or #0x2000\n jneq #0x6b00, p2\n" \
			 "ret #65535\n" \
			 "p2: ldx M[0]\n" \
			 "ld [x + 0]\n or #0x00200020\n jneq #0x01620765, p3\n" \
			 "ld [x + 4]\n or #0x20202020\n jneq #0x78616d70, p3\n" \
			 "ld [x + 8]\n or #0x20200020\n jneq #0x6c650363, p3\n" \
			 "ldh [x + 12]\n or #0x2020\n jneq #0x6f6d, p3\n" \
			 "ldb [x + 14]\n jneq #0, p3\n" \
			 "ret #65535\n" \
			 "p3: ldx M[0]\n" FILTER_DNS_ANY \
			 "ld [x + 0]\n or #0x00202020\n jneq #0x0473686f, p4\n" \
			 "ld [x + 4]\n or #0x20002020\n jneq #0x70076578, p4\n" \
			 "ld [x + 8]\n or #0x20202020\n jneq #0x616d706c, p4\n" \
			 "ld [x + 12]\n or #0x20002020\n jneq #0x6502756b, p4\n" \
			 "ldb [x + 16]\n jneq #0, p4\n" \
			 "ret #65535\n" \
			 "p4: ldx M[0]\n" FILTER_DNS_ANY \
			 "ld [x + 0]\n or #0x00202020\n jneq #0x03777777, drop\n" \
			 "ld [x + 4]\n or #0x00202020\n jneq #0x07657861, drop\n" \
			 "ld [x + 8]\n or #0x20202020\n jneq #0x6d706c65, drop\n" \
			 "ld [x + 12]\n or #0x00202000\n jneq #0x02756b00, drop\n" \
			 "ret #65535\n drop: ret #0\n"

/*
 * p0f 4:64:0:*:mss*20,7:mss,sok,ts,nop,ws:df,id+:0, the SYN of Linux 3.11 and
 * later, as bpftools generates it: conjunctive tests at the IP header, one range
 * of the TTL, then the TCP header, its options' layout, window a multiple of
 * the MSS.
 */
#define FILTER_P0F \
	"ldb [0]\n and #0xf0\n jneq #0x40, drop\n" \
	"ldb [8]\n jgt #64, drop\n jle #29, drop\n" \
	"ldb [0]\n and #0xf\n jneq #5, drop\n" \
	"ldb [6]\n jset #0x80, drop\n" \
	"ldh [6]\n jset #0x1fff, drop\n" \
	"ldb [6]\n and #0x40\n jneq #0x40, drop\n" \
	"ldh [4]\n jeq #0, drop\n" \
	"ldb [9]\n jneq #6, drop\n" \
	"ldxb 4*([0]&0xf)\n" \
	"ldb [x + 13]\n jneq #2, drop\n" \
	"ldb [x + 12]\n and #0xf0\n jneq #0xa0, drop\n" \
	"ld [x + 8]\n jneq #0, drop\n" \
	"ldh [x + 18]\n jneq #0, drop\n" \
	"ld [x + 4]\n jeq #0, drop\n" \
	"ldh [x + 20]\n jneq #0x0204, drop\n" \
	"ldh [x + 24]\n jneq #0x0402, drop\n" \
	"ldh [x + 26]\n jneq #0x080a, drop\n" \
	"ldb [x + 36]\n jneq #1, drop\n" \
	"ldh [x + 37]\n jneq #0x0303, drop\n" \
	"ldb [x + 39]\n jneq #7, drop\n" \
	"ld [x + 28]\n jeq #0, drop\n" \
	"ld [x + 32]\n jneq #0, drop\n" \
	"ldh [x + 14]\n st M[0]\n ldh [x + 22]\n mul #20\n tax\n ld M[0]\n jneq x, drop\n" \
	"ret #65535\n drop: ret #0\n"

#define FILTERS_COUNT 5

static const struct filter filters[FILTERS_COUNT] = {
	{"ret #0", FILTER_RAW_IP, FILTER_DNS, "ret #0\n"},
	{"ip and udp port 53", FILTER_ETHER, FILTER_DNS, FILTER_UDP_53},
	{"dns *.www.example.uk", FILTER_RAW_IP, FILTER_DNS, FILTER_DNS_WILDCARD},
	{"dns -i, four patterns", FILTER_RAW_IP, FILTER_DNS, FILTER_DNS_FOUR},
	{"p0f SYN", FILTER_RAW_IP, FILTER_SYN, FILTER_P0F},
};

#endif
