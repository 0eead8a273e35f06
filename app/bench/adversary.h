/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_ADVERSARY_H
#define BENCH_ADVERSARY_H

/*
 * Frames of somebody who knows the rules and this program, and has the time to
 * look for what hurts: he makes images of the same rules, as often as he likes,
 * times what families have to offer on them frame by frame, and keeps the worst;
 * of several mixtures of these he sends the slowest. What he does not know are
 * the seeds of the tables of the image that is attacked; frames that collide in
 * one of his own are taken all the same.
 *
 * One thread per object.
 */

#include <stddef.h>
#include <stdint.h>

struct adversary;
struct family;
struct rng;

/* Look for frames against the rules of @f. Returns 0 or -ENOMEM. */
int adversary_new(struct family *f, uint64_t seed, struct adversary **ret_adversary);
void adversary_free(struct adversary *a);

/* What he sends, as family_frame(). */
size_t adversary_frame(const struct adversary *a, struct rng *rng, uint8_t *buf);

/* What that is, and what a frame of it cost him. */
const char *adversary_choice(const struct adversary *a, double *ret_ns);

#endif
