// SPDX-License-Identifier: BSD-3-Clause
/* Which kernels this processor can run. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "index.h"

static enum isa
best(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd") &&
		__builtin_cpu_supports("bmi2"))
		return __builtin_cpu_supports("avx512vbmi") ? ISA_VBMI : ISA_AVX512;
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
		return ISA_AVX2;
#endif
	return ISA_C;
}

static enum isa
wanted(void)
{
	static const struct {
		const char *name;
		enum isa isa;
	} names[] = {{"c", ISA_C}, {"avx2", ISA_AVX2}, {"avx512", ISA_AVX512}, {"vbmi", ISA_VBMI}};
	const char *name = getenv("SLUICE_ISA");

	for (size_t i = 0; name != NULL && i < DIM(names); i++)
		if (strcmp(name, names[i].name) == 0)
			return names[i].isa;
	return ISA_VBMI;
}

/* What @isa comes to on this processor. */
static enum isa
settle(enum isa isa)
{
	if (isa == ISA_AUTO)
		isa = wanted();
	return MIN(isa, best());
}

/* What machine code may use where nothing is known of the processor. */
#if defined(__x86_64__)
#define VECTORS_C CBPF_VECTORS_SSE2
#else
#define VECTORS_C CBPF_VECTORS_NONE
#endif

#define KERNELS_AVX512(ends) \
	{ \
		place_frames_avx512, place_windows_avx512, straight_avx512, masks_tests_avx512, \
			masks_above_avx512, hash_probe_avx512, hash_steps_avx512, ends, \
			bits_probe_avx512, tuple_probe_avx512, tuple_straight_avx512, \
			list_probe_avx512, CBPF_VECTORS_AVX512, sieve_avx512, \
			.names = names_avx512, .look_up = 2, .lanes_cost = 20, .exact_min = 1, \
			.fan_keys = FAN_KEYS \
	}

/* A row for each kind of processor; one that others do not have is not asked for there. */
static const struct isa_kernels kernels[] = {
	[ISA_C] = {place_frames_c, place_windows_c, straight_c, masks_tests_c, masks_above_c,
		hash_probe_c, hash_steps_c, ends_c, bits_probe_c, tuple_probe_c, tuple_straight_c,
		list_probe_c, VECTORS_C, .look_up = 7, .lanes_cost = 53, .exact_min = 3,
		.fan_keys = 0},
#if defined(__x86_64__)
	[ISA_AVX2] = {place_frames_avx2, place_windows_avx2, straight_avx2, masks_tests_avx2,
		masks_above_avx2, hash_probe_avx2, hash_steps_avx2, ends_avx2, bits_probe_avx2,
		tuple_probe_avx2, tuple_straight_avx2, list_probe_avx2, CBPF_VECTORS_AVX2,
		.look_up = 4, .lanes_cost = 35, .exact_min = 1, .fan_keys = FAN_KEYS},
	[ISA_AVX512] = KERNELS_AVX512(ends_avx512),
	[ISA_VBMI] = KERNELS_AVX512(ends_vbmi),
#endif
};

const struct isa_kernels *
isa_kernels(enum isa isa)
{
	return &kernels[settle(isa)];
}
