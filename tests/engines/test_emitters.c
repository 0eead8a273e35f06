// SPDX-License-Identifier: BSD-3-Clause
/*
 * What leaves the tree as something else is accepted and says the same: programs
 * of every generator, real, mutated and random ones, as C through gcc and clang,
 * and as a filter of Linux (SO_ATTACH_FILTER), on frames that match or just miss.
 * They go through the assembler's text and through the shrinker, too. 150 programs, 600 with
 * SLUICE_LONG=1. xt_bpf has a test of its own, end to end.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/shrink.h"
#include "cbpf/text.h"
#include "engines.h"
#include "gen/gen.h"
#include "gencase.h"
#include "progs.h"

#define FRAMES 12 /* for each program */
#define LENGTHS 8 /* for each frame, and its own */
#define PROGRAMS 150
#define PROGRAMS_LONG 600
#define LONG_INSNS 300
#define WRONG 10 /* programs that are compiled changed, too: to be noticed */

struct sample {
	struct cbpf_prog *prog;
	struct gencase c; /* where it is from; type NULL: from nowhere */
	cbpf_fn fn[2]; /* as C, by each compiler */
	cbpf_fn wrong;
	void *kernel, *shrunk;
};

static const char *const compilers[] = {"gcc", "clang-14"};

static struct {
	uint64_t pairs, matches, by_kernel, refused, skipped, noticed;
	uint64_t bad;
} count;

/* Through the text, which must give the same program. */
static struct cbpf_prog *
through_text(struct cbpf_prog *prog)
{
	struct cbpf_prog *other = NULL;
	const struct cbpf_insn *insns;
	struct cbpf_insn *again;
	struct sbuf text = SBUF_INIT;
	size_t n, n_again;

	insns = cbpf_prog_insns(prog, &n);
	cbpf_dis(insns, n, &text);
	if (cbpf_asm(sbuf_str(&text), &again, &n_again, NULL) < 0 || n_again != n ||
		cbpf_prog_new(again, n, &other, NULL) < 0 ||
		memcmp(cbpf_prog_insns(other, &n_again), insns, n * sizeof(*insns)) != 0) {
		printf("its text is another program:\n%s", sbuf_str(&text));
		exit(1);
	}
	mem_free(again);
	sbuf_fini(&text);
	cbpf_prog_free(prog);
	return other;
}

static struct cbpf_prog *
generated(struct rng *r, size_t type, struct gencase *c)
{
	struct cbpf_prog *prog = NULL;
	struct gen_out out = {0};

	memset(c, 0, sizeof(*c));
	gencase_random(r, type, c);
	if (gen_run(c->type, &c->opts, c->argc, c->argv, &out, NULL) < 0 ||
		gen_fit(&out, CBPF_XT_MAX_INSNS) < 0 ||
		cbpf_prog_new(out.insns, out.n, &prog, NULL) < 0)
		abort();
	/* Compilers' work grows faster than a function: a few long ones are enough. */
	if (out.n > LONG_INSNS && rng_below(r, 4) > 0) {
		cbpf_prog_free(prog);
		prog = NULL;
	}
	gen_out_fini(&out);
	return prog != NULL ? prog : generated(r, type, c);
}

static size_t
n_types(void)
{
	size_t n = 0;

	while (gencase_name(n) != NULL)
		n++;
	return n;
}

/* Half of them are generated, each kind in turn. */
static void
make(struct rng *r, size_t i, struct sample *s)
{
	memset(s, 0, sizeof(*s));
	if (i % 2 == 0)
		s->prog = generated(r, i / 2 % n_types(), &s->c);
	else
		s->prog = through_text(i % 4 == 1 ? progs_real(r) : progs_random(r));
	s->shrunk = engine_shrunk.load(s->prog);
	s->kernel = engine_kernel.load(s->prog);
	count.refused += s->kernel == NULL;
}

/* All as one file of C. */
static void
write_all(const struct sample *s, size_t n, const char *path)
{
	struct sbuf c = SBUF_INIT;
	FILE *f = fopen(path, "w");
	char name[32];

	for (size_t i = 0; i < n; i++) {
		struct cbpf_prog *wrong = engine_broken.load(s[i].prog);

		(void)snprintf(name, sizeof(name), "f%zu", i);
		cbpf_write_c(s[i].prog, name, &c);
		(void)snprintf(name, sizeof(name), "w%zu", i);
		if (i < WRONG)
			cbpf_write_c(wrong, name, &c);
		engine_broken.unload(wrong);
	}
	if (f == NULL || !sbuf_ok(&c) || fputs(sbuf_str(&c), f) < 0 || fclose(f) != 0)
		abort();
	sbuf_fini(&c);
}

static void *
symbol(void *so, const char *prefix, size_t i)
{
	char name[32];
	void *p;

	(void)snprintf(name, sizeof(name), "%s%zu", prefix, i);
	p = dlsym(so, name);
	if (p == NULL)
		abort();
	return p;
}

