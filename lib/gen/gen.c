// SPDX-License-Identifier: BSD-3-Clause
#include "gen/gen.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/util.h"
#include "gen_priv.h"

/* In the order of the help. */
static const struct gen_type *const types[] = {
	&gen_dns,
	&gen_dns_validate,
	&gen_p0f,
	&gen_payload,
	&gen_suffix,
	&gen_syn_validate,
	&gen_ntp,
	&gen_ssdp,
	&gen_sip,
	&gen_cldap,
	&gen_memcached,
	&gen_tcpdump,
	&gen_u32,
};

static int
unknown(const char *type, struct diag *diag)
{
	const char *names[DIM(types)];
	const char *near;

	for (size_t i = 0; i < DIM(types); i++)
		names[i] = types[i]->name;
	near = parse_nearest(type, names, DIM(types));
	if (near == NULL)
		return diag_fail(diag, -ENOENT, "there is no generator '%.40s'", type);
	return diag_fail(
		diag, -ENOENT, "there is no generator '%.40s'; did you mean '%s'?", type, near);
}

int
gen_run(const char *type, const struct gen_opts *opts, int argc, const char *const *argv,
	struct gen_out *ret_out, struct diag *diag)
{
	struct gen_out out = {0};
	int r;

	for (size_t i = 0; i < DIM(types); i++) {
		if (strcmp(types[i]->name, type) != 0)
			continue;
		if (opts->family != 4 && opts->family != 6)
			return diag_fail(diag, -EINVAL, "a program is for family 4 or 6");
		if (opts->extensions && opts->family != 6)
			return diag_fail(diag, -EINVAL, "only IPv6 has extension headers");
		if (opts->extensions && !types[i]->extensions)
			return diag_fail(
				diag, -EINVAL, "%s does not look behind extension headers", type);
		r = types[i]->run(opts, argc, argv, &out, diag);
		if (r < 0)
			gen_out_fini(&out);
		else
			*ret_out = out;
		return r;
	}
	return unknown(type, diag);
}

void
gen_out_fini(struct gen_out *out)
{
	mem_free(out->insns);
	mem_free(out->text);
	*out = (struct gen_out){0};
}

const char *
gen_name(size_t i)
{
	return i < DIM(types) ? types[i]->name : NULL;
}

const char *
gen_help(size_t i)
{
	return i < DIM(types) ? types[i]->help : NULL;
}

const char *
gen_usage(size_t i)
{
	return i < DIM(types) ? types[i]->usage : NULL;
}
