// SPDX-License-Identifier: BSD-3-Clause
/*
 * INI documents through inih. As built, inih cuts lines at 199 bytes and still
 * calls the handler with what is left, cuts section names at 49, tells the
 * handler no line number and goes on after an error. So it never reads a file
 * itself: the reader below takes every line apart, counts it, refuses what inih
 * would bend, and hands over pieces that survive; a long value goes as a first
 * line and indented continuation lines, which the handler glues without
 * separator. What came through is compared with what went in.
 */
#include "base/ini.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <ini.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "base/vec.h"
#include "ini_file.h"
#include "ini_line.h"

#define PIECE_MAX 198 /* bytes of a line that inih is given; it cuts at 199 */
#define FILE_MAX ((size_t)64 << 20) /* bytes */
#define KEYS_MAX 256 /* keys of one section; there are far fewer names */

/* A section while its document grows: entries are numbers, as their array moves. */
struct section {
	struct ini_section pub;
	size_t first_entry;
};

struct ini_doc {
	struct arena arena; /* every string, and @pub */
	struct {
		struct section *v;
		size_t n, cap;
	} sections;
	struct {
		struct ini_entry *v;
		size_t n, cap;
	} entries;
	struct ini_section *pub;
};

/* One text on its way through inih. */
struct reading {
	struct ini_doc *doc;
	const char *file; /* in the document's arena */
	const char *rest; /* of the text */
	size_t rest_len;
	unsigned int line; /* of the line in hand */
	bool in_section; /* of this text */
	struct ini_slice section;
	struct ini_line cur;
	size_t given; /* bytes of cur.value that went to inih */
	bool in_value; /* the handler is to be called for cur */
	struct sbuf got; /* what the handler was given */
	int err; /* first failure, already in @diag */
	struct diag *diag;
};

static int
fail(struct reading *rd, int err)
{
	if (rd->diag != NULL)
		rd->diag->line = rd->line;
	diag_set_file(rd->diag, rd->file);
	rd->err = err;
	return err;
}

static int
out_of_memory(struct reading *rd)
{
	return fail(rd, diag_fail(rd->diag, -ENOMEM, "out of memory"));
}

/* "rule a" is kind "rule" and name "a". */
static int
begin_section(struct reading *rd)
{
	struct ini_doc *doc = rd->doc;
	struct ini_slice t = rd->cur.name;
	struct section *s = vec_push(&doc->sections);
	size_t n = 0;

	if (s == NULL)
		return out_of_memory(rd);
	while (n < t.len && !ini_is_blank(t.s[n]))
		n++;
	s->first_entry = doc->entries.n;
	s->pub.file = rd->file;
	s->pub.line = rd->line;
	s->pub.kind = arena_strndup(&doc->arena, t.s, n);
	while (n < t.len && ini_is_blank(t.s[n]))
		n++;
	s->pub.name = arena_strndup(&doc->arena, t.s + n, t.len - n);
	if (s->pub.kind == NULL || s->pub.name == NULL)
		return out_of_memory(rd);
	rd->in_section = true;
	rd->section = t;
	return 0;
}

static int
begin_value(struct reading *rd)
{
	const struct ini_doc *doc = rd->doc;
	const struct ini_slice k = rd->cur.name;
	size_t first;

	if (!rd->in_section)
		return fail(rd,
			diag_fail(rd->diag, -EINVAL, "expected a [section] before the key '%.*s'",
				(int)k.len, k.s));
	first = doc->sections.v[doc->sections.n - 1].first_entry;
	if (doc->entries.n - first >= KEYS_MAX)
		return fail(rd,
			diag_fail(rd->diag, -EINVAL, "expected at most %d keys in a section",
				KEYS_MAX));
	for (size_t i = first; i < doc->entries.n; i++) {
		const struct ini_entry *e = &doc->entries.v[i];

		if (strlen(e->key) == k.len && memcmp(e->key, k.s, k.len) == 0)
			return fail(rd,
				diag_fail(rd->diag, -EINVAL,
					"the key '%s' is already set in line %u of this section",
					e->key, e->line));
	}
	rd->in_value = true;
	rd->given = 0;
	return 0;
}

