// SPDX-License-Identifier: BSD-3-Clause
/* Sluice's own engines, and the same program through clang -O3. */
#include <stdio.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "cbpf/text.h"
#include "clang.h"
#include "engine.h"

static uint32_t
interp_one(const struct engine_prog *p, const struct engine_frames *f, size_t i)
{
	return cbpf_run(p->prog, f->v[i].data, f->v[i].caplen, f->v[i].wirelen);
}

static uint32_t
interp_all(const struct engine_prog *p, const struct engine_frames *f)
{
	ENGINE_LOOP(f, cbpf_run(p->prog, frame->data, frame->caplen, frame->wirelen));
}

static int
interp_make(const struct cbpf_prog *prog, struct engine_prog *ret, char why[128])
{
	(void)why;
	ret->prog = prog;
	return 0;
}

static void
nothing_fini(struct engine_prog *p)
{
	(void)p;
}

const struct engine engine_interp = {
	.name = "interpreter",
	.key = "interpreter",
	.make = interp_make,
	.one = interp_one,
	.all = interp_all,
	.fini = nothing_fini,
};

/* A pointer to a function of the one signature: our JIT's and clang's alike. */
static uint32_t
fn_one(const struct engine_prog *p, const struct engine_frames *f, size_t i)
{
	return p->fn(f->v[i].data, f->v[i].caplen, f->v[i].wirelen);
}

static uint32_t
fn_all(const struct engine_prog *p, const struct engine_frames *f)
{
	const cbpf_fn fn = p->fn;

	ENGINE_LOOP(f, fn(frame->data, frame->caplen, frame->wirelen));
}

static int
jit_make(const struct cbpf_prog *prog, struct engine_prog *ret, char why[128])
{
	struct cbpf_jit *jit = NULL;
	struct diag diag = {0};
	int r = cbpf_jit_new(prog, &jit, &diag);

	if (r < 0) {
		(void)snprintf(why, 128, "%.120s", diag.msg);
		return r;
	}
	ret->handle = jit;
	ret->fn = cbpf_jit_fn(jit);
	return 0;
}

static void
jit_fini(struct engine_prog *p)
{
	cbpf_jit_free(p->handle);
}

const struct engine engine_jit = {
	.name = "JIT",
	.key = "jit",
	.make = jit_make,
	.one = fn_one,
	.all = fn_all,
	.fini = jit_fini,
};

static int
clang_make(const struct cbpf_prog *prog, struct engine_prog *ret, char why[128])
{
	struct sbuf c = SBUF_INIT;
	struct clang_made made;
	int r;

	cbpf_write_c(prog, "filter", &c);
	r = clang_load(&c, "-O3", 0, "filter", &made, why);
	sbuf_fini(&c);
	if (r < 0)
		return r;
	ret->handle = made.handle;
	*(void **)&ret->fn = made.fn;
	return 0;
}

static void
unload(struct engine_prog *p)
{
	clang_fini(&(struct clang_made){.handle = p->handle});
}

const struct engine engine_clang = {
	.name = "clang -O3",
	.key = "clang",
	.make = clang_make,
	.one = fn_one,
	.all = fn_all,
	.fini = unload,
};
