// SPDX-License-Identifier: BSD-3-Clause
/*
 * gencases SEED N FRAMES: patterns and frames for tests that are no C programs. For
 * each of N cases a line "match = …" as a rules file has it, then FRAMES lines of
 * hexadecimal digits, datagrams near the pattern. Cases whose words a rules file
 * would need other quotes for, or that have bytes before IP, are left out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "gencase.h"

/* Neither in need of other quotes nor one of the options that are every generator's. */
static bool
is_plain(const char *word)
{
	static const char *const taken[] = {"-6", "-n", "-o", "-s", "-f"};

	for (size_t i = 0; i < DIM(taken); i++)
		if (strcmp(word, taken[i]) == 0)
			return false;
	for (; *word != '\0'; word++)
		if (*word <= ' ' || *word >= 0x7f || strchr("'\";#\\", *word) != NULL)
			return false;
	return true;
}

static bool
is_sayable(const struct gencase *c)
{
	struct gen_opts opts = c->opts;
	struct gen_out out;

	if (c->opts.l3_off != 0)
		return false;
	for (int i = 0; i < c->argc; i++)
		if (c->argv[i][0] == '\0' || !is_plain(c->argv[i]))
			return false;
	if (gen_run(c->type, &opts, c->argc, c->argv, &out, NULL) < 0)
		return false;
	gen_out_fini(&out);
	return true;
}

static void
print_case(struct rng *rng, const struct gencase *c, uint32_t frames)
{
	static struct gencase_frame f;

	printf("match = %s%s%s", c->type, c->opts.family == 6 ? " -6" : "",
		c->opts.negate ? " -n" : "");
	for (int i = 0; i < c->argc; i++)
		printf(" '%s'", c->argv[i]);
	printf("%s\n", c->opts.family == 6 ? "" : "\tfamily = 4");
	for (uint32_t i = 0; i < frames; i++) {
		gencase_frame(rng, c, &f);
		for (uint32_t j = 0; j < f.len; j++)
			printf("%02x", f.bytes[j]);
		printf("\n");
	}
}

int
main(int argc, char **argv)
{
	uint32_t n = 0, frames = 0;
	uint64_t seed = 0;
	size_t generators = 0;
	struct rng rng;

	if (argc != 4 || parse_u64(argv[1], 0, UINT64_MAX, &seed, NULL) < 0 ||
		parse_u32(argv[2], 1, 1000000, &n, NULL) < 0 ||
		parse_u32(argv[3], 0, 1000, &frames, NULL) < 0)
		return 2;
	rng.state = seed;
	while (gencase_name(generators) != NULL)
		generators++;
	for (uint32_t done = 0; done < n;) {
		struct gencase c;

		gencase_random(&rng, rng_below(&rng, (uint32_t)generators), &c);
		if (!is_sayable(&c))
			continue;
		print_case(&rng, &c, frames);
		done++;
	}
	return 0;
}
