// SPDX-License-Identifier: BSD-3-Clause
/* L4Drop's way: all rules as one C function, through clang -O2 when the rules change. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "cbpf/text.h"
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

static int
write_source(const char *path, const struct rules_input *in)
{
	struct sbuf c = SBUF_INIT;
	FILE *f = fopen(path, "we");
	int r = f == NULL ? -errno : 0;
	char name[32];

	sbuf_adds(&c, "#include <stdint.h>\n");
	for (size_t i = 0; i < in->n; i++) {
		(void)snprintf(name, sizeof(name), "r%zu", i);
		/* What is once declared static stays so. */
		sbuf_addf(&c,
			"static inline __attribute__((always_inline)) uint32_t %s(const uint8_t *data, "
			"uint32_t caplen, uint32_t wirelen);\n",
			name);
		cbpf_write_c(family_prog(in->family, i, 4), name, &c);
	}
	write_driver(in, &c);
	if (!sbuf_ok(&c))
		r = -ENOMEM;
	else if (f != NULL && fputs(sbuf_str(&c), f) == EOF)
		r = -EIO;
	if (f != NULL && fclose(f) == EOF && r == 0)
		r = -errno;
	sbuf_fini(&c);
	return r;
}

static void
c_fini(struct rules_made *m)
{
	if (m->handle != NULL)
		(void)dlclose(m->handle);
}

/* A compiler that was ended leaves files behind. */
static void
remove_all(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	char path[sizeof(e->d_name) + 64];

	while (d != NULL && (e = readdir(d)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			(void)unlink(path);
	}
	if (d != NULL)
		(void)closedir(d);
	(void)rmdir(dir);
}

static int
c_make(const struct rules_input *in, struct rules_made *ret, char why[RULES_WHY])
{
	char dir[] = "/tmp/sluice-bench-XXXXXX", src[64], so[64];
	char *argv[] = {NULL, "-O2", "-w", "-fno-crash-diagnostics", "-shared", "-fPIC", "-o", so,
		src, NULL};
	struct stat st;
	int r;

	if (mkdtemp(dir) == NULL)
		return -errno;
	(void)snprintf(src, sizeof(src), "%s/rules.c", dir);
	(void)snprintf(so, sizeof(so), "%s/rules.so", dir);
	r = write_source(src, in);
	if (r == 0)
		r = engine_run_clang(argv, dir, in->clang_s);
	if (r == 0) {
		if (stat(so, &st) == 0)
			ret->bytes = (size_t)st.st_size;
		ret->handle = dlopen(so, RTLD_NOW | RTLD_LOCAL);
		r = ret->handle == NULL || dlsym(ret->handle, "first") == NULL ? -ENOEXEC : 0;
	}
	if (r < 0) {
		if (r == -ETIME)
			(void)snprintf(why, RULES_WHY, "clang takes more than %u s of the CPU",
				in->clang_s);
		else
			(void)snprintf(why, RULES_WHY, "%s",
				r == -ENOENT ? "clang is not installed"
					     : "clang made nothing to load");
		c_fini(ret);
	}
	remove_all(dir);
	return r;
}

static void
c_run(const struct rules_made *m, const struct rules_frames *f, uint32_t from, uint32_t n,
	uint32_t *ret)
{
	first_fn fn;

	*(void **)&fn = dlsym(m->handle, "first");
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
