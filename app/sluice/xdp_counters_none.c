// SPDX-License-Identifier: BSD-3-Clause
/* Counters of a build without jansson: it says so. */
#include "cli.h"
#include "xdp_counters.h"

int
xdp_counters_print(const struct xdp_object *o, bool json)
{
	(void)o;
	(void)json;
	return cli_fail(CLI_FAILED, "built without jansson, which --counters needs");
}
