// SPDX-License-Identifier: BSD-3-Clause
/* Variables in an object file that may come from anywhere: every number in it is checked. */
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "ebpf/object.h"

struct file {
	const uint8_t *bytes;
	size_t n;
	Elf64_Ehdr head;
};

static bool
within(const struct file *f, uint64_t off, uint64_t n)
{
	return off <= f->n && n <= f->n - off;
}

static bool
get_section(const struct file *f, uint32_t i, Elf64_Shdr *ret)
{
	uint64_t at = (uint64_t)i * sizeof(*ret);

	if (i >= f->head.e_shnum || f->head.e_shoff > f->n ||
		!within(f, f->head.e_shoff + at, sizeof(*ret)))
		return false;
	memcpy(ret, f->bytes + f->head.e_shoff + at, sizeof(*ret));
	return ret->sh_type == SHT_NOBITS || within(f, ret->sh_offset, ret->sh_size);
}

static bool
is_named(const struct file *f, const Elf64_Shdr *strings, uint32_t off, const char *name)
{
	size_t n = strlen(name) + 1;

	return off <= strings->sh_size && n <= strings->sh_size - off &&
		memcmp(f->bytes + strings->sh_offset + off, name, n) == 0;
}

/* The value of @sym, if it has one in the file. */
static int
value_of(const struct file *f, const Elf64_Sym *sym, size_t *ret_off, size_t *ret_n)
{
	Elf64_Shdr in;

	if (!get_section(f, sym->st_shndx, &in) || in.sh_type != SHT_PROGBITS ||
		sym->st_value > in.sh_size || sym->st_size > in.sh_size - sym->st_value)
		return -EINVAL;
	*ret_off = (size_t)(in.sh_offset + sym->st_value);
	*ret_n = (size_t)sym->st_size;
	return 0;
}

static int
find_in(const struct file *f, const Elf64_Shdr *table, const char *name, size_t *ret_off,
	size_t *ret_n)
{
	Elf64_Shdr strings;

	if (!get_section(f, table->sh_link, &strings) || strings.sh_type != SHT_STRTAB)
		return -EINVAL;
	for (uint64_t i = 0; i < table->sh_size / sizeof(Elf64_Sym); i++) {
		Elf64_Sym sym;

		memcpy(&sym, f->bytes + table->sh_offset + i * sizeof(sym), sizeof(sym));
		if (ELF64_ST_TYPE(sym.st_info) == STT_OBJECT &&
			is_named(f, &strings, sym.st_name, name))
			return value_of(f, &sym, ret_off, ret_n);
	}
	return -ENOENT;
}

int
ebpf_file_find(const void *file, size_t n, const char *name, size_t *ret_off, size_t *ret_n)
{
	struct file f = {.bytes = file, .n = n};
	Elf64_Shdr s;

	if (n < sizeof(f.head))
		return -EINVAL;
	memcpy(&f.head, file, sizeof(f.head));
	if (memcmp(f.head.e_ident, ELFMAG, SELFMAG) != 0 ||
		f.head.e_ident[EI_CLASS] != ELFCLASS64 || f.head.e_ident[EI_DATA] != ELFDATA2LSB ||
		f.head.e_shentsize != sizeof(Elf64_Shdr))
		return -EINVAL;
	for (uint32_t i = 0; i < f.head.e_shnum; i++) {
		if (!get_section(&f, i, &s))
			return -EINVAL;
		if (s.sh_type == SHT_SYMTAB)
			return find_in(&f, &s, name, ret_off, ret_n);
	}
	return -EINVAL;
}
