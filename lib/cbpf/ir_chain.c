// SPDX-License-Identifier: BSD-3-Clause
#include "ir_chain.h"

#include <errno.h>

#include "base/util.h"
#include "ir_exprs.h"
#include "ir_facts.h"

#define PLACES_MAX 32768 /* programs of L4Drop's kind have some 30 a rule, walks a thousand */
#define VALS_MAX 262144 /* that ways which meet may make again what each of them had */

/* A way on: to a place, and the block of the program from which it comes there. */
struct way {
	uint32_t to;
	const struct ir_block *from;
};

/* A way on from a block of the graph to a place that is not built yet. */
struct edge {
	struct edge *next;
	struct ir_block *from, **slot;
	const struct ir_block *link_from; /* where that is a place with phis */
};

/* What is done in one place of a program. Places are numbered in the order of time. */
struct place {
	enum { PLACE_ASK, PLACE_MEET, PLACE_END } kind;
	union {
		struct ir_test test; /* of PLACE_ASK; goes on to yes or no */
		const struct ir_block *block; /* of PLACE_MEET, for its phis; goes on to yes */
		uint32_t number; /* of PLACE_END, which returns it */
	};
	struct way yes, no;
	uint32_t link, section;
	struct edge *edges; /* to here */
	uint32_t n_edges;
};

struct chain {
	struct ir *ir;
	struct arena mem;
	const struct cbpf_link *links;
	size_t n_links;
	struct ir *progs; /* by link */
	struct ir args; /* what is asked of arguments */
	struct ir_block *args_block;
	struct place *places;
	uint32_t n_places, cap_places;
	uint32_t link; /* the one at hand */
	uint32_t section; /* it is of: up to one at which all ends for some */
	uint32_t *first; /* per block of it its first place */
	struct ir_exprs exprs;
	struct ir_facts facts;
};

/* ---- links to places ---- */

/* What a block of a program asks; its term is no question unless it returns what it computed. */
static uint32_t
count_places(const struct ir_block *b)
{
	uint32_t n = b->phis != NULL;

	for (const struct ir_guard *g = b->guards; g != NULL; g = g->next)
		n++;
	if (b->term == IR_BRANCH)
		for (const struct ir_test *t = b->tests; t != NULL; t = t->next)
			n++;
	return n + (b->term == IR_RET && b->ret->op != IR_CONST);
}

static struct place *
add_place(struct chain *c, int kind, struct way yes, struct way no)
{
	struct place *p = &c->places[c->n_places++];

	p->kind = kind;
	p->link = c->link;
	p->section = c->section;
	p->yes = yes;
	p->no = no;
	return p;
}

/* Where one comes by going on at block @b from @from: past blocks that ask nothing. */
static struct way
way_to(const struct chain *c, const struct ir_block *b, const struct ir_block *from, uint32_t found,
	uint32_t next)
{
	while (count_places(b) == 0 && b->term == IR_GOTO) {
		from = b;
		b = b->yes;
	}
	if (count_places(b) > 0)
		return (struct way){c->first[b->index], from};
	return (struct way){ir_is_const(b->ret, 0) ? next : found, NULL};
}

/* The next place, of the same block. */
static struct way
go_on(const struct chain *c)
{
	return (struct way){c->n_places + 1, NULL};
}

/* Where the last question of @b leads when it holds. */
static struct way
way_behind(const struct chain *c, const struct ir_block *b, uint32_t found, uint32_t next)
{
	if (b->term == IR_RET)
		return (struct way){ir_is_const(b->ret, 0) ? next : found, NULL};
	return way_to(c, b->yes, b, found, next);
}

static void
put_guards(
	struct chain *c, const struct ir_block *b, uint32_t last, struct way behind, uint32_t next)
{
	for (const struct ir_guard *g = b->guards; g != NULL; g = g->next) {
		const struct way yes = c->n_places == last ? behind : go_on(c);
		struct place *p = add_place(c, PLACE_ASK, yes, (struct way){next, NULL});

		p->test = (struct ir_test){.kind = IR_THERE, .guard = g};
	}
}

