/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef QUIET_CLI_H
#define QUIET_CLI_H

#include <stdbool.h>

/* A command said that something is wrong. */
extern bool quiet_cli_failed;

#endif
