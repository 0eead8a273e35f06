/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTL_CONF_H
#define CTL_CONF_H

/*
 * The daemon's configuration, all but rules and sets: the key table and its
 * values, defaults filled in, checked whole. Immutable once loaded; any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ini.h"

struct diag;
struct ip_addr;
struct sbuf;

enum ctl_exception { CTL_EXC_NONE, CTL_EXC_TAP, CTL_EXC_VIRTIO_USER, CTL_EXC_PORT };

/* One [port NAME]. */
struct ctl_port {
	const char *name;
	const char *device; /* PCI address or vdev with arguments */
	uint16_t queues; /* 1..64 */
	const uint16_t *lcores; /* CPU numbers, one per queue (n_lcores == queues), may repeat */
	size_t n_lcores; /* 0: chosen at start */
	enum ctl_exception exception;
	const char *exception_name; /* TAP, or the other port's name */
	const char *exception_netns; /* network namespace of the TAP, "" is the daemon's own */
	uint32_t mtu; /* bytes */
	uint32_t rx_ring, tx_ring; /* descriptors; 0: the driver's choice */
	bool promiscuous, multicast, takeover;
	uint64_t policer_pps; /* of the exception path; 0: none */
	uint32_t policer_burst; /* packets; 0: 10 ms of policer_pps */
	const char *file;
	unsigned int line;
};

struct ctl_sink {
	const char *name;
	const char *file;
	uint64_t rotate_bytes; /* 0: never */
	uint32_t keep;
	bool comments;
	const char *config_file; /* where the section stands */
	unsigned int line;
};

/* [gate]: when an attack has begun or ended, per destination unless said otherwise. */
struct ctl_gate {
	uint64_t on_pps, off_pps;
	uint64_t total_on_pps, prefix_on_pps; /* 0: not asked */
	uint64_t hold_ms;
};

struct ctl_conf {
	const char *node_name, *location;
	const char *state_dir; /* for what outlives a restart */
	const struct ctl_port *ports;
	size_t n_ports;
	uint32_t sample_one_in; /* 0: off */
	uint32_t sample_snaplen; /* bytes */
	const struct ctl_sink *sinks;
	size_t n_sinks;
	bool vital;
	bool gtsm;
	const struct ip_addr *peers;
	size_t n_peers;
	uint32_t vital_pps; /* bucket of each vital class, packets/s; 0: no limit */
	struct ctl_gate gate;
	const char *control_socket;
	const char *http; /* always "": not in this version */
	const char *user; /* to run as after start; "" stays */
	/* [eal] */
	enum { CTL_HUGE_AUTO, CTL_HUGE_YES, CTL_HUGE_NO } hugepages;
	uint32_t memory_mib; /* 0: by need */
	uint16_t main_lcore; /* CPU of the control thread */
	bool main_lcore_set;
};

/*
 * Take every section but [rule] and [set] (whose names are only checked to be
 * known). Unknown sections and keys are refused with the nearest known name.
 * Returns 0, -EINVAL with file and line, -ENOMEM.
 */
int ctl_conf_load(const struct ini_doc *doc, struct ctl_conf **ret_conf, struct diag *diag);
void ctl_conf_free(struct ctl_conf *conf);

/*
 * What must not change at run time differs between @a and @b: the keys, comma
 * separated, in @diag; -EBUSY. Else 0.
 */
int ctl_conf_needs_restart(const struct ctl_conf *a, const struct ctl_conf *b, struct diag *diag);

/* The key table; *@ret_n rows. */
const struct ini_key *ctl_conf_keys(size_t *ret_n);

/* What has to be said of row @i besides: "", or sentences for the man page. */
const char *ctl_conf_key_note(size_t i);

/* The kinds of sections, those of lib/rules included, in the order of the file. */
struct ctl_section {
	const char *kind;
	bool named; /* [kind NAME], any number of them */
	const char *help; /* one sentence, full stop included */
};
const struct ctl_section *ctl_conf_sections(size_t *ret_n);

/*
 * Append a configuration file with every key, its help, type and default as
 * comments. What has to be looked at is set, all else commented out; the file
 * loads as it is.
 *
 * @rule_keys:	the keys of [set] and [rule], @n of them (lib/rules)
 */
void ctl_conf_print(const struct ini_key *rule_keys, size_t n, struct sbuf *out);

#endif
