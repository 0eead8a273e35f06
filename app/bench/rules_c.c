// SPDX-License-Identifier: BSD-3-Clause
/* L4Drop's way: all rules as one C function, through clang -O2 when the rules change. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "cbpf/text.h"
#include "clang.h"
#include "engine.h"
#include "rules.h"

typedef uint32_t (*first_fn)(
	const uint8_t *data, uint32_t caplen, uint32_t wirelen, uint64_t what, uint32_t later);

static void
write_driver(const struct rules_input *in, struct sbuf *c)
{
	sbuf_adds(c,
		"uint32_t first(const uint8_t *data, uint32_t caplen, uint32_t wirelen, uint64_t what, "
		"uint32_t later)\n{\n");
	for (uint32_t i = 0; i < in->n_classes; i++)
		sbuf_addf(c, "\tconst int c%u = (what & %" PRIu64 "u) == %" PRIu64 "u%s;\n", i,
			in->classes[i].mask, in->classes[i].value,
			in->classes[i].no_later ? " && !later" : "");
	sbuf_adds(c, "\t(void)later;\n");
	for (size_t i = 0; i < in->n; i++)
		sbuf_addf(c, "\tif (c%u && r%zu(data, caplen, wirelen))\n\t\treturn %zuu;\n",
			family_class(in->family, i), i, i);
	sbuf_addf(c, "\treturn %uu;\n}\n", RULES_NONE);
}

static void
write_source(const struct rules_input *in, struct sbuf *c)
{
	char name[32];

	sbuf_adds(c, "#include <stdint.h>\n");
	for (size_t i = 0; i < in->n; i++) {
		(void)snprintf(name, sizeof(name), "r%zu", i);
		/* What is once declared static stays so. */
		sbuf_addf(c,
			"static inline __attribute__((always_inline)) uint32_t %s(const uint8_t *data, "
			"uint32_t caplen, uint32_t wirelen);\n",
			name);
		cbpf_write_c(family_prog(in->family, i, 4), name, c);
	}
	write_driver(in, c);
}

static void
c_fini(struct rules_made *m)
{
	if (m->handle != NULL)
		clang_fini(m->handle);
	mem_free(m->handle);
}

static int
c_make(const struct rules_input *in, struct rules_made *ret, char why[RULES_WHY])
{
	struct clang_made *made = mem_zalloc(sizeof(*made));
	struct sbuf c = SBUF_INIT;
	int r = -ENOMEM;

	_Static_assert(RULES_WHY >= CLANG_WHY, "room for the reason");
	if (made != NULL) {
		write_source(in, &c);
		r = clang_load(&c, "-O2", in->clang_s, "first", made, why);
		sbuf_fini(&c);
	}
	if (r < 0) {
		mem_free(made);
		return r;
	}
	ret->handle = made;
	ret->bytes = made->bytes;
	return 0;
}

static void
c_run(const struct rules_made *m, const struct rules_frames *f, uint32_t from, uint32_t n,
	uint32_t *ret)
{
	const struct clang_made *made = m->handle;
	first_fn fn;

	*(void **)&fn = made->fn;
	for (uint32_t i = 0; i < n; i++) {
		const struct rules_datagram *d = &f->datagrams[from + i];
		const struct pkt_view *v = &f->views[from + i];

		ret[i] = fn(
			d->data, d->caplen, d->wirelen, rules_what(v), v->flags & PKT_FRAG_LATER);
	}
}

const struct rules_engine rules_c = {
	.key = "c",
	.help = "all rules as one C function, clang -O2 (as long as --clang-seconds)",
	.max_rules = SIZE_MAX,
	.make = c_make,
	.run = c_run,
	.fini = c_fini,
};
