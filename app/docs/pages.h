/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DOCS_PAGES_H
#define DOCS_PAGES_H

/* The manual's pages and the completions, each printed whole to standard output. */

struct cli_cmd;

void page_sluice(void); /* sluice(1) */
void page_command(const struct cli_cmd *cmd); /* sluice-COMMAND(1) */
void page_sluiced(void); /* sluiced(8) */
void page_config(void); /* sluiced.ini(5) */
void page_rules(void); /* sluice-rules(5) */

void complete_sluice(void);
void complete_sluiced(void);

#endif
