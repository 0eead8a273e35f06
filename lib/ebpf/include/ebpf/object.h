/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EBPF_OBJECT_H
#define EBPF_OBJECT_H

/*
 * An object file for libbpf 1.0 and later (bpftool, iproute2, xdp-tools):
 * programs, maps described by BTF, variables with initial values. Licence "Dual
 * BSD/GPL". One thread per object.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;
struct ebpf_asm;
struct ebpf_object;
struct sbuf;

/* Map types; the numbers are the kernel's. */
enum ebpf_map_type {
	EBPF_MAP_HASH = 1,
	EBPF_MAP_ARRAY = 2,
	EBPF_MAP_PROG_ARRAY = 3,
	EBPF_MAP_PERF_EVENT_ARRAY = 4,
	EBPF_MAP_PERCPU_HASH = 5,
	EBPF_MAP_PERCPU_ARRAY = 6,
	EBPF_MAP_LRU_HASH = 9,
	EBPF_MAP_LPM_TRIE = 11,
	EBPF_MAP_RINGBUF = 27,
};

#define EBPF_MAP_NO_PREALLOC 1 /* flag; LPM tries must have it */

/* A part of a map's value: 1, 2, 4 or 8 bytes each, in order, without gaps. */
struct ebpf_field {
	const char *name; /* NULL ends the list */
	uint32_t bytes;
};

struct ebpf_map {
	const char *name; /* a C identifier of at most 15 bytes: the kernel keeps no more */
	enum ebpf_map_type type;
	uint32_t key_bytes; /* 0: this type has none (RINGBUF) */
	uint32_t value_bytes;
	uint32_t max_entries;
	uint32_t flags;
	/*
	 * NULL, or what a value consists of: bpftool then prints it by name. Arrays
	 * and hashes only; a key of 4 bytes is then a number.
	 */
	const struct ebpf_field *fields;
	bool pin_by_name; /* loaders reuse or make one under /sys/fs/bpf (LIBBPF_PIN_BY_NAME) */
};

enum ebpf_section {
	EBPF_RODATA, /* constants: a loader may change them before it loads */
	EBPF_DATA,
};

int ebpf_object_new(struct ebpf_object **ret_obj); /* 0, -ENOMEM */
void ebpf_object_free(struct ebpf_object *obj);

/*
 * Add a map. *@ret_index, counted from 0 in the order they are added, is what
 * ebpf_ld_map() takes. Strings are copied. Returns 0, -EINVAL (name, type,
 * fields that do not add up), -EEXIST for a name that is taken, -ENOMEM.
 */
int ebpf_object_map(struct ebpf_object *obj, const struct ebpf_map *map, uint32_t *ret_index,
	struct diag *diag);

/*
 * Add the variable @name of @n bytes to a section, aligned to 8 and with the
 * value at @bytes. *@ret_off is what ebpf_ld_data() takes. Errors as above.
 */
int ebpf_object_data(struct ebpf_object *obj, enum ebpf_section section, const char *name,
	const void *bytes, uint32_t n, uint32_t *ret_off, struct diag *diag);

/*
 * Add a program: the finished @a, which is copied. Its type comes from
 * @section, by libbpf's names: "socket", "xdp", "xdp/…". Programs of one section
 * stand behind each other. Errors as above, and a's own.
 */
int ebpf_object_prog(struct ebpf_object *obj, const char *section, const char *name,
	const struct ebpf_asm *a, struct diag *diag);

/*
 * Let the loader put program @prog, by name, in slot @slot of the PROG_ARRAY
 * @map. The program may be added later. The kernel
 * empties a PROG_ARRAY when its last descriptor is closed, unless it is pinned:
 * use pin_by_name, or whoever loads must (bpftool's pinmaps). Returns 0, -EINVAL, -ENOMEM.
 */
int ebpf_object_map_prog(
	struct ebpf_object *obj, uint32_t map, uint32_t slot, const char *prog, struct diag *diag);

/* Append the file. Returns 0, -EINVAL for what refers to nothing, -ENOMEM. */
int ebpf_object_write(struct ebpf_object *obj, struct sbuf *out, struct diag *diag);

/*
 * Find the variable @name in an object file (of ours; from anywhere): its value
 * is the *@ret_n bytes at *@ret_off and may be changed in place before loading.
 * Returns 0, -ENOENT, -EINVAL when @file is no such object.
 */
int ebpf_file_find(const void *file, size_t n, const char *name, size_t *ret_off, size_t *ret_n);

#endif
