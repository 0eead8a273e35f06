#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
while :; do sleep 1; done
wait
if true; then sleep 0.1; fi
