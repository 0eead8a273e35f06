// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/sbuf.h"
#include "base/vec.h"
#include "load.h"

#define FILE_MAX ((size_t)16 << 20) /* bytes; 65,536 rules of 100 */
static const char head[] = "sluice ttl 1";

/* When the text with this hash under this name was loaded first. */
struct first {
	uint64_t text_hash;
	uint64_t at_ms; /* since 1970 */
};

struct ruleset_ttl {
	struct names names;
	struct {
		struct first *v; /* by number in names */
		size_t n, cap;
	} firsts;
};

int
ruleset_ttl_new(struct ruleset_ttl **ret_ttl)
{
	struct ruleset_ttl *ttl = mem_zalloc(sizeof(*ttl));

	if (ttl == NULL)
		return -ENOMEM;
	*ret_ttl = ttl;
	return 0;
}

void
ruleset_ttl_free(struct ruleset_ttl *ttl)
{
	if (ttl == NULL)
		return;
	names_fini(&ttl->names);
	mem_free(ttl->firsts.v);
	mem_free(ttl);
}

static int
add(struct ruleset_ttl *ttl, const char *name, uint64_t hash, uint64_t at_ms)
{
	struct first *f;
	uint32_t number;
	bool is_new;

	if (names_add(&ttl->names, name, &number, &is_new) < 0)
		return -ENOMEM;
	if (!is_new)
		return -EEXIST;
	f = vec_push(&ttl->firsts);
	if (f == NULL)
		return -ENOMEM;
	*f = (struct first){hash, at_ms};
	return 0;
}

/* The next word of a line in @buf. */
static int
next_word(const char **cursor, char *buf, size_t size)
{
	const char *word;
	size_t len;

	if (!parse_next(cursor, ' ', &word, &len) || len == 0 || len >= size)
		return -EINVAL;
	memcpy(buf, word, len);
	buf[len] = '\0';
	return 0;
}

/* "NAME 0xHASH MS": strict, as a wrong time would let a rule live on or die early. */
static int
read_line(struct ruleset_ttl *ttl, const char *line, size_t len)
{
	char buf[128], name[INI_NAME_MAX + 1], number[32];
	const char *cursor = buf;
	uint64_t hash, at_ms;

	if (len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, line, len);
	buf[len] = '\0';
	if (next_word(&cursor, name, sizeof(name)) < 0 || !ini_name_ok(name) ||
		next_word(&cursor, number, sizeof(number)) < 0 ||
		parse_u64(number, 0, UINT64_MAX, &hash, NULL) < 0 ||
		next_word(&cursor, number, sizeof(number)) < 0 ||
		parse_u64(number, 0, UINT64_MAX, &at_ms, NULL) < 0 || cursor != NULL)
		return -EINVAL;
	return add(ttl, name, hash, at_ms);
}

static int
read_text(struct ruleset_ttl *ttl, const char *text, struct diag *diag)
{
	const char *cursor = text;
	const char *line;
	size_t len;
	unsigned int n = 0;

	while (parse_next(&cursor, '\n', &line, &len)) {
		int r = 0;

		n++;
		if (n == 1 && (len != sizeof(head) - 1 || memcmp(line, head, len) != 0))
			r = -EINVAL;
		else if (n > 1 && len > 0)
			r = read_line(ttl, line, len);
		if (r == -ENOMEM)
			return load_out_of_memory(diag);
		if (r < 0)
			return diag_fail_at(diag, -EINVAL, n, 0,
				"expected the times of rules that sluiced writes; remove the file to let all TTLs begin anew");
	}
	return 0;
}

int
ruleset_ttl_load(const char *path, struct ruleset_ttl **ret_ttl, struct diag *diag)
{
	struct ruleset_ttl *ttl = NULL;
	char *text = NULL;
	size_t len;
	int r = ruleset_ttl_new(&ttl);

	if (r < 0)
		return load_out_of_memory(diag);
	r = file_read(path, FILE_MAX, &text, &len, diag);
	if (r == 0)
		r = read_text(ttl, text, diag);
	else if (r == -ENOENT)
		r = 0; /* nothing was saved yet */
	if (r == 0)
		*ret_ttl = ttl;
	else
		diag_set_file(diag, path);
	if (r < 0)
		ruleset_ttl_free(ttl);
	mem_free(text);
	return r;
}

int
ruleset_ttl_note(const struct ruleset_ttl *prev, const struct ruleset *rs, uint64_t now_ms,
	struct ruleset_ttl **ret_ttl)
{
	struct ruleset_ttl *ttl = NULL;
	int r = ruleset_ttl_new(&ttl);

	for (size_t i = 0; r == 0 && i < rs->rules.n; i++) {
		const struct ruleset_info *info = &rs->rules.v[i].info;
		uint64_t at_ms = now_ms;
		uint32_t number;

		if (info->ttl_ms == 0)
			continue;
		if (prev != NULL && names_find(&prev->names, info->name, &number) &&
			prev->firsts.v[number].text_hash == info->text_hash)
			at_ms = prev->firsts.v[number].at_ms;
		r = add(ttl, info->name, info->text_hash, at_ms);
	}
	if (r == 0)
		*ret_ttl = ttl;
	else
		ruleset_ttl_free(ttl);
	return r;
}

uint64_t
ruleset_ttl_end_ms(const struct ruleset_ttl *ttl, const struct ruleset *rs, size_t i)
{
	const struct ruleset_info *info = &rs->rules.v[i].info;
	uint32_t number;

	if (info->ttl_ms == 0 || !names_find(&ttl->names, info->name, &number))
		return UINT64_MAX;
	if (ttl->firsts.v[number].at_ms > UINT64_MAX - info->ttl_ms)
		return UINT64_MAX;
	return ttl->firsts.v[number].at_ms + info->ttl_ms;
}

static int
write_all(int fd, const char *s, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, s, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		s += w;
		n -= (size_t)w;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Written beside, synced, renamed: whatever happens, the old or the new file is there whole. */
static int
replace_file(const char *path, const struct sbuf *text)
{
	struct sbuf tmp = SBUF_INIT;
	int fd, r;

	sbuf_addf(&tmp, "%s.new", path);
	if (!sbuf_ok(&tmp))
		return -ENOMEM;
	fd = open(sbuf_str(&tmp), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0) {
		r = -errno;
		sbuf_fini(&tmp);
		return r;
	}
	r = write_all(fd, text->s, text->len);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(sbuf_str(&tmp), path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(sbuf_str(&tmp));
	sbuf_fini(&tmp);
	return r;
}

int
ruleset_ttl_save(const struct ruleset_ttl *ttl, const char *path, struct diag *diag)
{
	struct sbuf text = SBUF_INIT;
	int r;

	sbuf_addf(&text, "%s\n", head);
	for (size_t i = 0; i < ttl->firsts.n; i++)
		sbuf_addf(&text, "%s 0x%016" PRIx64 " %" PRIu64 "\n", ttl->names.list.v[i],
			ttl->firsts.v[i].text_hash, ttl->firsts.v[i].at_ms);
	r = sbuf_ok(&text) ? replace_file(path, &text) : -ENOMEM;
	sbuf_fini(&text);
	if (r == -ENOMEM)
		return load_out_of_memory(diag);
	if (r < 0) {
		diag_set_file(diag, path);
		return diag_fail(diag, r, "cannot write: %s", strerror(-r));
	}
	return 0;
}
