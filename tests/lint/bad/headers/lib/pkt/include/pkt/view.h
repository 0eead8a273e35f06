/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PKT_VIEW_H
#define PKT_VIEW_H

int view_run(void);

#endif
