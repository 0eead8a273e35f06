// SPDX-License-Identifier: BSD-3-Clause
/*
 * The object file: one section for each kind of program with its relocations,
 * .maps with those of its slots, data, type information, symbols.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "base/vec.h"
#include "object_impl.h"

/* Relocation types of the BPF machine. */
enum { RELOC_64_64 = 1, RELOC_64_ABS64 = 2, MACHINE_BPF = 247 };

static const char license[] = "Dual BSD/GPL";

struct section {
	Elf64_Shdr head;
	struct sbuf bytes;
};

struct writer {
	const struct ebpf_object *obj;
	struct {
		struct section *v;
		size_t n, cap;
	} sections;
	struct sbuf strings; /* names of sections and symbols */
	struct sbuf symbols;
	uint32_t n_symbols, n_local;
	uint32_t maps_section, data_section[2]; /* their numbers; 0: none */
	uint32_t data_symbol[2]; /* of the whole section */
	uint32_t first_map, first_prog; /* symbols, in the order of the object */
	bool failed; /* out of memory */
};

static uint32_t
string(struct writer *w, const char *s)
{
	uint32_t off = (uint32_t)w->strings.len;

	sbuf_add(&w->strings, s, strlen(s) + 1);
	return off;
}

/* A new section; returns its number. Its bytes are filled in later by number. */
static uint32_t
section(struct writer *w, const char *name, uint32_t type, uint64_t flags)
{
	struct section *s = vec_push(&w->sections);

	if (s == NULL) {
		w->failed = true;
		return 0;
	}
	s->head.sh_name = string(w, name);
	s->head.sh_type = type;
	s->head.sh_flags = flags;
	s->head.sh_addralign = type == SHT_NULL ? 0 : 8;
	return (uint32_t)(w->sections.n - 1);
}

static void
section_add(struct writer *w, uint32_t number, const void *bytes, size_t n)
{
	if (!w->failed && n > 0)
		sbuf_add(&w->sections.v[number].bytes, bytes, n);
}

static uint32_t
symbol(struct writer *w, const char *name, unsigned int info, uint32_t in, uint64_t value,
	uint64_t bytes)
{
	const Elf64_Sym sym = {
		.st_name = name != NULL ? string(w, name) : 0,
		.st_info = (unsigned char)info,
		.st_shndx = (Elf64_Section)in,
		.st_value = value,
		.st_size = bytes,
	};

	sbuf_add(&w->symbols, &sym, sizeof(sym));
	return w->n_symbols++;
}

static void
reloc(struct writer *w, uint32_t number, uint64_t off, uint32_t sym, uint32_t type)
{
	const Elf64_Rel rel = {.r_offset = off, .r_info = ELF64_R_INFO((uint64_t)sym, type)};

	section_add(w, number, &rel, sizeof(rel));
}

/* The section of the relocations of section @of. */
static uint32_t
reloc_section(struct writer *w, const char *of_name, uint32_t of)
{
	struct sbuf name = SBUF_INIT;
	uint32_t number;

	sbuf_addf(&name, ".rel%s", of_name);
	number = section(w, sbuf_str(&name), SHT_REL, 0);
	w->failed |= !sbuf_ok(&name);
	sbuf_fini(&name);
	if (!w->failed) {
		w->sections.v[number].head.sh_info = of;
		w->sections.v[number].head.sh_entsize = sizeof(Elf64_Rel);
	}
	return number;
}

/* Where each map's variable is; all are zeros but for what slots are relocated to. */
static void
place_maps(struct ebpf_object *obj)
{
	uint32_t off = 0;

	for (size_t i = 0; i < obj->maps.n; i++) {
		struct object_map *m = &obj->maps.v[i];

		m->props = object_map_props(&m->def);
		m->bytes = m->props + m->slots * PTR_BYTES;
		m->off = off;
		off += m->bytes;
	}
}

static void
write_maps(struct writer *w)
{
	static const char zero[PTR_BYTES];
	const struct ebpf_object *obj = w->obj;
	const struct object_map *last;

	if (obj->maps.n == 0)
		return;
	last = &obj->maps.v[obj->maps.n - 1];
	w->maps_section = section(w, ".maps", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE);
	for (uint32_t i = 0; i < last->off + last->bytes; i += PTR_BYTES)
		section_add(w, w->maps_section, zero, sizeof(zero));
}

static void
write_data(struct writer *w)
{
	for (size_t i = 0; i < DIM(w->data_section); i++) {
		const struct object_data *d = &w->obj->data[i];
		const uint64_t flags = SHF_ALLOC | (i == EBPF_DATA ? SHF_WRITE : 0);

		if (d->vars.n == 0)
			continue;
		w->data_section[i] = section(w, object_data_names[i], SHT_PROGBITS, flags);
		section_add(w, w->data_section[i], d->bytes.s, d->bytes.len);
	}
}

