/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_PORT_PRIV_H
#define DP_PORT_PRIV_H

/*
 * One port: its device, the TAP or companion device behind it, what its driver
 * counts. Main thread; workers borrow descriptors and queues from it.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dp/port.h"

#include "afp.h"
#include "dev.h"

struct diag;
struct rte_mempool;

#define PORT_NONE UINT16_MAX

/* What the driver and the kernel counted besides us. */
struct port_losses {
	uint64_t missed, nombuf;
	uint64_t unsent; /* of those the driver took to send */
};

struct port {
	char name[64];
	uint16_t number; /* in the configuration */
	struct dev_spec spec;
	uint16_t queues;
	enum dp_exception_kind exception;
	struct port *peer; /* DP_EXC_PORT: where survivors go */
	uint16_t n_tx; /* transmit queues asked for by all who send here */
	uint32_t mtu, rx_ring, tx_ring;
	bool promiscuous, multicast;
	uint64_t policer_pps;
	uint32_t policer_burst;

	uint16_t ethdev; /* PORT_NONE: not taken */
	uint16_t companion; /* DP_EXC_VIRTIO_USER: its device; else PORT_NONE */
	struct rte_mempool *pools[DP_QUEUES_MAX]; /* one per queue */
	struct afp afp; /* n == 0: not net_af_packet */
	int tap_fds[DP_QUEUES_MAX]; /* -1: none */
	int iface_claim, tap_claim; /* claim.h; -1: none */
	bool intr; /* configured with receive interrupts */
	bool started, taken_over;
	int carrier; /* of the TAP, as last set; -1: never */
	struct port_losses base; /* counted before we came */
	struct port_losses last; /* as of port_stop() */

	/* Control writes, workers of this port read; relaxed. */
	_Atomic uint32_t sample_one_in;
};

/*
 * Each of these returns 0, or -errno with a sentence that starts with the port's
 * name. port_close() undoes whatever was done; it can be called at any stage.
 */
int port_init(struct port *p, const struct dp_port_conf *conf, uint16_t number, struct diag *diag);
/* Take the device (and the interface, where @takeover). */
int port_take(struct port *p, bool takeover, struct diag *diag);
/* Buffers and queues; p->n_tx is final. */
int port_configure(struct port *p, struct diag *diag);
/* TAP or companion; after port_configure(), since it mirrors the device. */
int port_open_exception(struct port *p, const struct dp_port_conf *conf, struct diag *diag);
int port_start(struct port *p, struct diag *diag);
/* Let no more frames in where the device allows it, so that workers can empty it. */
void port_close_gate(struct port *p);
void port_stop(struct port *p);
void port_close(struct port *p);

/* What the driver counted since port_take(). */
void port_losses_get(struct port *p, struct port_losses *ret);

/* True when the link is up; *ret_mbps: its speed, 0: unknown. */
bool port_link(const struct port *p, uint32_t *ret_mbps);

/* Let the TAP's carrier be the link's. */
void port_follow_link(struct port *p);

/* Largest frame that can be sent, bytes. */
uint32_t port_tx_max(const struct port *p);

#endif
