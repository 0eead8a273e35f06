// SPDX-License-Identifier: BSD-3-Clause
/*
 * A fuzz target without libFuzzer: replay FILE-OR-FOLDER... runs each seed, then
 * mutations of them, 20000 in the quick tier and 300000 with SLUICE_LONG=1. Prints
 * the seed of the mutations; SLUICE_SEED sets it. An input that breaks the target
 * is left in replay-crash.bin in the temporary folder, named on stderr.
 */
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/parse.h"
#include "base/util.h"
#include "base/vec.h"

#include "fuzz.h"

#define INPUT_MAX 65536 /* bytes */

struct input {
	uint8_t *bytes;
	size_t n;
};

static struct {
	struct input *v;
	size_t n, cap;
} seeds;

/* What runs now, for the handler. */
static struct input current;
static char crash_file[128];

static void
on_abort(int sig)
{
	FILE *f = fopen(crash_file, "wb");

	if (f != NULL) {
		(void)fwrite(current.bytes, 1, current.n, f);
		(void)fclose(f);
	}
	(void)fprintf(stderr, "signal %d; the input is in %s\n", sig, crash_file);
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

/* In memory of exactly @n bytes, so that a read past the end is seen. */
static void
run(const uint8_t *bytes, size_t n)
{
	uint8_t *exact = mem_alloc(n);

	if (exact == NULL)
		exit(1);
	if (n > 0)
		memcpy(exact, bytes, n);
	current = (struct input){exact, n};
	(void)LLVMFuzzerTestOneInput(exact, n);
	mem_free(exact);
}

static void
seed_add(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct input *in = f != NULL ? vec_push(&seeds) : NULL;

	if (in == NULL || (in->bytes = mem_alloc(INPUT_MAX)) == NULL) {
		perror(path);
		exit(1);
	}
	in->n = fread(in->bytes, 1, INPUT_MAX, f);
	(void)fclose(f);
}

static void
seeds_add(const char *path)
{
	struct dirent **names;
	struct stat st;
	int n;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
		seed_add(path);
		return;
	}
	n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char file[4096];

		(void)snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (stat(file, &st) == 0 && S_ISREG(st.st_mode))
			seed_add(file);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

/* One change of @in, at most INPUT_MAX bytes long after it. */
static void
mutate(struct rng *r, struct input *in)
{
	static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xff, ' ', '\n', '"', '-', '0', '9'};
	const struct input *other = &seeds.v[rng_below(r, (uint32_t)seeds.n)];
	size_t at = in->n > 0 ? rng_below(r, (uint32_t)in->n) : 0;
	size_t len = 1 + rng_below(r, 8);

	switch (rng_below(r, 6)) {
	case 0:
		if (in->n > 0)
			in->bytes[at] ^= (uint8_t)(1u << rng_below(r, 8));
		return;
	case 1:
		if (in->n > 0)
			in->bytes[at] = telling[rng_below(r, DIM(telling))];
		return;
	case 2: in->n = at; return;
	case 3: /* cut out */
		len = MIN(len, in->n - at);
		memmove(in->bytes + at, in->bytes + at + len, in->n - at - len);
		in->n -= len;
		return;
	case 4: /* say twice */
		len = MIN(len, in->n - at);
		if (in->n + len > INPUT_MAX)
			return;
		memmove(in->bytes + at + len, in->bytes + at, in->n - at);
		in->n += len;
		return;
	case 5: /* the tail of another */
		len = other->n > 0 ? rng_below(r, (uint32_t)other->n) : 0;
		len = MIN(other->n - len, INPUT_MAX - at);
		if (len > 0)
			memmove(in->bytes + at, other->bytes + other->n - len, len);
		in->n = at + len;
		return;
	}
}

int
main(int argc, char **argv)
{
	const char *wide = getenv("SLUICE_LONG"), *s = getenv("SLUICE_SEED");
	const char *tmp = getenv("TMPDIR");
	int rounds = wide != NULL && strcmp(wide, "1") == 0 ? 300000 : 20000;
	uint64_t seed = 20261121;
	struct input in = {mem_alloc(INPUT_MAX), 0};
	struct rng r;

	if (in.bytes == NULL || (s != NULL && parse_u64(s, 0, UINT64_MAX, &seed, NULL) < 0))
		return 1;
	(void)snprintf(crash_file, sizeof(crash_file), "%s/replay-crash-%d.bin",
		tmp != NULL ? tmp : "/tmp", getpid());
	(void)signal(SIGABRT, on_abort);
	for (int i = 1; i < argc; i++)
		seeds_add(argv[i]);
	run((const uint8_t *)"", 0);
	for (size_t i = 0; i < seeds.n; i++)
		run(seeds.v[i].bytes, seeds.v[i].n);
	(void)printf("%zu seeds, %d mutations, seed %" PRIu64 "\n", seeds.n, rounds, seed);
	(void)fflush(stdout);
	r.state = seed;
	for (int i = 0; seeds.n > 0 && i < rounds; i++) {
		const struct input *from = &seeds.v[rng_below(&r, (uint32_t)seeds.n)];

		in.n = from->n;
		memcpy(in.bytes, from->bytes, from->n);
		for (uint32_t n = 1 + rng_below(&r, 4); n > 0; n--)
			mutate(&r, &in);
		run(in.bytes, in.n);
	}
	for (size_t i = 0; i < seeds.n; i++)
		mem_free(seeds.v[i].bytes);
	mem_free(seeds.v);
	mem_free(in.bytes);
	return seeds.n > 0 || argc < 2 ? 0 : 1;
}
