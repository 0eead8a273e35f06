/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_PORT_H
#define DP_PORT_H

/*
 * What a port is made of: plain values. Borrowed by dp_new() for the call only.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DP_PORTS_MAX 64 /* a rule's scope has one bit per port */
#define DP_QUEUES_MAX 64 /* per port */

/* How survivors of a port leave, and how answers come back to its wire. */
enum dp_exception_kind {
	/* Nobody takes survivors: all count as exception_full. */
	DP_EXC_NONE,
	/* A TAP of the kernel, both ways. */
	DP_EXC_TAP,
	/*
	 * virtio-user with the kernel's vhost-net, both ways. Needs /dev/vhost-net.
	 */
	DP_EXC_VIRTIO_USER,
	/*
	 * Another port's wire, unchanged. Two ports that name each other are a bump
	 * in the wire. A port may name itself: then survivors go out where they came in.
	 */
	DP_EXC_PORT,
};

struct dp_port_conf {
	const char *name; /* of the configuration; 1..40 bytes */
	const char *device; /* a PCI address, or a virtual device: net_af_packet0,iface=eth1 */
	uint16_t queues; /* receive queues, one worker each; 1..DP_QUEUES_MAX */

	enum dp_exception_kind exception;
	const char *exception_name; /* TAP: interface name; PORT: the other port's name */
	const char *exception_netns; /* TAP: the namespace it lives in; NULL or "": ours */
	uid_t exception_uid; /* TAP: its owner, who may attach to it later; (uid_t)-1: nobody */

	uint32_t mtu; /* bytes, without the Ethernet header; 0: leave as it is */
	uint32_t rx_ring, tx_ring; /* descriptors; 0: the driver's choice */
	bool promiscuous, multicast;

	/*
	 * On devices that only copy frames (net_af_packet, net_pcap with iface=):
	 * keep the kernel from handling the originals while we run.
	 */
	bool takeover;

	/*
	 * Survivors let through a second, spread evenly over the queues; 0: no
	 * limit. Vital frames within their own bucket are not counted against it.
	 */
	uint64_t policer_pps;
	uint32_t policer_burst; /* frames; 0: 10 ms' worth, at least 64 */
};

/* What became of it. */
struct dp_port_info {
	const char *name; /* lives as long as the dp */
	char device[64]; /* DPDK's name of the device */
	char driver[32];
	uint8_t mac[6];
	uint16_t queues;
	uint16_t ethdev; /* DPDK's port number */
	int numa; /* -1: unknown */
	bool link_up;
	uint32_t link_mbps; /* 0: unknown */
	uint32_t mtu;
	bool copies; /* the kernel handles the same frames, unless taken over */
	bool taken_over;
};

#endif
