// SPDX-License-Identifier: BSD-3-Clause
/*
 * Counters as bpftool prints them: an array of keys, each with the value on each
 * CPU. The bytes are there with and without BTF, so that is what is read.
 */
#include "xdp_counters.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli.h"
#include "xdp/xdp.h"

#define INPUT_MAX (UINT32_C(1) << 30) /* bytes */

static const char *const columns[] = {
	"packets", "bytes", "dropped", "would_drop", "would_drop_passed", "protected"};

/* The little-endian number of @n bytes at @from in an array of "0xNN". */
static int
number_at(const json_t *bytes, size_t from, size_t n, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(bytes, from + i));
		uint32_t byte;

		if (text == NULL || parse_u32(text, 0, UINT8_MAX, &byte, NULL) < 0)
			return -EINVAL;
		v |= (uint64_t)byte << 8 * i;
	}
	*ret = v;
	return 0;
}

/* Add one key's values, CPU by CPU, to @sums. */
static int
add_entry(const json_t *entry, uint64_t (*sums)[DIM(columns)], size_t n)
{
	const json_t *values = json_object_get(entry, "values");
	uint64_t slot, v;

	if (number_at(json_object_get(entry, "key"), 0, 4, &slot) < 0 || !json_is_array(values))
		return -EINVAL;
	if (slot >= n)
		return -ERANGE;
	for (size_t cpu = 0; cpu < json_array_size(values); cpu++) {
		const json_t *bytes = json_object_get(json_array_get(values, cpu), "value");

		for (size_t c = 0; c < DIM(columns); c++) {
			if (number_at(bytes, 8 * c, 8, &v) < 0)
				return -EINVAL;
			sums[slot][c] += v;
		}
	}
	return 0;
}

static int
read_counters(uint64_t (*sums)[DIM(columns)], size_t n)
{
	struct diag diag = {0};
	char *text = NULL;
	size_t len = 0;
	json_t *root;
	int r = file_read("-", INPUT_MAX, &text, &len, &diag);

	if (r < 0)
		return cli_fail(CLI_FAILED, "standard input: %s", diag.msg);
	root = json_loadb(text, len, 0, NULL);
	mem_free(text);
	r = json_is_array(root) ? 0 : -EINVAL;
	for (size_t i = 0; r == 0 && i < json_array_size(root); i++)
		r = add_entry(json_array_get(root, i), sums, n);
	json_decref(root);
	if (r == -ERANGE)
		return cli_fail(CLI_USAGE,
			"the map has more slots than the object: is it another object's?");
	if (r < 0)
		return cli_fail(CLI_USAGE,
			"standard input: expected the output of bpftool -j map dump, of sluice_counters");
	return CLI_DONE;
}

static void
print_json(const struct xdp_object *o, uint64_t (*sums)[DIM(columns)])
{
	const char *sep = "";

	printf("{\"rules\":{");
	for (size_t i = 0; i < o->n && xdp_object_name(o, i)[0] != '\0'; i++) {
		printf("%s\"%s\":{", sep, xdp_object_name(o, i));
		for (size_t c = 0; c < DIM(columns); c++)
			printf("%s\"%s\":%" PRIu64, c > 0 ? "," : "", columns[c], sums[i][c]);
		printf("}");
		sep = ",";
	}
	printf("}}\n");
}

static void
print_table(const struct xdp_object *o, uint64_t (*sums)[DIM(columns)])
{
	printf("%-40s", "RULE");
	for (size_t c = 0; c < DIM(columns); c++)
		printf("  %17s", columns[c]);
	printf("\n");
	for (size_t i = 0; i < o->n && xdp_object_name(o, i)[0] != '\0'; i++) {
		printf("%-40s", xdp_object_name(o, i));
		for (size_t c = 0; c < DIM(columns); c++)
			printf("  %17" PRIu64, sums[i][c]);
		printf("\n");
	}
}

int
xdp_counters_print(const struct xdp_object *o, bool json)
{
	uint64_t(*sums)[DIM(columns)] = mem_calloc(o->n, sizeof(*sums));
	int status;

	if (sums == NULL)
		return cli_fail(CLI_FAILED, "out of memory");
	status = read_counters(sums, o->n);
	if (status == CLI_DONE && json)
		print_json(o, sums);
	else if (status == CLI_DONE)
		print_table(o, sums);
	mem_free(sums);
	return status;
}