/* Compile @path by compiler number @by, without a warning. */
static bool
compile(struct sample *s, size_t n, const char *folder, size_t by)
{
	char cmd[512];
	void *so;

	(void)snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null", compilers[by]);
	if (system(cmd) != 0) {
		printf("NOT OK: %s is not installed\n", compilers[by]);
		return false;
	}
	(void)snprintf(cmd, sizeof(cmd),
		"cd %s && %s -O1 -Wall -Wextra -Werror -shared -fPIC -o %s.so all.c", folder,
		compilers[by], compilers[by]);
	if (system(cmd) != 0)
		return false;
	(void)snprintf(cmd, sizeof(cmd), "%s/%s.so", folder, compilers[by]);
	so = dlopen(cmd, RTLD_NOW);
	if (so == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		*(void **)&s[i].fn[by] = symbol(so, "f", i);
	for (size_t i = 0; i < MIN(n, (size_t)WRONG); i++)
		*(void **)&s[i].wrong = symbol(so, "w", i);
	return true;
}

static void
tell(const struct sample *s, const char *who, uint32_t want, uint32_t got, uint32_t len)
{
	struct sbuf b = SBUF_INIT;
	const struct cbpf_insn *insns;
	size_t n;

	if (count.bad++ > 2)
		return;
	insns = cbpf_prog_insns(s->prog, &n);
	cbpf_dis(insns, n, &b);
	printf("%s: %" PRIu32 " instead of %" PRIu32 ", length %" PRIu32 ", %s\n%s", who, got, want,
		len, s->c.type != NULL ? s->c.type : "random", sbuf_str(&b));
	sbuf_fini(&b);
}

static void
ask_kernel(const struct sample *s, const uint8_t *data, uint32_t len, uint32_t want)
{
	struct trace t;
	uint32_t got;

	frame_trace(s->prog, data, len, len, &t);
	if (s->kernel == NULL || t.linux_differs) {
		count.skipped++;
		return;
	}
	got = engine_kernel.run(s->kernel, data, len, len);
	want = want == 0 ? 0 : MAX(MIN(want, len), 1u);
	count.by_kernel++;
	if (got != want)
		tell(s, "linux", want, got, len);
}

static void
compare(const struct sample *s, const uint8_t *bytes, uint32_t len)
{
	const uint8_t *data = fence_end(bytes, len);
	const uint32_t want = cbpf_run(s->prog, data, len, len);

	count.pairs++;
	count.matches += want != 0;
	for (size_t i = 0; i < DIM(compilers); i++)
		if (s->fn[i](data, len, len) != want)
			tell(s, compilers[i], want, s->fn[i](data, len, len), len);
	if (engine_shrunk.run(s->shrunk, data, len, len) != want)
		tell(s, "shrunk", want, engine_shrunk.run(s->shrunk, data, len, len), len);
	if (s->wrong != NULL)
		count.noticed += s->wrong(data, len, len) != want;
	ask_kernel(s, data, len, want);
}

/* A frame for @s; of generated ones the documentation says what it must give. */
static void
one_frame(const struct sample *s, struct rng *r)
{
	static struct gencase_frame g;
	struct frame f;
	const uint8_t *bytes = f.bytes;
	uint32_t len;

	if (s->c.type != NULL) {
		gencase_frame(r, &s->c, &g);
		bytes = g.bytes;
		len = g.len;
		if ((cbpf_run(s->prog, bytes, len, len) != 0) != gencase_wants(&s->c, &g) &&
			!gencase_excused(&s->c, &g))
			tell(s, "the documentation", gencase_wants(&s->c, &g), 2, len);
	} else {
		frame_random(r, &f);
		(void)frame_solve(s->prog, r, &f);
		len = f.len;
		if (len > 0 && rng_below(r, 3) == 0)
			f.bytes[rng_below(r, len)] ^= (uint8_t)(1u << rng_below(r, 8));
	}
	compare(s, bytes, len);
	for (int i = 0; i < LENGTHS; i++)
		compare(s, bytes, rng_below(r, len + 1));
}

static bool
check(bool ok, const char *what)
{
	printf("%s: %s\n", ok ? "ok" : "NOT OK", what);
	return ok;
}

int
main(void)
{
	struct rng r = {test_seed("test_emitters")};
	const size_t n = test_factor() > 1 ? PROGRAMS_LONG : PROGRAMS;
	struct sample *s = mem_calloc(n, sizeof(*s));
	char folder[] = "/tmp/sluice-emitters-XXXXXX", path[64];
	bool ok = true;

	if (s == NULL || mkdtemp(folder) == NULL)
		abort();
	for (size_t i = 0; i < n; i++)
		make(&r, i, &s[i]);
	(void)snprintf(path, sizeof(path), "%s/all.c", folder);
	write_all(s, n, path);
	for (size_t i = 0; ok && i < DIM(compilers); i++)
		ok &= check(compile(s, n, folder, i), compilers[i]);
	for (size_t i = 0; ok && i < n; i++)
		for (int j = 0; j < FRAMES; j++)
			one_frame(&s[i], &r);
	(void)snprintf(path, sizeof(path), "rm -r %s", folder);
	(void)!system(path);

	printf("%zu programs, %" PRIu64 " pairs, %" PRIu64 " match; Linux judged %" PRIu64
	       ", refused %" PRIu64 " programs; changed programs noticed %" PRIu64 " times\n",
		n, count.pairs, count.matches, count.by_kernel, count.refused, count.noticed);
	ok = ok && check(count.bad == 0, "gcc, clang and Linux agree");
	ok = ok && check(count.refused == 0, "Linux accepts the programs");
	ok = ok && check(count.matches > count.pairs / 20, "enough match");
	ok = ok && check(count.noticed > 0, "a changed program is noticed");
	for (size_t i = 0; i < n; i++) {
		if (s[i].kernel != NULL)
			engine_kernel.unload(s[i].kernel);
		engine_shrunk.unload(s[i].shrunk);
		cbpf_prog_free(s[i].prog);
	}
	mem_free(s);
	return ok ? 0 : 1;
}
