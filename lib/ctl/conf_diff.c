// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "conf_keys.h"

/* Add "[port edge0] device" for every key of @kind that needs a restart and differs. */
static void
diff_section(const char *kind, const char *name, const void *a, const void *b, struct sbuf *out)
{
	size_t n;
	const struct ini_key *keys = ctl_conf_keys(&n);

	for (size_t i = 0; i < n; i++) {
		const struct conf_field *f = &conf_fields[i];

		if (strcmp(keys[i].section, kind) != 0 || !f->restart ||
			f->type->equal((const char *)a + f->offset, (const char *)b + f->offset))
			continue;
		sbuf_addf(out, "%s[%s%s%s] %s", out->len > 0 ? ", " : "", kind,
			name[0] != '\0' ? " " : "", name, keys[i].key);
	}
}

/* Ports are compared by their place: a port's number is in rules and statistics. */
static void
diff_ports(const struct ctl_conf *a, const struct ctl_conf *b, struct sbuf *out)
{
	const size_t n = a->n_ports > b->n_ports ? a->n_ports : b->n_ports;

	for (size_t i = 0; i < n; i++) {
		const char *sep = out->len > 0 ? ", " : "";
		struct conf_port pa, pb;

		if (i >= a->n_ports) {
			sbuf_addf(out, "%s[port %s] is new", sep, b->ports[i].name);
			continue;
		}
		if (i >= b->n_ports) {
			sbuf_addf(out, "%s[port %s] is gone", sep, a->ports[i].name);
			continue;
		}
		if (strcmp(a->ports[i].name, b->ports[i].name) != 0) {
			sbuf_addf(out, "%s[port %s] is now [port %s]", sep, a->ports[i].name,
				b->ports[i].name);
			continue;
		}
		pa = (struct conf_port){.pub = a->ports[i]};
		pb = (struct conf_port){.pub = b->ports[i]};
		diff_section("port", a->ports[i].name, &pa, &pb, out);
	}
}

int
ctl_conf_needs_restart(const struct ctl_conf *a, const struct ctl_conf *b, struct diag *diag)
{
	static const char *const kinds[] = {"node", "sample", "gate", "protect", "control", "eal"};
	struct sbuf keys = SBUF_INIT;
	int r = 0;

	diff_ports(a, b, &keys);
	for (size_t i = 0; i < DIM(kinds); i++)
		diff_section(kinds[i], "", a, b, &keys);
	if (!sbuf_ok(&keys))
		r = diag_fail(diag, -ENOMEM, "out of memory");
	else if (keys.len > 0)
		r = diag_fail(diag, -EBUSY, "%s", sbuf_str(&keys));
	sbuf_fini(&keys);
	return r;
}
