/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_DEV_H
#define DP_DEV_H

/*
 * What a device string says, before DPDK is asked: enough to refuse it with a
 * sentence and to fill in what the user need not know.
 */

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;

#define DEV_TEXT_MAX 1024

enum dev_kind {
	DEV_OTHER,
	DEV_AF_PACKET,
	DEV_PCAP_FILE, /* net_pcap reading a savefile */
	DEV_PCAP_IFACE, /* net_pcap on an interface */
};

struct dev_spec {
	enum dev_kind kind;
	bool pci;
	char name[64]; /* DPDK's name: all before the first comma */
	char args[DEV_TEXT_MAX]; /* the whole text for DPDK, with what was filled in */
	char iface[IFNAMSIZ]; /* kernel interface that is copied, or "" */
	uint32_t
		frame_bytes; /* largest frame that the device gives or takes in one piece; 0: any */
	uint32_t ring_frames; /* frames its receive ring holds, as far as the text says; else 0 */
	bool loops; /* a savefile without end */
};

/*
 * Read @device. @queues and @rx_ring (0: not set) are filled in where the driver
 * takes them as arguments and the text has none.
 *
 * Returns 0, or with a sentence: -EINVAL (no text, too long, a queue count that
 * differs from @queues), -ENODEV (no such interface), -ENOENT (no such savefile),
 * -EPERM (may not open packet sockets).
 */
int dev_parse(const char *device, uint16_t queues, uint32_t rx_ring, struct dev_spec *ret_spec,
	struct diag *diag);

/* Whether the kernel handles the same frames, too. */
bool dev_copies(const struct dev_spec *spec);

#endif