static void
put_block(struct chain *c, struct ir *prog, struct ir_block *b, uint32_t found, uint32_t next)
{
	const uint32_t last = c->n_places + count_places(b) - 1;
	const struct way behind = way_behind(c, b, found, next);

	if (b->phis != NULL)
		add_place(c, PLACE_MEET, c->n_places == last ? behind : go_on(c),
			(struct way){0, NULL})
			->block = b;
	put_guards(c, b, last, behind, next);
	if (b->term == IR_RET && b->ret->op != IR_CONST)
		add_place(c, PLACE_ASK, (struct way){found, NULL}, (struct way){next, NULL})->test =
			(struct ir_test){
				.kind = IR_EQ, .neg = true, .a = b->ret, .b = ir_const(prog, b, 0)};
	if (b->term != IR_BRANCH)
		return;
	for (const struct ir_test *t = b->tests; t != NULL; t = t->next) {
		const struct way yes = c->n_places == last ? behind : go_on(c);

		add_place(c, PLACE_ASK, yes, way_to(c, b->no, b, found, next))->test = *t;
	}
}

/* (argument @arg & @mask) == @want, or not. */
static struct ir_test
ask_arg(struct chain *c, enum ir_arg arg, uint32_t mask, uint32_t want, bool neg)
{
	return (struct ir_test){.kind = IR_RAWEQ,
		.neg = neg,
		.size = 4,
		.a = ir_arg(&c->args, c->args_block, arg),
		.mask = mask,
		.want = want};
}