/* Symbols of sections are local, and local ones come first. */
static void
local_symbols(struct writer *w)
{
	(void)symbol(w, NULL, 0, 0, 0, 0);
	for (size_t i = 0; i < DIM(w->data_section); i++)
		if (w->data_section[i] != 0)
			w->data_symbol[i] = symbol(w, NULL, ELF64_ST_INFO(STB_LOCAL, STT_SECTION),
				w->data_section[i], 0, 0);
	w->n_local = w->n_symbols;
}

static void
global_symbols(struct writer *w, uint32_t license_section)
{
	const unsigned int object = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
	const struct ebpf_object *obj = w->obj;

	w->first_map = w->n_symbols;
	for (size_t i = 0; i < obj->maps.n; i++)
		(void)symbol(w, obj->maps.v[i].def.name, object, w->maps_section,
			obj->maps.v[i].off, obj->maps.v[i].bytes);
	for (size_t s = 0; s < DIM(obj->data); s++)
		for (size_t i = 0; i < obj->data[s].vars.n; i++)
			(void)symbol(w, obj->data[s].vars.v[i].name, object, w->data_section[s],
				obj->data[s].vars.v[i].off, obj->data[s].vars.v[i].bytes);
	(void)symbol(w, "_license", object, license_section, 0, sizeof(license));
	w->first_prog = w->n_symbols;
}

/* A program's instructions; what they refer to is left to relocations. */
static int
write_prog(
	struct writer *w, const struct object_prog *p, uint32_t in, uint32_t rel, struct diag *diag)
{
	const struct ebpf_object *obj = w->obj;
	size_t next = 0;

	/* Where memory was short, symbols are missing. */
	if (w->failed)
		return 0;
	for (size_t i = 0; i < p->n; i++) {
		struct ebpf_insn insn = p->insns[i];

		if (next < p->n_refs && p->refs[next].insn == i) {
			const struct ebpf_ref *ref = &p->refs[next++];
			const bool is_map = ref->kind == EBPF_REF_MAP;

			if (w->failed)
				return diag_fail(diag, -ENOMEM, "out of memory");
			if (is_map ? ref->index >= obj->maps.n
				   : ref->index >= DIM(obj->data) ||
						w->data_symbol[ref->index] == 0)
				return diag_fail(diag, -EINVAL,
					"program '%s' refers to what is not there", p->name);
			insn.regs &= 0x0f;
			reloc(w, rel, p->off + i * sizeof(insn),
				is_map ? w->first_map + ref->index : w->data_symbol[ref->index],
				RELOC_64_64);
		}
		section_add(w, in, &insn, sizeof(insn));
	}
	return 0;
}

