// SPDX-License-Identifier: BSD-3-Clause
#include "loader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define CPUS_MAX 512
#define NUMBERS_MAX 16
#define FRAME_MAX 4096

struct loaded {
	struct bpf_object *obj;
	int prog;
};

static __attribute__((format(printf, 2, 0))) int
print_warnings(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

bool
loader_allowed(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "sluice_try", 4, 8, 1, NULL);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

struct loaded *
loaded_new(const char *path)
{
	struct loaded *l = calloc(1, sizeof(*l));
	struct bpf_program *prog;

	(void)libbpf_set_print(print_warnings);
	l->obj = bpf_object__open_file(path, NULL);
	if (l->obj != NULL && bpf_object__load(l->obj) == 0) {
		prog = bpf_object__find_program_by_name(l->obj, "sluice_xdp");
		if (prog != NULL) {
			l->prog = bpf_program__fd(prog);
			return l;
		}
	}
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	loaded_free(l);
	return NULL;
}

void
loaded_free(struct loaded *l)
{
	if (l == NULL)
		return;
	bpf_object__close(l->obj);
	free(l);
}

uint32_t
loaded_walked(const struct loaded *l)
{
	struct bpf_program *p;
	uint32_t sum = 0;

	bpf_object__for_each_program(p, l->obj)
	{
		struct bpf_prog_info info = {0};
		uint32_t n = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &n) == 0)
			sum += info.verified_insns;
	}
	return sum;
}

uint32_t
loaded_size(const struct loaded *l)
{
	struct bpf_program *p;
	uint32_t sum = 0;

	bpf_object__for_each_program(p, l->obj) sum += (uint32_t)bpf_program__insn_cnt(p);
	return sum;
}

int
loaded_run(struct loaded *l, const uint8_t *frame, uint32_t len, bool *ret_same)
{
	uint8_t out[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .data_out = out,
		.data_size_out = sizeof(out), .repeat = 1);

	if (bpf_prog_test_run_opts(l->prog, &opts) != 0) {
		fprintf(stderr, "test_run of %u bytes: %s\n", len, strerror(errno));
		return -1;
	}
	*ret_same = opts.data_size_out == len && memcmp(out, frame, len) == 0;
	return (int)opts.retval;
}

int
loaded_map(struct loaded *l, const char *name)
{
	return bpf_object__find_map_fd_by_name(l->obj, name);
}

bool
loaded_read(struct loaded *l, const char *name, uint32_t slot, uint64_t *ret, size_t n)
{
	static uint64_t values[CPUS_MAX * NUMBERS_MAX];
	const int cpus = libbpf_num_possible_cpus();

	if (cpus <= 0 || cpus > CPUS_MAX || n > NUMBERS_MAX)
		return false;
	if (bpf_map_lookup_elem(loaded_map(l, name), &slot, values) != 0)
		return false;
	memset(ret, 0, n * sizeof(*ret));
	for (size_t cpu = 0; cpu < (size_t)cpus; cpu++)
		for (size_t i = 0; i < n; i++)
			ret[i] += values[cpu * n + i];
	return true;
}

bool
loaded_write(struct loaded *l, const char *name, uint32_t slot, uint32_t value)
{
	return bpf_map_update_elem(loaded_map(l, name), &slot, &value, BPF_ANY) == 0;
}
