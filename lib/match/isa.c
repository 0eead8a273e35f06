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
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2"))
		return ISA_AVX512;
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
	} names[] = {{"c", ISA_C}, {"avx2", ISA_AVX2}, {"avx512", ISA_AVX512}};
	const char *name = getenv("SLUICE_ISA");

	for (size_t i = 0; name != NULL && i < DIM(names); i++)
		if (strcmp(name, names[i].name) == 0)
			return names[i].isa;
	return ISA_AVX512;
}

/* What @isa comes to on this processor. */
static enum isa
settle(enum isa isa)
{
	if (isa == ISA_AUTO)
		isa = wanted();
	return MIN(isa, best());
}

hash_probe_fn
isa_hash_probe(enum isa isa)
{
	isa = settle(isa);
#if defined(__x86_64__)
	if (isa == ISA_AVX512)
		return hash_probe_avx512;
	if (isa == ISA_AVX2)
		return hash_probe_avx2;
#endif
	return hash_probe_c;
}

hash_steps_fn
isa_hash_steps(enum isa isa)
{
	isa = settle(isa);
#if defined(__x86_64__)
	if (isa == ISA_AVX512)
		return hash_steps_avx512;
	if (isa == ISA_AVX2)
		return hash_steps_avx2;
#endif
	return hash_steps_c;
}

bits_probe_fn
isa_bits_probe(enum isa isa)
{
	isa = settle(isa);
#if defined(__x86_64__)
	if (isa == ISA_AVX512)
		return bits_probe_avx512;
	if (isa == ISA_AVX2)
		return bits_probe_avx2;
#endif
	return bits_probe_c;
}

tuple_probe_fn
isa_tuple_probe(enum isa isa)
{
	isa = settle(isa);
#if defined(__x86_64__)
	if (isa == ISA_AVX512)
		return tuple_probe_avx512;
	if (isa == ISA_AVX2)
		return tuple_probe_avx2;
#endif
	return tuple_probe_c;
}

list_probe_fn
isa_list_probe(enum isa isa)
{
	isa = settle(isa);
#if defined(__x86_64__)
	if (isa == ISA_AVX512)
		return list_probe_avx512;
	if (isa == ISA_AVX2)
		return list_probe_avx2;
#endif
	return list_probe_c;
}