/* All programs of the section @name, in one section of the file. */
static int
write_section(struct writer *w, const char *name, uint32_t in, uint32_t rel, struct diag *diag)
{
	for (size_t i = 0; i < w->obj->progs.n; i++) {
		const struct object_prog *p = &w->obj->progs.v[i];
		int r;

		if (strcmp(p->section, name) != 0)
			continue;
		r = write_prog(w, p, in, rel, diag);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool
has_refs(const struct ebpf_object *obj, const char *section)
{
	for (size_t i = 0; i < obj->progs.n; i++)
		if (obj->progs.v[i].n_refs > 0 && strcmp(obj->progs.v[i].section, section) == 0)
			return true;
	return false;
}

/* Numbers of sections are known before symbols are, and symbols before code is. */
static int
write_progs(struct writer *w, struct diag *diag)
{
	const struct ebpf_object *obj = w->obj;
	const char *name;
	uint32_t first = (uint32_t)w->sections.n, number = first;
	int r = 0;

	for (size_t s = 0; (name = object_section(obj, s)) != NULL; s++)
		(void)section(w, name, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR);
	for (size_t i = 0; i < obj->progs.n; i++) {
		const struct object_prog *p = &obj->progs.v[i];

		for (number = first, name = object_section(obj, 0);
			name != NULL && strcmp(name, p->section) != 0;
			name = object_section(obj, ++number - first))
			;
		(void)symbol(w, p->name, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), number, p->off,
			p->n * sizeof(*p->insns));
	}
	for (size_t s = 0; r == 0 && (name = object_section(obj, s)) != NULL; s++) {
		number = first + (uint32_t)s;
		r = write_section(w, name, number,
			has_refs(obj, name) ? reloc_section(w, name, number) : 0, diag);
	}
	return r;
}

/* What is put into slots of PROG_ARRAYs: a relocation of the pointer to the function. */
static int
write_slots(struct writer *w, struct diag *diag)
{
	const struct ebpf_object *obj = w->obj;
	uint32_t rel;

	if (obj->slots.n == 0)
		return 0;
	rel = reloc_section(w, ".maps", w->maps_section);
	for (size_t i = 0; i < obj->slots.n; i++) {
		const struct object_slot *s = &obj->slots.v[i];
		const struct object_map *m = &obj->maps.v[s->map];
		uint32_t p = 0;

		while (p < obj->progs.n && strcmp(obj->progs.v[p].name, s->prog) != 0)
			p++;
		if (p == obj->progs.n)
			return diag_fail(diag, -EINVAL, "there is no program '%s'", s->prog);
		reloc(w, rel, m->off + m->props + s->slot * PTR_BYTES, w->first_prog + p,
			RELOC_64_ABS64);
	}
	return 0;
}

static void
write_types(struct writer *w)
{
	const uint32_t btf = section(w, ".BTF", SHT_PROGBITS, 0);
	const uint32_t ext = section(w, ".BTF.ext", SHT_PROGBITS, 0);

	if (w->failed)
		return;
	object_btf(w->obj, &w->sections.v[btf].bytes, &w->sections.v[ext].bytes);
}

static void
write_tables(struct writer *w)
{
	const uint32_t symtab = section(w, ".symtab", SHT_SYMTAB, 0);
	const uint32_t strtab = section(w, ".strtab", SHT_STRTAB, 0);

	section_add(w, symtab, w->symbols.s, w->symbols.len);
	section_add(w, strtab, w->strings.s, w->strings.len);
	if (w->failed)
		return;
	w->sections.v[symtab].head.sh_link = strtab;
	w->sections.v[symtab].head.sh_info = w->n_local;
	w->sections.v[symtab].head.sh_entsize = sizeof(Elf64_Sym);
	for (size_t i = 0; i < w->sections.n; i++)
		if (w->sections.v[i].head.sh_type == SHT_REL)
			w->sections.v[i].head.sh_link = symtab;
}

static int
collect(struct writer *w, struct diag *diag)
{
	uint32_t lic;
	int r;

	(void)string(w, "");
	(void)section(w, "", SHT_NULL, 0);
	lic = section(w, "license", SHT_PROGBITS, SHF_ALLOC);
	section_add(w, lic, license, sizeof(license));
	write_maps(w);
	write_data(w);
	local_symbols(w);
	global_symbols(w, lic);
	r = write_progs(w, diag);
	if (r == 0)
		r = write_slots(w, diag);
	if (r < 0)
		return r;
	write_types(w);
	write_tables(w);
	return 0;
}

/* Head, sections, their table; each aligned to 8 from @out's present end. */
static void
assemble(const struct writer *w, struct sbuf *out)
{
	static const char zeros[8];
	const size_t start = out->len;
	uint64_t at = sizeof(Elf64_Ehdr);
	Elf64_Ehdr head = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			EV_CURRENT},
		.e_type = ET_REL,
		.e_machine = MACHINE_BPF,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(head),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = (Elf64_Half)w->sections.n,
		.e_shstrndx = (Elf64_Half)(w->sections.n - 1),
	};

	for (size_t i = 0; i < w->sections.n; i++) {
		struct section *s = &w->sections.v[i];

		s->head.sh_offset = i > 0 ? at : 0;
		s->head.sh_size = s->bytes.len;
		at += s->bytes.len + (-s->bytes.len & 7);
	}
	head.e_shoff = at;
	sbuf_add(out, &head, sizeof(head));
	for (size_t i = 0; i < w->sections.n; i++) {
		const struct sbuf *b = &w->sections.v[i].bytes;

		if (b->len > 0)
			sbuf_add(out, b->s, b->len);
		sbuf_add(out, zeros, -(out->len - start) & 7);
	}
	for (size_t i = 0; i < w->sections.n; i++)
		sbuf_add(out, &w->sections.v[i].head, sizeof(Elf64_Shdr));
}

static bool
all_ok(const struct writer *w)
{
	bool ok = !w->failed && sbuf_ok(&w->strings) && sbuf_ok(&w->symbols);

	for (size_t i = 0; i < w->sections.n; i++)
		ok &= sbuf_ok(&w->sections.v[i].bytes);
	return ok;
}

int
ebpf_object_write(struct ebpf_object *obj, struct sbuf *out, struct diag *diag)
{
	struct writer w = {.obj = obj, .strings = SBUF_INIT, .symbols = SBUF_INIT};
	int r;

	place_maps(obj);
	r = collect(&w, diag);
	if (r == 0 && all_ok(&w))
		assemble(&w, out);
	if (r == 0 && (!all_ok(&w) || !sbuf_ok(out)))
		r = diag_fail(diag, -ENOMEM, "out of memory");
	for (size_t i = 0; i < w.sections.n; i++)
		sbuf_fini(&w.sections.v[i].bytes);
	mem_free(w.sections.v);
	sbuf_fini(&w.strings);
	sbuf_fini(&w.symbols);
	return r;
}