static int
reserve(struct chain *c, uint32_t n)
{
	if (n > PLACES_MAX)
		return -E2BIG;
	if (n > c->cap_places) {
		const uint32_t cap = MAX(n, 2 * c->cap_places);
		struct place *more = arena_zalloc(&c->mem, cap * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		for (uint32_t i = 0; i < c->n_places; i++)
			more[i] = c->places[i];
		c->places = more;
		c->cap_places = cap;
	}
	return 0;
}

/* ---- what a link asks besides ---- */

/* Places of one of the choices of @a, and of @a. */
static uint32_t
places_of_choice(const struct cbpf_ask *a)
{
	return a->of == CBPF_ASK_BYTES && a->size == 4 ? 1 : 2;
}

static uint32_t
places_of(const struct cbpf_ask *a)
{
	return (uint32_t)a->n * places_of_choice(a) + (a->n == 0);
}

/* What @a asks about as a value. */
static struct ir_val *
asked(struct chain *c, const struct cbpf_ask *a)
{
	struct ir *ir = &c->args;
	struct ir_block *b = c->args_block;
	struct ir_val *v;

	if (a->of == CBPF_ASK_SPORT)
		return ir_alu(ir, b, CBPF_ALU_AND, ir_arg(ir, b, IR_ARG_SPORT),
			ir_const(ir, b, UINT16_MAX));
	v = ir_alu(ir, b, CBPF_ALU_RSH, ir_arg(ir, b, IR_ARG_KEY), ir_const(ir, b, a->shift));
	return ir_alu(ir, b, CBPF_ALU_AND, v, ir_const(ir, b, a->mask));
}

static uint64_t
word(const uint8_t *bytes, uint32_t size)
{
	uint64_t v = 0;

	for (uint32_t i = 0; i < size; i++)
		v |= (uint64_t)bytes[i] << 8 * i;
	return v;
}

/* The test of place @i of choice @o. */
static struct ir_test
choice_test(struct chain *c, const struct cbpf_ask *a, const union cbpf_choice *o, uint32_t i)
{
	const uint32_t size = MIN(a->size, 8);

	if (a->of == CBPF_ASK_BYTES)
		return (struct ir_test){.kind = IR_MEM,
			.off = a->off + 8 * i,
			.size = (uint8_t)size,
			.mask = word(o->bits + 8 * i, size),
			.want = word(o->val + 8 * i, size)};
	if (i > 0)
		return (struct ir_test){.kind = IR_GT,
			.neg = true,
			.a = asked(c, a),
			.b = ir_const(&c->args, c->args_block, o->hi)};
	/* Of a single number this says all, and the other one is answered. */
	return (struct ir_test){.kind = o->lo == o->hi ? IR_EQ : IR_GE,
		.a = asked(c, a),
		.b = ir_const(&c->args, c->args_block, o->lo)};
}

static void
put_choice(struct chain *c, const struct cbpf_ask *a, const union cbpf_choice *o, uint32_t held,
	uint32_t otherwise)
{
	const uint32_t n = places_of_choice(a);

	for (uint32_t i = 0; i < n; i++) {
		const struct way yes = i + 1 == n ? (struct way){held, NULL} : go_on(c);
		struct place *p = add_place(c, PLACE_ASK, yes, (struct way){otherwise, NULL});

		p->test = choice_test(c, a, o, i);
	}
}

/* All of @l behind each other; where all hold one comes to the place behind the last of them. */
static void
put_asks(struct chain *c, const struct cbpf_link *l, uint32_t next)
{
	for (size_t k = 0; k < l->n_asks; k++) {
		const struct cbpf_ask *a = &l->asks[k];
		const uint32_t held = c->n_places + places_of(a);

		if (a->n == 0)
			add_place(c, PLACE_ASK, (struct way){next, NULL}, (struct way){next, NULL})
				->test = ask_arg(c, IR_ARG_KEY, 0, 0, false);
		for (size_t i = 0; i < a->n; i++)
			put_choice(c, a, &a->v[i], held,
				i + 1 == a->n ? next : c->n_places + places_of_choice(a));
	}
}

static bool
asks_whole(const struct cbpf_link *l)
{
	return l->known != NULL && l->known->whole;
}

/* All bytes up to the last one are there. An empty packet has no last one, and is as good as cut. */
static struct ir_test
ask_whole(struct chain *c)
{
	struct ir *ir = &c->args;
	struct ir_block *b = c->args_block;
	struct ir_guard *g = arena_zalloc(&ir->mem, sizeof(*g));

	ir->failed |= g == NULL;
	if (g != NULL)
		*g = (struct ir_guard){
			.v = ir_alu(ir, b, CBPF_ALU_SUB, ir_len(ir, b), ir_const(ir, b, 1)),
			.end = 1};
	return (struct ir_test){.kind = IR_THERE, .guard = g};
}

/* What a link's key has to be, and of the packet what is not known from it. */
static void
put_key(struct chain *c, const struct cbpf_link *l, uint32_t next)
{
	const struct way no = {next, NULL};

	if (l->gate != 0)
		add_place(c, PLACE_ASK, go_on(c), no)->test =
			ask_arg(c, IR_ARG_KEY, l->gate, l->val & l->gate, false);
	if (asks_whole(l))
		add_place(c, PLACE_ASK, go_on(c), no)->test = ask_whole(c);
	add_place(c, PLACE_ASK, go_on(c), no)->test =
		ask_arg(c, IR_ARG_KEY, l->mask, l->val, false);
}

/* The places of a link: its key, its program, whether it is allowed, and its end. */
static int
put_link(struct chain *c, const struct cbpf_link *l, struct ir *prog)
{
	uint32_t end = c->n_places + 2 + (l->gate != 0) + asks_whole(l), found, next;
	struct way in;
	int r;

	for (size_t i = 0; i < l->n_asks; i++)
		end += places_of(&l->asks[i]);

	c->first = arena_zalloc(&c->mem, (prog->nblocks + 1) * sizeof(*c->first));
	if (c->first == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < prog->nblocks; i++) {
		c->first[i] = end;
		end += count_places(prog->blocks[i]);
	}
	found = end;
	next = found + 2;
	r = reserve(c, next + 1);
	if (r < 0)
		return r;
	in = l->prog != NULL ? way_to(c, prog->blocks[0], NULL, found, next)
			     : (struct way){found, NULL};
	put_key(c, l, next);
	put_asks(c, l, next);
	/* A question that is answered, for one that leads on past blocks that ask nothing. */
	add_place(c, PLACE_ASK, in, in)->test = ask_arg(c, IR_ARG_KEY, 0, 0, false);
	for (uint32_t i = 0; i < prog->nblocks; i++)
		put_block(c, prog, prog->blocks[i], found, next);
	add_place(c, PLACE_ASK, go_on(c), (struct way){next, NULL})->test =
		l->number < CBPF_CHAIN_NUMBERS
		? ask_arg(c, IR_ARG_ALLOWED, UINT32_C(1) << l->number, 0, true)
		: ask_arg(c, IR_ARG_KEY, 0, 0, false);
	add_place(c, PLACE_END, (struct way){0, NULL}, (struct way){0, NULL})->number = l->number;
	return c->args.failed || prog->failed ? -ENOMEM : 0;
}

static int
put_links(struct chain *c)
{
	int r = 0;

	c->progs = arena_zalloc(&c->mem, (c->n_links + 1) * sizeof(*c->progs));
	c->args_block = arena_zalloc(&c->args.mem, sizeof(*c->args_block));
	c->args.nil = arena_zalloc(&c->args.mem, sizeof(*c->args.nil));
	if (c->progs == NULL || c->args_block == NULL || c->args.nil == NULL)
		return -ENOMEM;
	ir_dom_enter(c->args_block);
	for (size_t i = 0; i < c->n_links && r == 0; i++) {
		const struct cbpf_link *l = &c->links[i];
		struct ir *prog = &c->progs[i];

		prog->known = l->known;
		if (l->prog != NULL && (r = ir_build(prog, l->prog)) == 0)
			r = ir_optimise(prog);
		if (r == 0)
			r = put_link(c, l, prog);
		c->link++;
		c->section += l->number == CBPF_CHAIN_NONE;
	}
	if (r == 0)
		r = reserve(c, c->n_places + 1);
	if (r == 0)
		add_place(c, PLACE_END, (struct way){0, NULL}, (struct way){0, NULL})->number =
			CBPF_CHAIN_NONE;
	return r;
}

static int
number_exprs(struct chain *c)
{
	int r = ir_exprs_init(&c->exprs, &c->mem);

	for (size_t i = 0; i < c->n_links && r == 0; i++)
		r = ir_exprs_number(&c->exprs, &c->progs[i]);
	if (r == 0)
		r = ir_exprs_number(&c->exprs, &c->args);
	return r == 0 ? ir_facts_init(&c->facts, &c->mem, c->exprs.n) : r;
}

/* ---- places to one graph ---- */

/* What a program has in @v, in block @b of the graph. */
static struct ir_val *
copy_val(struct chain *c, struct ir_block *b, struct ir_val *v)
{
	struct ir *ir = c->ir;
	struct ir_val *x, *y;

	if (v == NULL)
		return NULL;
	ir->failed |= ir->nvals > VALS_MAX;
	if (ir->failed)
		return ir->nil;
	if (v->copy != NULL && ir_dominates(v->copy->block, b))
		return v->copy;
	x = copy_val(c, b, v->a);
	y = copy_val(c, b, v->b);
	switch (v->op) {
	/* What needs no computing is one for all: it is found at once. */
	case IR_CONST: v->copy = ir_const(ir, ir->blocks[0], v->k); break;
	case IR_LEN: v->copy = ir_len(ir, ir->blocks[0]); break;
	case IR_ARG: v->copy = ir_arg(ir, ir->blocks[0], (enum ir_arg)v->k); break;
	case IR_LOAD: v->copy = ir_load(ir, b, x, v->k, v->size); break;
	case IR_RAW: v->copy = ir_raw(ir, b, x, v->k, v->size); break;
	case IR_ALU: v->copy = ir_alu(ir, b, v->alu, x, y); break;
	case IR_PHI: break; /* made where its place is built, which dominates all that need it */
	}
	return v->copy;
}

/*
 * Where one comes from the end of @from, by the outcome @holds of its test or with -1 without
 * one, when one goes @w: past all that is answered.
 */
static struct way
past_answers(struct chain *c, struct ir_block *from, int holds, struct way w)
{
	for (;;) {
		const struct place *p = &c->places[w.to];
		int is;

		if (p->kind != PLACE_ASK)
			return w;
		is = ir_facts_decide(&c->facts, from, holds, &p->test);
		if (is < 0)
			return w;
		w = is ? p->yes : p->no;
	}
}

static void *
graph_zalloc(struct chain *c, size_t size)
{
	void *p = arena_zalloc(&c->ir->mem, size);

	c->ir->failed |= p == NULL;
	return p;
}

/* A new block, the last so far, entered by @n edges, or by the one from @from. */
static struct ir_block *
new_block(struct chain *c, const struct edge *edges, uint32_t n, struct ir_block *from)
{
	struct ir_block *b = graph_zalloc(c, sizeof(*b));
	struct ir_block **preds = graph_zalloc(c, (n + 1) * sizeof(struct ir_block *));

	if (b == NULL || preds == NULL)
		return NULL;
	b->preds = preds;
	for (; edges != NULL; edges = edges->next) {
		b->preds[b->npreds++] = edges->from;
		*edges->slot = b;
	}
	if (from != NULL)
		b->preds[b->npreds++] = from;
	b->reached = true;
	b->index = c->ir->nblocks;
	c->ir->blocks[c->ir->nblocks++] = b;
	ir_dom_enter(b);
	return b;
}

/* Block @from goes on by @slot to the place of @w. */
static void
connect(struct chain *c, struct ir_block *from, struct ir_block **slot, struct way w)
{
	struct place *p = &c->places[w.to];
	struct edge *e;

	/* The moves of phis need an edge of their own. */
	if (p->kind == PLACE_MEET && from->term == IR_BRANCH) {
		*slot = new_block(c, NULL, 0, from);
		if (*slot == NULL)
			return;
		(*slot)->link = from->link;
		(*slot)->section = from->section;
		from = *slot;
		from->term = IR_GOTO;
		slot = &from->yes;
	}
	e = graph_zalloc(c, sizeof(*e));
	if (e == NULL)
		return;
	*e = (struct edge){p->edges, from, slot, w.from};
	p->edges = e;
	p->n_edges++;
}

static void
end_return(struct chain *c, struct ir_block *b, uint32_t number)
{
	b->term = IR_RET;
	b->ret = ir_const(c->ir, c->ir->blocks[0], number);
}

static void
end_goto(struct chain *c, struct ir_block *b, struct way w)
{
	b->term = IR_GOTO;
	connect(c, b, &b->yes, w);
}

static struct ir_test *
copy_test(struct chain *c, struct ir_block *b, const struct ir_test *t)
{
	struct ir_test *copy = ir_test_new(c->ir);
	struct ir_guard *g;

	if (copy == NULL)
		return NULL;
	*copy = *t;
	copy->next = NULL;
	copy->a = copy_val(c, b, t->a);
	copy->b = copy_val(c, b, t->b);
	if (t->kind != IR_THERE)
		return copy;
	g = graph_zalloc(c, sizeof(*g));
	if (g == NULL)
		return NULL;
	g->v = copy_val(c, b, t->guard->v);
	g->end = t->guard->end;
	copy->guard = g;
	return copy;
}

static void
end_ask(struct chain *c, struct ir_block *b, const struct place *p)
{
	struct way yes, no;

	if (ir_facts_add(&c->facts, b, &p->test) < 0) {
		c->ir->failed = true;
		return;
	}
	yes = past_answers(c, b, 1, p->yes);
	no = past_answers(c, b, 0, p->no);
	if (yes.to == no.to && c->places[yes.to].kind != PLACE_MEET) {
		/* Whatever it says, one goes on there: it is not asked, and nothing is learnt. */
		end_goto(c, b, yes);
		return;
	}
	b->term = IR_BRANCH;
	b->tests = copy_test(c, b, &p->test);
	connect(c, b, &b->yes, yes);
	connect(c, b, &b->no, no);
}

/* The phis of the place's block, each with what it is on every way to here. */
static void
end_meet(struct chain *c, struct ir_block *b, const struct place *p)
{
	for (struct ir_val *v = p->block->phis; v != NULL && !c->ir->failed; v = v->hash_next) {
		struct ir_val **args = graph_zalloc(c, b->npreds * sizeof(struct ir_val *));
		uint32_t n = 0;

		for (const struct edge *e = p->edges; e != NULL && args != NULL; e = e->next) {
			uint32_t i = 0;

			while (p->block->preds[i] != e->link_from)
				i++;
			args[n++] = copy_val(c, e->from, v->args[i]);
		}
		v->copy = ir_phi(c->ir, b);
		if (c->ir->failed)
			return;
		v->copy->args = args;
		v->copy->umax = v->umax;
	}
	end_goto(c, b, p->yes);
}

static void
build_place(struct chain *c, const struct place *p)
{
	struct ir_block *b = new_block(c, p->edges, p->n_edges, NULL);

	if (b == NULL)
		return;
	b->link = p->link;
	b->section = p->section;
	switch (p->kind) {
	case PLACE_ASK: end_ask(c, b, p); break;
	case PLACE_MEET: end_meet(c, b, p); break;
	case PLACE_END: end_return(c, b, p->number); break;
	}
}

static int
build_places(struct chain *c)
{
	struct ir *ir = c->ir;
	struct ir_block *entry;

	ir->is_chain = true;
	/* A place is a block, and so is each of its ways to phis; later, each may be split. */
	ir->cap_blocks = 3 * c->n_places + 2;
	ir->blocks = graph_zalloc(c, ir->cap_blocks * sizeof(struct ir_block *));
	ir->nil = graph_zalloc(c, sizeof(*ir->nil));
	if (ir->failed)
		return -ENOMEM;
	ir->nil->reg = -1;
	ir->nil->slot = -1;
	entry = new_block(c, NULL, 0, NULL);
	if (entry == NULL)
		return -ENOMEM;
	end_goto(c, entry, past_answers(c, entry, -1, (struct way){0, NULL}));
	for (uint32_t i = 0; i < c->n_places && !ir->failed; i++)
		if (c->places[i].n_edges > 0)
			build_place(c, &c->places[i]);
	if (ir->nvals > VALS_MAX)
		return -E2BIG;
	return ir->failed ? -ENOMEM : 0;
}

/* A comparison that nearly all frames fail. */
static bool
is_rare(const struct ir_test *t)
{
	return (t->kind == IR_MEM || t->kind == IR_EQ) && !t->neg;
}

/* What leads to phis keeps its order: they are moved to before they are needed. */
static bool
may_move(const struct ir_block *b)
{
	return b->phis == NULL && (b->yes == NULL || b->yes->phis == NULL) &&
		(b->no == NULL || b->no->phis == NULL);
}

/*
 *	cmp, jne L1				cmp, je L9
 *	(rest of the rule)		->	cmp ...
 * L1:	cmp ...					...
 *					L9:	(rest of the rule)
 *						jmp
 *
 * Most rules do not match most frames, and a jump that is not taken costs a
 * fourth of one that is: what only frames see of which a comparison of the rule's
 * own held, and all behind that is the rule's, too, goes to the end.
 */
static void
find_cold(struct chain *c)
{
	struct ir *ir = c->ir;
	bool *own = arena_zalloc(&c->mem, (ir->nblocks + 1) * sizeof(*own));

	if (own == NULL)
		return; /* as it is is right, too */
	for (uint32_t i = 0; i < ir->nblocks; i++)
		own[i] = may_move(ir->blocks[i]);
	for (uint32_t i = ir->nblocks; i-- > 1;) {
		const struct ir_block *b = ir->blocks[i], *up = b->idom;

		own[up->index] = own[up->index] && (own[i] && b->link == up->link);
	}
	for (uint32_t i = 1; i < ir->nblocks; i++) {
		struct ir_block *b = ir->blocks[i], *up = b->idom;

		b->cold = up->cold ||
			(up->term == IR_BRANCH && up->yes == b && b->npreds == 1 && own[i] &&
				b->link == up->link && is_rare(up->tests));
	}
}

int
ir_chain(struct ir *ir, const struct cbpf_link *links, size_t n)
{
	struct chain c = {.ir = ir, .mem = ARENA_INIT, .links = links, .n_links = n};
	int r = put_links(&c);

	if (r == 0)
		r = number_exprs(&c);
	if (r == 0)
		r = build_places(&c);
	if (r == 0)
		find_cold(&c);
	for (size_t i = 0; c.progs != NULL && i < n; i++)
		ir_fini(&c.progs[i]);
	ir_fini(&c.args);
	arena_fini(&c.mem);
	return r;
}
