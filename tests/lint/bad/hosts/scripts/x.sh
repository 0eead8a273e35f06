#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
mirror=http://deb.debian.org/debian
registry=registry.npmjs.org
