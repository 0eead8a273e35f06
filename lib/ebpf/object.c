// SPDX-License-Identifier: BSD-3-Clause
/* What goes into an object file is collected and checked here; elf.c and btf.c write it. */
#include "ebpf/object.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "base/vec.h"
#include "object_impl.h"

#define MAP_NAME_MAX 15 /* bytes that the kernel keeps */
#define NAME_MAX_BYTES 63

const char *const object_data_names[2] = {".rodata", ".data"};

int
ebpf_object_new(struct ebpf_object **ret_obj)
{
	struct ebpf_object *obj = mem_zalloc(sizeof(*obj));

	if (obj == NULL)
		return -ENOMEM;
	*ret_obj = obj;
	return 0;
}

void
ebpf_object_free(struct ebpf_object *obj)
{
	if (obj == NULL)
		return;
	for (size_t i = 0; i < DIM(obj->data); i++) {
		mem_free(obj->data[i].vars.v);
		sbuf_fini(&obj->data[i].bytes);
	}
	mem_free(obj->maps.v);
	mem_free(obj->progs.v);
	mem_free(obj->slots.v);
	arena_fini(&obj->mem);
	mem_free(obj);
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_identifier(const char *s, size_t max)
{
	size_t n = 1;

	if (!is_letter(s[0]))
		return false;
	for (; s[n] != '\0'; n++)
		if (!is_letter(s[n]) && !(s[n] >= '0' && s[n] <= '9'))
			return false;
	return n <= max;
}

/* Names of maps, variables and programs are symbols of one file. */
static bool
is_taken(const struct ebpf_object *obj, const char *name)
{
	for (size_t i = 0; i < obj->maps.n; i++)
		if (strcmp(obj->maps.v[i].def.name, name) == 0)
			return true;
	for (size_t i = 0; i < obj->progs.n; i++)
		if (strcmp(obj->progs.v[i].name, name) == 0)
			return true;
	for (size_t s = 0; s < DIM(obj->data); s++)
		for (size_t i = 0; i < obj->data[s].vars.n; i++)
			if (strcmp(obj->data[s].vars.v[i].name, name) == 0)
				return true;
	return false;
}

static int
check_name(const struct ebpf_object *obj, const char *name, size_t max, struct diag *diag)
{
	if (!is_identifier(name, max))
		return diag_fail(diag, -EINVAL,
			"expected a name of letters, digits and _, at most %zu bytes, got '%.80s'",
			max, name);
	if (is_taken(obj, name))
		return diag_fail(diag, -EEXIST, "there are two things of the name '%s'", name);
	return 0;
}

/* The fields must add up to the value. */
static int
check_fields(const struct ebpf_map *map, size_t *ret_n, struct diag *diag)
{
	uint32_t bytes = 0;
	size_t n = 0;

	for (; map->fields[n].name != NULL; n++) {
		uint32_t size = map->fields[n].bytes;

		if (size != 1 && size != 2 && size != 4 && size != 8)
			return diag_fail(
				diag, -EINVAL, "map '%s': a field of %u bytes", map->name, size);
		if (bytes % size != 0)
			return diag_fail(diag, -EINVAL, "map '%s': field '%s' is not aligned",
				map->name, map->fields[n].name);
		bytes += size;
	}
	if (bytes != map->value_bytes)
		return diag_fail(diag, -EINVAL, "map '%s': its fields have %u bytes, its values %u",
			map->name, bytes, map->value_bytes);
	*ret_n = n;
	return 0;
}

static const struct ebpf_field *
copy_fields(struct ebpf_object *obj, const struct ebpf_field *fields, size_t n)
{
	struct ebpf_field *copy = arena_zalloc(&obj->mem, (n + 1) * sizeof(*copy));

	for (size_t i = 0; copy != NULL && i < n; i++) {
		copy[i].bytes = fields[i].bytes;
		copy[i].name = arena_strndup(&obj->mem, fields[i].name, strlen(fields[i].name));
		if (copy[i].name == NULL)
			return NULL;
	}
	return copy;
}

int
ebpf_object_map(
	struct ebpf_object *obj, const struct ebpf_map *map, uint32_t *ret_index, struct diag *diag)
{
	struct object_map *slot, m = {.def = *map};
	size_t n = 0;
	int r = check_name(obj, map->name, MAP_NAME_MAX, diag);

	if (r == 0 && map->fields != NULL)
		r = check_fields(map, &n, diag);
	if (r < 0)
		return r;
	m.def.name = arena_strndup(&obj->mem, map->name, strlen(map->name));
	if (map->fields != NULL)
		m.def.fields = copy_fields(obj, map->fields, n);
	slot = vec_push(&obj->maps);
	if (m.def.name == NULL || (map->fields != NULL && m.def.fields == NULL) || slot == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	*slot = m;
	*ret_index = (uint32_t)(obj->maps.n - 1);
	return 0;
}

int
ebpf_object_data(struct ebpf_object *obj, enum ebpf_section section, const char *name,
	const void *bytes, uint32_t n, uint32_t *ret_off, struct diag *diag)
{
	static const char zeros[DATA_ALIGN];
	struct object_data *d = &obj->data[section];
	struct object_var *var;
	char *copy;
	int r = check_name(obj, name, NAME_MAX_BYTES, diag);

	if (r < 0)
		return r;
	if (n == 0)
		return diag_fail(diag, -EINVAL, "variable '%s' has no bytes", name);
	copy = arena_strndup(&obj->mem, name, strlen(name));
	sbuf_add(&d->bytes, zeros, -d->bytes.len % DATA_ALIGN);
	var = copy != NULL ? vec_push(&d->vars) : NULL;
	if (var == NULL || !sbuf_ok(&d->bytes))
		return diag_fail(diag, -ENOMEM, "out of memory");
	*var = (struct object_var){copy, (uint32_t)d->bytes.len, n};
	sbuf_add(&d->bytes, bytes, n);
	if (!sbuf_ok(&d->bytes))
		return diag_fail(diag, -ENOMEM, "out of memory");
	*ret_off = var->off;
	return 0;
}

static void *
copy_of(struct ebpf_object *obj, const void *p, size_t n)
{
	void *copy = arena_zalloc(&obj->mem, n > 0 ? n : 1);

	if (copy != NULL && n > 0)
		memcpy(copy, p, n);
	return copy;
}

/* Where a program ends up in its section. */
static uint32_t
section_bytes(const struct ebpf_object *obj, const char *section)
{
	size_t n = 0;

	for (size_t i = 0; i < obj->progs.n; i++)
		if (strcmp(obj->progs.v[i].section, section) == 0)
			n += obj->progs.v[i].n;
	return (uint32_t)(n * sizeof(struct ebpf_insn));
}

int
ebpf_object_prog(struct ebpf_object *obj, const char *section, const char *name,
	const struct ebpf_asm *a, struct diag *diag)
{
	struct object_prog *slot, p = {.n = a->insns.n, .n_refs = a->refs.n};
	int r = check_name(obj, name, NAME_MAX_BYTES, diag);

	if (r < 0)
		return r;
	if (!a->finished || section[0] == '\0' || section[0] == '.')
		return diag_fail(diag, a->err != 0 ? a->err : -EINVAL,
			"program '%s' is not ready for section '%s'", name, section);
	p.section = arena_strndup(&obj->mem, section, strlen(section));
	p.name = arena_strndup(&obj->mem, name, strlen(name));
	p.insns = copy_of(obj, a->insns.v, p.n * sizeof(*p.insns));
	p.refs = copy_of(obj, a->refs.v, p.n_refs * sizeof(*p.refs));
	if (p.section == NULL || p.name == NULL || p.insns == NULL || p.refs == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	p.off = section_bytes(obj, section);
	slot = vec_push(&obj->progs);
	if (slot == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	*slot = p;
	return 0;
}

int
ebpf_object_map_prog(
	struct ebpf_object *obj, uint32_t map, uint32_t slot, const char *prog, struct diag *diag)
{
	struct object_slot *s;
	char *name;

	if (map >= obj->maps.n || obj->maps.v[map].def.type != EBPF_MAP_PROG_ARRAY ||
		slot >= obj->maps.v[map].def.max_entries)
		return diag_fail(diag, -EINVAL, "slot %u is in no array of programs", slot);
	name = arena_strndup(&obj->mem, prog, strlen(prog));
	s = name != NULL ? vec_push(&obj->slots) : NULL;
	if (s == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	*s = (struct object_slot){map, slot, name};
	obj->maps.v[map].slots = MAX(obj->maps.v[map].slots, slot + 1);
	return 0;
}

const char *
object_section(const struct ebpf_object *obj, size_t i)
{
	for (size_t p = 0; p < obj->progs.n; p++) {
		const char *name = obj->progs.v[p].section;
		bool first = true;

		for (size_t q = 0; q < p && first; q++)
			first = strcmp(obj->progs.v[q].section, name) != 0;
		if (first && i-- == 0)
			return name;
	}
	return NULL;
}