/* The value in hand went through inih: keep it, if it is what the line says. */
static int
end_value(struct reading *rd)
{
	struct ini_doc *doc = rd->doc;
	struct ini_entry *e;

	if (!rd->in_value)
		return 0;
	rd->in_value = false;
	if (!sbuf_ok(&rd->got))
		return out_of_memory(rd);
	if (rd->got.len != rd->cur.value.len ||
		memcmp(sbuf_str(&rd->got), rd->cur.value.s, rd->got.len) != 0)
		return fail(rd,
			diag_fail(rd->diag, -EINVAL,
				"the value of '%.*s' did not come whole through inih: got %zu of %zu bytes",
				(int)rd->cur.name.len, rd->cur.name.s, rd->got.len,
				rd->cur.value.len));
	e = vec_push(&doc->entries);
	if (e == NULL)
		return out_of_memory(rd);
	e->line = rd->line;
	e->key = arena_strndup(&doc->arena, rd->cur.name.s, rd->cur.name.len);
	e->value = arena_strndup(&doc->arena, rd->cur.value.s, rd->cur.value.len);
	if (e->key == NULL || e->value == NULL)
		return out_of_memory(rd);
	sbuf_fini(&rd->got);
	return 0;
}

/* Take the next line that is not blank. 1: there is one, in rd->cur; 0: end; or -errno. */
static int
next_line(struct reading *rd)
{
	while (rd->rest_len > 0) {
		const char *s = rd->rest;
		const char *nl = memchr(s, '\n', rd->rest_len);
		size_t len = nl != NULL ? (size_t)(nl - s) : rd->rest_len;
		int r;

		rd->rest += len + (nl != NULL);
		rd->rest_len -= len + (nl != NULL);
		rd->line++;
		r = ini_line_parse(s, len, &rd->cur, rd->diag);
		if (r < 0)
			return fail(rd, r);
		if (rd->cur.kind != INI_LINE_NOTHING)
			return 1;
	}
	return 0;
}

/*
 * Write the next piece of the value in hand to @buf. The first one is
 * "key=PIECE" without a blank, since " ;" would start a comment; the others
 * start with a blank, which makes them continuation lines.
 */
static char *
give_piece(struct reading *rd, char *buf, size_t max)
{
	struct ini_slice rest = {rd->cur.value.s + rd->given, rd->cur.value.len - rd->given};
	size_t len = 0;
	size_t n;

	if (rd->given == 0) {
		len = rd->cur.name.len;
		memcpy(buf, rd->cur.name.s, len);
		buf[len++] = '=';
	} else {
		buf[len++] = ' ';
	}
	n = ini_line_cut(rest, max - len);
	if (n == 0 && rest.len > 0) {
		fail(rd,
			diag_fail(rd->diag, -EINVAL,
				"the value of '%.*s' has over %zu bytes in a row of blanks, ';' or '#'",
				(int)rd->cur.name.len, rd->cur.name.s, max - len));
		return NULL;
	}
	memcpy(buf + len, rest.s, n);
	buf[len + n] = '\0';
	rd->given += n;
	return buf;
}

/* inih's fgets(). NULL ends the text, also after a failure. */
static char *
read_piece(char *buf, int size, void *arg)
{
	struct reading *rd = arg;
	size_t max = size > 0 ? MIN((size_t)size - 1, (size_t)PIECE_MAX) : 0;
	int r;

	if (rd->err < 0)
		return NULL;
	if (max < 64) { /* a key, '=' and some of the value */
		fail(rd, diag_fail(rd->diag, -EINVAL, "inih takes lines of only %d bytes", size));
		return NULL;
	}
	if (rd->in_value && rd->given < rd->cur.value.len)
		return give_piece(rd, buf, max);
	if (end_value(rd) < 0)
		return NULL;
	r = next_line(rd);
	if (r <= 0)
		return NULL;
	if (rd->cur.kind == INI_LINE_KEY)
		return begin_value(rd) < 0 ? NULL : give_piece(rd, buf, max);
	if (begin_section(rd) < 0)
		return NULL;
	(void)snprintf(buf, (size_t)size, "[%.*s]", (int)rd->cur.name.len, rd->cur.name.s);
	return buf;
}

static bool
slice_is(struct ini_slice t, const char *s)
{
	return strlen(s) == t.len && memcmp(s, t.s, t.len) == 0;
}

/* inih's handler: once per piece. What it gives must be what it was given. */
static int
take_piece(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *rd = arg;

	if (rd->err < 0 || !rd->in_value || !slice_is(rd->section, section) ||
		!slice_is(rd->cur.name, name))
		return 0;
	sbuf_adds(&rd->got, value);
	return 1;
}

