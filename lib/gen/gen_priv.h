/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GEN_GEN_PRIV_H
#define GEN_GEN_PRIV_H

/* One generator: a row of the table in gen.c, defined in a file of its own. */

#include "gen/gen.h"

struct diag;

struct gen_type {
	const char *name;
	const char *help; /* one imperative sentence, full stop included */
	const char *usage; /* the arguments and what they mean, several lines */
	bool extensions; /* can look behind the extension headers of IPv6 */
	/* As gen_run(); @ret_out is zeroed before, and dropped on failure. */
	int (*run)(const struct gen_opts *opts, int argc, const char *const *argv,
		struct gen_out *ret_out, struct diag *diag);
};

extern const struct gen_type gen_cldap;
extern const struct gen_type gen_dns;
extern const struct gen_type gen_dns_validate;
extern const struct gen_type gen_memcached;
extern const struct gen_type gen_ntp;
extern const struct gen_type gen_p0f;
extern const struct gen_type gen_payload;
extern const struct gen_type gen_sip;
extern const struct gen_type gen_ssdp;
extern const struct gen_type gen_suffix;
extern const struct gen_type gen_syn_validate;
extern const struct gen_type gen_tcpdump;
extern const struct gen_type gen_u32;

/*
 * The link type that libpcap calls @name ("EN10MB", in either case, "DLT_" before it or
 * not). Returns 0, -EINVAL with a sentence that names the nearest.
 */
int gen_link(const char *name, int *ret_dlt, struct diag *diag);

/* What a matching program returns, and what it returns otherwise, under @opts->negate. */
#define GEN_MATCH 65535u

static inline uint32_t
gen_ret(const struct gen_opts *opts, bool match)
{
	return match != opts->negate ? GEN_MATCH : 0;
}

#endif
