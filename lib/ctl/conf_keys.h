/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTL_CONF_KEYS_H
#define CTL_CONF_KEYS_H

/* The keys of the configuration, with what the loader needs of them (private to lib/ctl). */

#include <stdbool.h>
#include <stddef.h>

#include "base/ini.h"
#include "conf_type.h"

/* What lies behind row i of ctl_conf_keys(). */
struct conf_field {
	const struct conf_type *type;
	size_t offset; /* bytes, in the struct that the section fills */
	bool restart; /* takes effect only at a start */
	bool needed; /* has no default, must be given */
};

extern const struct conf_field conf_fields[];

#endif