static int
read_text(struct ini_doc *doc, const char *name, const char *text, size_t len, struct diag *diag)
{
	struct reading rd = {.doc = doc, .rest = text, .rest_len = len, .diag = diag};
	int bad;

	rd.file = arena_strndup(&doc->arena, name, strlen(name));
	if (rd.file == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		rd.rest += 3;
		rd.rest_len -= 3;
	}
	bad = ini_parse_stream(read_piece, &rd, take_piece, &rd);
	if (rd.err == 0 && bad < 0)
		out_of_memory(&rd);
	else if (rd.err == 0 && bad > 0)
		fail(&rd, diag_fail(diag, -EINVAL, "inih could not read this line"));
	sbuf_fini(&rd.got);
	return rd.err;
}

/* The document is complete: turn numbers of entries into pointers. */
static int
finish(struct ini_doc *doc)
{
	size_t n = doc->sections.n;

	doc->pub = arena_zalloc(&doc->arena, (n + 1) * sizeof(*doc->pub));
	if (doc->pub == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct section *s = &doc->sections.v[i];
		size_t end = i + 1 < n ? s[1].first_entry : doc->entries.n;

		doc->pub[i] = s->pub;
		doc->pub[i].n_entries = end - s->first_entry;
		if (doc->pub[i].n_entries > 0)
			doc->pub[i].entries = &doc->entries.v[s->first_entry];
	}
	return 0;
}

static int
read_file(struct ini_doc *doc, const char *path, struct diag *diag)
{
	char *text = NULL;
	size_t len;
	int r;

	r = file_read(path, FILE_MAX, &text, &len, diag);
	if (r < 0) {
		diag_set_file(diag, path);
		return r;
	}
	r = read_text(doc, path, text, len, diag);
	mem_free(text);
	return r;
}

static int
read_directory(struct ini_doc *doc, const char *dir, struct diag *diag)
{
	struct ini_names names = {0};
	int r;

	r = ini_file_list(dir, &names, diag);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = read_file(doc, names.v[i], diag);
	ini_file_names_fini(&names);
	return r;
}

int
ini_load(const char *path, const char *conf_d, struct ini_doc **ret_doc, struct diag *diag)
{
	struct ini_doc *doc = mem_zalloc(sizeof(*doc));
	int r;

	if (doc == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	r = read_file(doc, path, diag);
	if (r == 0 && conf_d != NULL)
		r = read_directory(doc, conf_d, diag);
	if (r == 0 && finish(doc) < 0)
		r = diag_fail(diag, -ENOMEM, "out of memory");
	if (r < 0) {
		ini_doc_free(doc);
		return r;
	}
	*ret_doc = doc;
	return 0;
}

int
ini_load_text(
	const char *name, const char *text, size_t len, struct ini_doc **ret_doc, struct diag *diag)
{
	struct ini_doc *doc = mem_zalloc(sizeof(*doc));
	int r;

	if (doc == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	r = read_text(doc, name, text, len, diag);
	if (r == 0 && finish(doc) < 0)
		r = diag_fail(diag, -ENOMEM, "out of memory");
	if (r < 0) {
		ini_doc_free(doc);
		return r;
	}
	*ret_doc = doc;
	return 0;
}

void
ini_doc_free(struct ini_doc *doc)
{
	if (doc == NULL)
		return;
	mem_free(doc->sections.v);
	mem_free(doc->entries.v);
	arena_fini(&doc->arena);
	mem_free(doc);
}

const struct ini_section *
ini_doc_sections(const struct ini_doc *doc, size_t *ret_n)
{
	*ret_n = doc->sections.n;
	return doc->pub;
}

int
ini_fail(struct diag *diag, int err, const struct ini_section *s, const struct ini_entry *e,
	const char *fmt, ...)
{
	va_list ap;

	if (diag == NULL)
		return err;
	diag->file[0] = '\0';
	diag_set_file(diag, s->file);
	diag->line = e != NULL ? e->line : s->line;
	diag->col = 0;
	va_start(ap, fmt);
	if (vsnprintf(diag->msg, sizeof(diag->msg), fmt, ap) < 0)
		diag->msg[0] = '\0';
	va_end(ap);
	return err;
}
