// SPDX-License-Identifier: BSD-3-Clause
/*
 * The BPF Type Format (Linux Documentation/bpf/btf.rst). libbpf takes from it
 * what maps there are: a map is a variable in .maps whose type is a struct, and
 * a number N in it is spelled as a pointer to an array of N. Types of functions
 * are what libxdp needs to put programs behind its dispatcher.
 */
#include <string.h>

#include "base/util.h"
#include "object_impl.h"

enum {
	KIND_INT = 1,
	KIND_PTR = 2,
	KIND_ARRAY = 3,
	KIND_STRUCT = 4,
	KIND_FWD = 7,
	KIND_FUNC = 12,
	KIND_FUNC_PROTO = 13,
	KIND_VAR = 14,
	KIND_DATASEC = 15,
};

enum {
	BTF_MAGIC = 0xeb9f,
	BTF_VERSION = 1,
	BTF_HEADER = 24,
	EXT_HEADER = 24,
	FUNC_RECORD = 8,
	LINE_RECORD = 16
};
enum { LINKAGE_GLOBAL = 1, PIN_BY_NAME = 1, INT_SIGNED = 1 << 24 };
enum { XDP_MD_FIELDS = 6 };

struct btf {
	struct sbuf types, strings;
	uint32_t n; /* types so far; the first is 1 */
	uint32_t int_type, u8_type, u16_type, u32_type, u64_type;
};

static void
put16(struct sbuf *b, uint32_t v)
{
	uint16_t le = (uint16_t)v;

	sbuf_add(b, &le, sizeof(le));
}

static void
put32(struct sbuf *b, uint32_t v)
{
	sbuf_add(b, &v, sizeof(v));
}

static uint32_t
string(struct btf *t, const char *s)
{
	uint32_t off = (uint32_t)t->strings.len;

	sbuf_add(&t->strings, s, strlen(s) + 1);
	return off;
}

/* The head of every type; NULL is a type without a name. */
static uint32_t
type(struct btf *t, const char *name, uint32_t kind, uint32_t vlen, uint32_t size_or_type)
{
	put32(&t->types, name != NULL ? string(t, name) : 0);
	put32(&t->types, kind << 24 | vlen);
	put32(&t->types, size_or_type);
	return ++t->n;
}

static uint32_t
type_int(struct btf *t, const char *name, uint32_t bytes, uint32_t encoding)
{
	uint32_t id = type(t, name, KIND_INT, 0, bytes);

	put32(&t->types, encoding | bytes * 8);
	return id;
}

static uint32_t
type_array(struct btf *t, uint32_t of, uint32_t n)
{
	uint32_t id = type(t, NULL, KIND_ARRAY, 0, 0);

	put32(&t->types, of);
	put32(&t->types, t->u32_type);
	put32(&t->types, n);
	return id;
}

static uint32_t
type_ptr(struct btf *t, uint32_t to)
{
	return type(t, NULL, KIND_PTR, 0, to);
}

static void
member(struct btf *t, const char *name, uint32_t of, uint32_t off)
{
	put32(&t->types, string(t, name));
	put32(&t->types, of);
	put32(&t->types, off * 8);
}

static uint32_t
type_of_bytes(struct btf *t, uint32_t n)
{
	switch (n) {
	case 1: return t->u8_type;
	case 2: return t->u16_type;
	case 4: return t->u32_type;
	case 8: return t->u64_type;
	}
	return type_array(t, t->u8_type, n);
}

/* The properties of a map, in the order they stand in its struct. */
struct prop {
	const char *name;
	uint32_t value; /* a number, or a type where is_type */
	bool is_type;
};

enum { PROPS_MAX = 6 };

/* @t NULL: only count. */
static size_t
map_props(const struct ebpf_map *def, struct btf *t, uint32_t value_type, struct prop *props)
{
	const bool typed = def->fields != NULL;
	size_t n = 0;

	props[n++] = (struct prop){"type", def->type, false};
	if (def->max_entries > 0)
		props[n++] = (struct prop){"max_entries", def->max_entries, false};
	if (def->flags != 0)
		props[n++] = (struct prop){"map_flags", def->flags, false};
	if (def->pin_by_name)
		props[n++] = (struct prop){"pinning", PIN_BY_NAME, false};
	if (typed)
		props[n++] = (struct prop){
			"key", t != NULL ? type_of_bytes(t, def->key_bytes) : 0, true};
	else if (def->key_bytes > 0)
		props[n++] = (struct prop){"key_size", def->key_bytes, false};
	if (typed)
		props[n++] = (struct prop){"value", value_type, true};
	else if (def->value_bytes > 0)
		props[n++] = (struct prop){"value_size", def->value_bytes, false};
	return n;
}

