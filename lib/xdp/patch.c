// SPDX-License-Identifier: BSD-3-Clause
/* Constants of an object that may be changed before it is loaded. */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/parse.h"
#include "ebpf/object.h"
#include "plan.h"

#define NEAR_MAX 256 /* names that are compared for "did you mean" */
#define SAMPLE_NUMBERS 3

static int
find(void *file, size_t n, const char *name, uint8_t **ret, size_t *ret_n)
{
	size_t off;

	if (ebpf_file_find(file, n, name, &off, ret_n) < 0)
		return -EINVAL;
	*ret = (uint8_t *)file + off;
	return 0;
}

/* @n texts of @bytes each end within their room. */
static bool
are_texts(const char *texts, size_t n, size_t bytes)
{
	for (size_t i = 0; i < n; i++)
		if (memchr(texts + i * bytes, '\0', bytes) == NULL)
			return false;
	return true;
}

/* They are printed, as JSON, too; an object may come from anywhere. */
static bool
are_names(const char *names, size_t n)
{
	static const char in_names[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789._-";

	for (size_t i = 0; i < n; i++) {
		const char *name = names + i * XDP_NAME_BYTES;

		if (name[strspn(name, in_names)] != '\0')
			return false;
	}
	return true;
}

int
xdp_object_open(void *file, size_t n, struct xdp_object *ret, struct diag *diag)
{
	struct xdp_object o = {0};
	size_t names = 0, where = 0, sample = 0, samples;
	uint8_t *p_names = NULL, *p_where = NULL, *p_samples;

	if (find(file, n, "sluice_on", &o.on, &o.n) < 0 || o.n == 0 ||
		find(file, n, "sluice_names", &p_names, &names) < 0 ||
		find(file, n, "sluice_where", &p_where, &where) < 0 ||
		find(file, n, "sluice_sample", &o.sample, &sample) < 0 ||
		names != o.n * XDP_NAME_BYTES || where == 0 || where % o.n != 0 ||
		sample != SAMPLE_NUMBERS * sizeof(uint32_t))
		return diag_fail(
			diag, -EINVAL, "expected an object made by sluice xdp, or from its C");
	o.names = (const char *)p_names;
	o.where = (const char *)p_where;
	o.where_bytes = where / o.n;
	o.sampling = find(file, n, "sluice_samples", &p_samples, &samples) == 0;
	if (!are_texts(o.names, o.n, XDP_NAME_BYTES) || !are_names(o.names, o.n) ||
		!are_texts(o.where, o.n, o.where_bytes))
		return diag_fail(diag, -EINVAL, "the names in the object are damaged");
	*ret = o;
	return 0;
}

const char *
xdp_object_name(const struct xdp_object *o, size_t slot)
{
	return o->names + slot * XDP_NAME_BYTES;
}

const char *
xdp_object_where(const struct xdp_object *o, size_t slot)
{
	return o->where + slot * o->where_bytes;
}

int
xdp_object_enable(struct xdp_object *o, const char *name, bool on, struct diag *diag)
{
	const char *names[NEAR_MAX], *near;
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++) {
		if (strcmp(xdp_object_name(o, i), name) == 0) {
			o->on[i] =
				(uint8_t)((o->on[i] & ~XDP_ON_ENABLED) | (on ? XDP_ON_ENABLED : 0));
			return 0;
		}
		if (n < NEAR_MAX)
			names[n++] = xdp_object_name(o, i);
	}
	near = parse_nearest(name, names, n);
	if (near != NULL)
		return diag_fail(
			diag, -ENOENT, "there is no rule '%.60s'; did you mean '%s'?", name, near);
	return diag_fail(diag, -ENOENT, "there is no rule '%.60s'", name);
}

static bool
has_place(const char *list, const char *location)
{
	const size_t want = strlen(location);
	const char *piece;
	size_t len;

	if (list[0] == '\0')
		return true;
	while (parse_next(&list, ',', &piece, &len))
		if (len == want && memcmp(piece, location, len) == 0)
			return true;
	return false;
}

void
xdp_object_move(struct xdp_object *o, const char *location)
{
	for (size_t i = 0; i < o->n; i++)
		o->on[i] = (uint8_t)((o->on[i] & ~XDP_ON_HERE) |
			(has_place(xdp_object_where(o, i), location) ? XDP_ON_HERE : 0));
}

void
xdp_object_sample(struct xdp_object *o, uint32_t one_in, uint32_t snaplen)
{
	const uint32_t v[SAMPLE_NUMBERS] = {one_in, snaplen, plan_sample_max(one_in)};

	memcpy(o->sample, v, sizeof(v));
}
