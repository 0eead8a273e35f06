// SPDX-License-Identifier: BSD-3-Clause
/*
 * Programs that are too long for --bytecode: eBPF objects within the script,
 * which bpftool loads and pins, and which xt_bpf finds by their path.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "cbpf/prog.h"
#include "cli.h"
#include "ebpf/lower.h"
#include "script.h"

#define LINE_BYTES 57 /* 76 characters, as base64(1) writes them */

static void
add_base64(struct sbuf *b, const uint8_t *bytes, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		const uint32_t have = n - i < 3 ? (uint32_t)(n - i) : 3;
		uint32_t v = (uint32_t)bytes[i] << 16;

		if (have > 1)
			v |= (uint32_t)bytes[i + 1] << 8;
		if (have > 2)
			v |= bytes[i + 2];
		for (uint32_t j = 0; j < 4; j++)
			sbuf_addc(b, j <= have ? digits[v >> (18 - 6 * j) & 63] : '=');
		if ((i + 3) % LINE_BYTES == 0 || i + 3 >= n)
			sbuf_addc(b, '\n');
	}
}

/* The object's name: a dot in one is kept for other uses by the kernel. */
static void
add_name(struct sbuf *b, const char *name)
{
	for (; *name != '\0'; name++)
		sbuf_addc(b, *name == '.' ? '_' : *name);
}

int
script_add_object(
	struct script_objects *o, const char *name, const struct gen_out *program, bool inet6)
{
	struct cbpf_prog *prog = NULL;
	struct sbuf object = SBUF_INIT;
	struct diag diag = {0};
	int r = cbpf_prog_new(program->insns, program->n, &prog, &diag);

	if (r == 0)
		r = ebpf_write_filter(prog, inet6 ? EBPF_SEES_IP6 : EBPF_SEES_IP4, &object, &diag);
	cbpf_prog_free(prog);
	if (r < 0) {
		sbuf_fini(&object);
		return cli_fail(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, "%s", diag.msg);
	}
	sbuf_adds(&o->load, "\tobject_load ");
	add_name(&o->load, name);
	sbuf_adds(&o->load, " <<'END'\n");
	add_base64(&o->load, (const uint8_t *)sbuf_str(&object), object.len);
	sbuf_adds(&o->load, "END\n");
	sbuf_adds(&o->remove, " \\\n\t\t\"${objects}/");
	add_name(&o->remove, name);
	sbuf_addc(&o->remove, '"');
	if (!sbuf_ok(&object))
		o->load.failed = true;
	sbuf_fini(&object);
	return CLI_DONE;
}

void
script_objects_fini(struct script_objects *o)
{
	sbuf_fini(&o->load);
	sbuf_fini(&o->remove);
}

void
script_add_pinned(struct sbuf *b, const char *name)
{
	sbuf_adds(b, " \\\n\t\t-m bpf --object-pinned \"${objects}/");
	add_name(b, name);
	sbuf_addc(b, '"');
}

void
script_add_objects(struct sbuf *b, const struct script_objects *o)
{
	sbuf_adds(b,
		"objects=${OBJECTS:-/sys/fs/bpf}\n"
		"read -ra bpftool <<<\"${BPFTOOL:-bpftool}\"\n\n"
		"# Load the eBPF object on standard input, as base64, and pin it as $1.\n"
		"object_load() {\n\tlocal file\n\n"
		"\tif [ -e \"${objects}/$1\" ]; then\n\t\treturn\n\tfi\n"
		"\tfile=$(mktemp)\n"
		"\tif ! base64 -d >|\"${file}\" ||\n"
		"\t\t! \"${bpftool[@]}\" prog load \"${file}\" \"${objects}/$1\"; then\n"
		"\t\trm -f -- \"${file}\"\n\t\treturn 1\n\tfi\n"
		"\trm -f -- \"${file}\"\n}\n\n"
		"objects_load() {\n");
	sbuf_adds(b, sbuf_str(&o->load));
	sbuf_adds(b, "}\n\nobjects_remove() {\n\trm -f --");
	sbuf_adds(b, sbuf_str(&o->remove));
	sbuf_adds(b, "\n}\n\n");
	if (!sbuf_ok(&o->load) || !sbuf_ok(&o->remove))
		b->failed = true;
}