uint32_t
object_map_props(const struct ebpf_map *def)
{
	struct prop props[PROPS_MAX];

	return (uint32_t)map_props(def, NULL, 0, props) * PTR_BYTES;
}

static uint32_t
value_struct(struct btf *t, const struct ebpf_field *fields, uint32_t bytes)
{
	uint32_t n = 0, off = 0, id;

	while (fields[n].name != NULL)
		n++;
	id = type(t, NULL, KIND_STRUCT, n, bytes);
	for (uint32_t i = 0; i < n; i++) {
		/* Fields are 1, 2, 4 or 8 bytes: no new type between a struct and its members. */
		member(t, fields[i].name, type_of_bytes(t, fields[i].bytes), off);
		off += fields[i].bytes;
	}
	return id;
}

/* The type of a map's variable. @proto: of the functions in its slots. */
static uint32_t
map_struct(struct btf *t, const struct object_map *m, uint32_t proto)
{
	const struct ebpf_map *def = &m->def;
	struct prop props[PROPS_MAX];
	uint32_t types[PROPS_MAX], slots = 0, id;
	uint32_t value = def->fields != NULL ? value_struct(t, def->fields, def->value_bytes) : 0;
	size_t n = map_props(def, t, value, props);

	for (size_t i = 0; i < n; i++)
		types[i] = type_ptr(t,
			props[i].is_type ? props[i].value
					 : type_array(t, t->int_type, props[i].value));
	if (m->slots > 0)
		slots = type_array(t, type_ptr(t, proto), 0);
	id = type(t, NULL, KIND_STRUCT, (uint32_t)n + (m->slots > 0), m->props);
	for (size_t i = 0; i < n; i++)
		member(t, props[i].name, types[i], (uint32_t)i * PTR_BYTES);
	if (m->slots > 0)
		member(t, "values", slots, m->props);
	return id;
}

static uint32_t
variable(struct btf *t, const char *name, uint32_t of)
{
	uint32_t id = type(t, name, KIND_VAR, 0, of);

	put32(&t->types, LINKAGE_GLOBAL);
	return id;
}

static void
section_var(struct btf *t, uint32_t var, uint32_t off, uint32_t bytes)
{
	put32(&t->types, var);
	put32(&t->types, off);
	put32(&t->types, bytes);
}

/* Variables first, then the section that lists them: their numbers follow each other. */
static void
maps_section(struct btf *t, const struct ebpf_object *obj, uint32_t proto)
{
	const size_t n = obj->maps.n;
	uint32_t *vars = n > 0 ? mem_calloc(n, sizeof(*vars)) : NULL;

	if (vars == NULL) {
		t->types.failed |= n > 0;
		return;
	}
	for (size_t i = 0; i < n; i++)
		vars[i] =
			variable(t, obj->maps.v[i].def.name, map_struct(t, &obj->maps.v[i], proto));
	(void)type(t, ".maps", KIND_DATASEC, (uint32_t)n,
		obj->maps.v[n - 1].off + obj->maps.v[n - 1].bytes);
	for (size_t i = 0; i < n; i++)
		section_var(t, vars[i], obj->maps.v[i].off, obj->maps.v[i].bytes);
	mem_free(vars);
}

static void
data_section(struct btf *t, const struct object_data *d, const char *name)
{
	const size_t n = d->vars.n;
	uint32_t *vars = n > 0 ? mem_calloc(n, sizeof(*vars)) : NULL;

	if (vars == NULL) {
		t->types.failed |= n > 0;
		return;
	}
	for (size_t i = 0; i < n; i++)
		vars[i] = variable(t, d->vars.v[i].name, type_of_bytes(t, d->vars.v[i].bytes));
	(void)type(t, name, KIND_DATASEC, (uint32_t)n, (uint32_t)d->bytes.len);
	for (size_t i = 0; i < n; i++)
		section_var(t, vars[i], d->vars.v[i].off, d->vars.v[i].bytes);
	mem_free(vars);
}

/* int (*)(struct xdp_md *), or of whatever a program of @section is given. */
static uint32_t
prog_proto(struct btf *t, bool xdp)
{
	static const char *const fields[XDP_MD_FIELDS] = {"data", "data_end", "data_meta",
		"ingress_ifindex", "rx_queue_index", "egress_ifindex"};
	uint32_t ctx, id;

	if (xdp) {
		ctx = type(t, "xdp_md", KIND_STRUCT, XDP_MD_FIELDS, 4 * XDP_MD_FIELDS);
		for (uint32_t i = 0; i < XDP_MD_FIELDS; i++)
			member(t, fields[i], t->u32_type, 4 * i);
	} else {
		ctx = type(t, "__sk_buff", KIND_FWD, 0, 0);
	}
	ctx = type_ptr(t, ctx);
	id = type(t, NULL, KIND_FUNC_PROTO, 1, t->int_type);
	put32(&t->types, string(t, "ctx"));
	put32(&t->types, ctx);
	return id;
}

