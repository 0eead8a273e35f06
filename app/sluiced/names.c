// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/util.h"
#include "match/image.h"
#include "rules/ruleset.h"

#include "names.h"

struct names {
	pthread_mutex_t lock; /* all below; held for one look-up or one image's rules */
	char **v; /* by slot, NULL where unknown */
	uint32_t n, cap;
};

int
names_new(struct names **ret_names)
{
	struct names *names = mem_zalloc(sizeof(*names));

	if (names == NULL)
		return -ENOMEM;
	pthread_mutex_init(&names->lock, NULL);
	*ret_names = names;
	return 0;
}

void
names_free(struct names *names)
{
	if (names == NULL)
		return;
	for (uint32_t i = 0; i < names->n; i++)
		mem_free(names->v[i]);
	mem_free(names->v);
	pthread_mutex_destroy(&names->lock);
	mem_free(names);
}

static int
grow(struct names *names, uint32_t slot)
{
	uint32_t cap = MAX(names->cap, 64U);
	char **v;

	while (cap <= slot)
		cap *= 2; /* slots are below 2^20 */
	if (cap != names->cap) {
		v = mem_realloc(names->v, cap * sizeof(*v));
		if (v == NULL)
			return -ENOMEM;
		names->v = v;
		names->cap = cap;
	}
	while (names->n <= slot)
		names->v[names->n++] = NULL;
	return 0;
}

static int
learn_one(struct names *names, uint32_t slot, const char *name)
{
	int r;

	if (slot < names->n && names->v[slot] != NULL)
		return 0;
	r = grow(names, slot);
	if (r < 0)
		return r;
	names->v[slot] = mem_strdup(name);
	return names->v[slot] != NULL ? 0 : -ENOMEM;
}

int
names_learn(struct names *names, const struct ruleset *rules, const struct match_image *image)
{
	const size_t n = ruleset_count(rules);
	int r = 0;

	pthread_mutex_lock(&names->lock);
	for (size_t i = 0; i < n && r == 0; i++)
		r = learn_one(names, match_image_leaf(image, (uint32_t)i)->slot,
			ruleset_info(rules, i)->name);
	pthread_mutex_unlock(&names->lock);
	return r;
}

const char *
names_rule(void *arg, uint32_t slot)
{
	struct names *names = arg;
	const char *name;

	pthread_mutex_lock(&names->lock);
	name = slot < names->n ? names->v[slot] : NULL;
	pthread_mutex_unlock(&names->lock);
	return name;
}

uint32_t
names_count(struct names *names)
{
	uint32_t n;

	pthread_mutex_lock(&names->lock);
	n = names->n;
	pthread_mutex_unlock(&names->lock);
	return n;
}
