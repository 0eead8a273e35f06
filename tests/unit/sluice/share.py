# SPDX-License-Identifier: BSD-3-Clause
"""How much a second build (sanitizers, another compiler) does of what is done often: one in
SHARE."""

import os
import random

SHARE = int(os.environ.get("SLUICE_SHARE", "1"))


def share_of(many):
    """Others each time."""
    return many[random.randrange(SHARE) % max(1, len(many))::SHARE]


def environment():
    """For a program. Looking for leaks takes longer than most programs: one in SHARE looks."""
    env = dict(os.environ)
    if random.randrange(SHARE) > 0:
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return env