static bool
is_xdp(const char *section)
{
	return strncmp(section, "xdp", 3) == 0;
}

/*
 * Functions, and for each section where they begin; and one "line" for each,
 * without which libbpf warns.
 */
struct ext {
	struct sbuf funcs, lines;
};

static void
function(struct btf *t, const struct object_prog *p, uint32_t proto, struct ext *e)
{
	put32(&e->funcs, p->off);
	put32(&e->funcs, type(t, p->name, KIND_FUNC, LINKAGE_GLOBAL, proto));
	put32(&e->lines, p->off);
	put32(&e->lines, string(t, "sluice"));
	put32(&e->lines, string(t, p->name));
	put32(&e->lines, 0);
}

static void
functions(struct btf *t, const struct ebpf_object *obj, const uint32_t protos[2], struct ext *e)
{
	const char *section;

	put32(&e->funcs, FUNC_RECORD);
	put32(&e->lines, LINE_RECORD);
	for (size_t s = 0; (section = object_section(obj, s)) != NULL; s++) {
		const uint32_t name = string(t, section);
		uint32_t n = 0;

		for (size_t i = 0; i < obj->progs.n; i++)
			n += strcmp(obj->progs.v[i].section, section) == 0;
		put32(&e->funcs, name);
		put32(&e->funcs, n);
		put32(&e->lines, name);
		put32(&e->lines, n);
		for (size_t i = 0; i < obj->progs.n; i++)
			if (strcmp(obj->progs.v[i].section, section) == 0)
				function(t, &obj->progs.v[i], protos[is_xdp(section)], e);
	}
}

static void
header(struct sbuf *out, uint32_t bytes)
{
	put16(out, BTF_MAGIC);
	sbuf_addc(out, BTF_VERSION);
	sbuf_addc(out, 0);
	put32(out, bytes);
}

static void
assemble(struct sbuf *out, const struct btf *t)
{
	header(out, BTF_HEADER);
	put32(out, 0);
	put32(out, (uint32_t)t->types.len);
	put32(out, (uint32_t)t->types.len);
	put32(out, (uint32_t)t->strings.len);
	sbuf_add(out, t->types.s, t->types.len);
	sbuf_add(out, t->strings.s, t->strings.len);
}

static void
assemble_ext(struct sbuf *out, const struct ext *e)
{
	header(out, EXT_HEADER);
	put32(out, 0);
	put32(out, (uint32_t)e->funcs.len);
	put32(out, (uint32_t)e->funcs.len);
	put32(out, (uint32_t)e->lines.len);
	sbuf_add(out, e->funcs.s, e->funcs.len);
	sbuf_add(out, e->lines.s, e->lines.len);
}

void
object_btf(const struct ebpf_object *obj, struct sbuf *btf, struct sbuf *ext)
{
	struct btf t = {.types = SBUF_INIT, .strings = SBUF_INIT};
	struct ext e = {.funcs = SBUF_INIT, .lines = SBUF_INIT};
	uint32_t protos[2];

	(void)string(&t, "");
	t.int_type = type_int(&t, "int", 4, INT_SIGNED);
	t.u8_type = type_int(&t, "unsigned char", 1, 0);
	t.u16_type = type_int(&t, "unsigned short", 2, 0);
	t.u32_type = type_int(&t, "unsigned int", 4, 0);
	t.u64_type = type_int(&t, "unsigned long long", 8, 0);
	protos[0] = prog_proto(&t, false);
	protos[1] = prog_proto(&t, true);
	functions(&t, obj, protos, &e);
	maps_section(&t, obj, protos[1]);
	for (size_t i = 0; i < DIM(obj->data); i++)
		data_section(&t, &obj->data[i], object_data_names[i]);
	if (sbuf_ok(&t.types) && sbuf_ok(&t.strings) && sbuf_ok(&e.funcs) && sbuf_ok(&e.lines)) {
		assemble(btf, &t);
		assemble_ext(ext, &e);
	} else {
		btf->failed = true;
	}
	sbuf_fini(&t.types);
	sbuf_fini(&t.strings);
	sbuf_fini(&e.funcs);
	sbuf_fini(&e.lines);
}
