// SPDX-License-Identifier: BSD-3-Clause
#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/shrink.h"
#include "cbpf/text.h"
#include "cli.h"

#define PROGRAM_TEXT_MAX ((size_t)16 << 20) /* bytes; 4,096 instructions take far less */

static const struct format {
	const char *name;
	void (*write)(const struct cbpf_insn *insns, size_t n, struct sbuf *out);
} formats[] = {
	{"xt", cbpf_write_xt},
	{"asm", cbpf_dis},
	{"ddd", cbpf_write_ddd},
	{"c-array", cbpf_write_c_array},
	{"json", cbpf_write_json},
	{"c", NULL}, /* these two need a validated program */
	{"ebpf", NULL},
};

static const struct format *
find_format(const char *name)
{
	for (size_t i = 0; i < DIM(formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

const char *
program_format_name(size_t i)
{
	return i < DIM(formats) ? formats[i].name : NULL;
}

int
program_check_format(const char *format)
{
	const char *names[DIM(formats)];
	const char *near;

	if (find_format(format) != NULL)
		return CLI_DONE;
	for (size_t i = 0; i < DIM(formats); i++)
		names[i] = formats[i].name;
	near = parse_nearest(format, names, DIM(names));
	if (near != NULL)
		return cli_fail(
			CLI_USAGE, "unknown format '%.40s'; did you mean '%s'?", format, near);
	return cli_fail(CLI_USAGE, "expected the format " PROGRAM_FORMATS ", got '%.40s'", format);
}

static int
write_object(const struct cbpf_prog *prog, enum ebpf_sees sees, struct sbuf *out)
{
	struct diag diag = {0};
	int r;

	if (isatty(STDOUT_FILENO))
		return cli_fail(
			CLI_USAGE, "an object file is nothing for a terminal; write it to a file");
	r = ebpf_write_filter(prog, sees, out, &diag);
	return r < 0 ? cli_fail(CLI_FAILED, "%s", diag.msg) : CLI_DONE;
}

static int
write_valid(const struct format *f, const struct cbpf_insn *insns, size_t n, enum ebpf_sees sees,
	struct sbuf *out)
{
	struct cbpf_prog *prog = NULL;
	struct diag diag = {0};
	int r = cbpf_prog_new(insns, n, &prog, &diag), status = CLI_DONE;

	if (r < 0)
		return cli_fail(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, "%s", diag.msg);
	if (strcmp(f->name, "ebpf") == 0)
		status = write_object(prog, sees, out);
	else
		cbpf_write_c(prog, "filter", out);
	cbpf_prog_free(prog);
	return status;
}

/* For xt_bpf, which is Linux: with tests in front of shifts by X, where it is a program. */
static int
write_xt(const struct cbpf_insn *insns, size_t n, struct sbuf *out)
{
	struct cbpf_insn *guarded = NULL;
	struct cbpf_prog *prog = NULL;
	struct diag diag = {0};
	size_t n_guarded = n;
	int r = cbpf_prog_new(insns, n, &prog, &diag);

	if (r == 0)
		r = cbpf_linux(prog, &guarded, &n_guarded, &diag);
	else if (r != -ENOMEM)
		r = 0;
	if (r == 0 && n_guarded > n)
		cbpf_write_xt(guarded, n_guarded, out);
	else if (r == 0)
		cbpf_write_xt(insns, n, out);
	cbpf_prog_free(prog);
	mem_free(guarded);
	if (r < 0)
		return cli_fail(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, "%s", diag.msg);
	return CLI_DONE;
}

int
program_print(const char *format, const struct cbpf_insn *insns, size_t n, const char *text,
	enum ebpf_sees sees)
{
	const struct format *f = find_format(format);
	struct sbuf out = SBUF_INIT;
	int status = CLI_DONE;

	if (f == NULL)
		return program_check_format(format);
	if (f->write == cbpf_dis && text != NULL)
		sbuf_adds(&out, text);
	else if (f->write == cbpf_write_xt)
		status = write_xt(insns, n, &out);
	else if (f->write != NULL)
		f->write(insns, n, &out);
	else
		status = write_valid(f, insns, n, sees, &out);
	if (status == CLI_DONE && !sbuf_ok(&out))
		status = cli_fail(CLI_FAILED, "out of memory");
	if (status == CLI_DONE)
		(void)fwrite(sbuf_str(&out), 1, out.len, stdout);
	sbuf_fini(&out);
	return status;
}

/* Returns CLI_DONE for a program, else an exit status after telling stderr why it is none. */
static int
check_program(const struct cbpf_insn *insns, size_t n)
{
	struct cbpf_prog *prog = NULL;
	struct diag diag = {0};
	const int r = cbpf_prog_new(insns, n, &prog, &diag);

	cbpf_prog_free(prog);
	if (r < 0)
		return cli_fail(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, "%s", diag.msg);
	return CLI_DONE;
}

int
program_convert(const char *path, const char *format, const char *link, bool show)
{
	struct cbpf_insn *insns = NULL;
	struct diag diag = {0};
	char *text = NULL;
	size_t len, n;
	int r, status;

	status = program_check_format(format);
	if (status != CLI_DONE)
		return status;
	if (link != NULL && strcmp(link, "raw") != 0 && strcmp(link, "ether") != 0)
		return cli_fail(CLI_USAGE, "--link: expected raw or ether, got '%.40s'", link);
	diag_set_file(&diag, path);
	r = file_read(path, PROGRAM_TEXT_MAX, &text, &len, &diag);
	if (r == 0 && strlen(text) != len)
		r = diag_fail(&diag, -EINVAL, "expected text, got a NUL byte");
	if (r == 0)
		r = cbpf_read(text, &insns, &n, &diag);
	mem_free(text);
	if (r < 0)
		return cli_fail_diag(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, &diag);
	status = check_program(insns, n);
	if (status == CLI_DONE || (status == CLI_USAGE && show && find_format(format)->write))
		r = program_print(format, insns, n, NULL,
			link != NULL && strcmp(link, "ether") == 0 ? EBPF_SEES_FRAME
								   : EBPF_SEES_DATAGRAM);
	mem_free(insns);
	return status != CLI_DONE ? status : r;
}
