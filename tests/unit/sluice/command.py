# SPDX-License-Identifier: BSD-3-Clause
"""sluice as its users meet it, for tests whose first argument is its path: run it, and look at what
it says."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from share import environment

SLUICE = os.path.abspath(sys.argv[1])


def sluice(*args, data=b"", raw=False, **more):
    """Run it; (status, stdout, stderr) as text, or stdout as bytes with @raw."""
    more.setdefault("env", environment())
    done = subprocess.run([SLUICE, *args], input=data, capture_output=True, timeout=60, check=False, **more)
    return done.returncode, done.stdout if raw else done.stdout.decode(), done.stderr.decode()


def read_until(pipe, end):
    """What comes from a pipe that stays open, until it ends with @end."""
    got = b""
    while not got.endswith(end):
        more = pipe.read1(4096)
        if not more:
            raise AssertionError(f"closed behind {got!r}, {end!r} was expected")
        got += more
    return got


class Case(unittest.TestCase):
    """A folder of its own."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-test-")
        self.addCleanup(self.folder.cleanup)

    def path(self, name, text=None):
        """A path in the folder, with @text in it."""
        where = pathlib.Path(self.folder.name) / name
        where.parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            where.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(where)

    def fails(self, status, sentence, *args, out="", **more):
        """That this call ends with @status and says exactly @sentence."""
        self.assertEqual(sluice(*args, **more), (status, out, "sluice" + sentence + "\n"))
