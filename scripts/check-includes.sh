#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# scripts/check-includes.sh: only what scripts/lint says of who includes what.
exec "$(dirname "$0")/lint" --only includes --only arrows --only headers "$@"
