#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
cd /home/me/sluice || exit
. /work/main/env
ls build/work/x "$HOME/work/x"
