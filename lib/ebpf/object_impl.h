/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EBPF_OBJECT_IMPL_H
#define EBPF_OBJECT_IMPL_H

/* What an object file will consist of, as it was put in. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "ebpf/asm.h"
#include "ebpf/object.h"

#define DATA_ALIGN 8
#define PTR_BYTES 8

/* One map. Its variable in .maps is a struct of pointers, one for each property that it has. */
struct object_map {
	struct ebpf_map def; /* strings and fields are in the object's arena */
	uint32_t off, bytes; /* of the variable; the slots' pointers are behind the properties */
	uint32_t props; /* bytes of the properties */
	uint32_t slots; /* one more than the highest that is filled */
};

struct object_var {
	const char *name;
	uint32_t off, bytes;
};

struct object_data {
	struct {
		struct object_var *v;
		size_t n, cap;
	} vars;
	struct sbuf bytes;
};

struct object_prog {
	const char *section, *name;
	struct ebpf_insn *insns;
	size_t n;
	struct ebpf_ref *refs;
	size_t n_refs;
	uint32_t off; /* in its section */
};

struct object_slot {
	uint32_t map, slot;
	const char *prog;
};

struct ebpf_object {
	struct arena mem;
	struct {
		struct object_map *v;
		size_t n, cap;
	} maps;
	struct {
		struct object_prog *v;
		size_t n, cap;
	} progs;
	struct {
		struct object_slot *v;
		size_t n, cap;
	} slots;
	struct object_data data[2]; /* by enum ebpf_section */
};

extern const char *const object_data_names[2];

/* Sections of programs, in the order in which they were first named. */
const char *object_section(const struct ebpf_object *obj, size_t i);

/* Append the type information: .BTF and .BTF.ext. Failures are the buffers'. */
void object_btf(const struct ebpf_object *obj, struct sbuf *btf, struct sbuf *ext);

/* Bytes of the properties of a map in .maps, without slots. */
uint32_t object_map_props(const struct ebpf_map *def);

#endif
