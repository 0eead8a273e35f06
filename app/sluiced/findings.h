/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_FINDINGS_H
#define SLUICED_FINDINGS_H

struct match_image;
struct ruleset;

/* Log what was found wrong with @rules while @image was built: some lines of it. */
void findings_log(const struct ruleset *rules, const struct match_image *image);

#endif
