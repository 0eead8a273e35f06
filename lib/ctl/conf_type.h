/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTL_CONF_TYPE_H
#define CTL_CONF_TYPE_H

/* Types of configuration values: text to field, and field against field (private to lib/ctl). */

#include <stdbool.h>

#include "base/mem.h"
#include "ctl/conf.h"

struct diag;

struct conf_type {
	/*
	 * Parse @text into the field at @at. Memory comes from @arena.
	 *
	 * @key:	its range, if it has one, is written as values of this type
	 *
	 * Returns 0, -EINVAL or -ERANGE with the sentence in @why, -ENOMEM.
	 */
	int (*set)(const struct ini_key *key, const char *text, void *at, struct arena *arena,
		struct diag *why);
	bool (*equal)(const void *a, const void *b);
};

/* Types of one field: @at is its address. */
extern const struct conf_type conf_str, conf_bool, conf_u16, conf_u32, conf_one_in, conf_size,
	conf_rate, conf_rate32, conf_duration, conf_http, conf_huge, conf_mib;

/* A port while it is read; @at of the types below is its address. */
struct conf_port {
	struct ctl_port pub;
	bool promiscuous_auto;
};
extern const struct conf_type conf_mode, conf_device, conf_exception, conf_netns, conf_lcores,
	conf_promiscuous;

/* @at is the struct ctl_sink, or the struct ctl_conf. */
extern const struct conf_type conf_sink_type;
extern const struct conf_type conf_peers, conf_main_lcore;

#endif
