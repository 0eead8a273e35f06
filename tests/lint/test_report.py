#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""scripts/test counts what it ran, and an unexplained skip is a failure."""

import json
import pathlib
import subprocess
import sys
import tempfile

REPORT = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts" / "test_report.py"

CMOCKA = """[==========] Running 3 test(s).
[ RUN      ] one
[       OK ] one
[ RUN      ] two
[  {two:>7} ] two
[ RUN      ] three
[       OK ] three
[==========] 3 test(s) run.
"""
UNITTEST = ".........\n------\nRan 9 tests in 0.1s\n\n{}\n"
TAP = "1..3\nok 1 - one\n{two}\nok 3 - three\n"


def result(name, outcome, stdout=""):
    return {"name": f"sluice:unit / {name}", "result": outcome, "stdout": stdout, "duration": 1.0}


# What it shows, tests that ran, tests/skips.txt, extra files, the last line, exit status, a text.
ROWS = (
    ("programs count once", [result("a", "OK"), result("b", "OK")], "", {},
     "2 passed, 0 failed, 0 skipped", 0, ""),
    ("cases of cmocka count", [result("a", "OK", CMOCKA.format(two="OK"))], "", {},
     "3 passed, 0 failed, 0 skipped", 0, ""),
    ("a failed case counts once", [result("a", "FAIL", CMOCKA.format(two="FAILED"))], "", {},
     "2 passed, 1 failed, 0 skipped", 1, "a/two: fail"),
    ("a crash between cases counts", [result("a", "FAIL", CMOCKA.format(two="OK"))], "", {},
     "3 passed, 1 failed, 0 skipped", 1, "a/fail: fail"),
    ("a skip inside a program that passes is seen",
     [result("a", "OK", CMOCKA.format(two="SKIPPED"))], "", {},
     "2 passed, 1 failed, 0 skipped", 1, "does not allow"),
    ("a named case may skip", [result("a", "OK", CMOCKA.format(two="SKIPPED"))], "a/two: why\n", {},
     "2 passed, 0 failed, 1 skipped", 0, "skipped: a/two: why"),
    ("a named program may skip", [result("a", "SKIP")], "# comment\n\na: why\n", {},
     "0 passed, 0 failed, 1 skipped", 0, "skipped: a: why"),
    ("an unnamed program may not", [result("a", "SKIP")], "b: why\n", {},
     "0 passed, 1 failed, 0 skipped", 1, "does not allow"),
    ("a timeout fails", [result("a", "TIMEOUT")], "", {}, "0 passed, 1 failed, 0 skipped", 1,
     "a: timeout"),
    ("cases of TAP count", [result("a", "OK", TAP.format(two="ok 2 - two"))], "", {},
     "3 passed, 0 failed, 0 skipped", 0, ""),
    ("a failed TAP case counts", [result("a", "FAIL", TAP.format(two="not ok 2 - two"))], "", {},
     "2 passed, 1 failed, 0 skipped", 1, "a/two: fail"),
    ("a TAP skip needs its reason", [result("a", "OK", TAP.format(two="ok 2 - two # SKIP no"))],
     "", {}, "2 passed, 1 failed, 0 skipped", 1, "does not allow"),
    ("cases of unittest count", [result("a", "OK", UNITTEST.format("OK"))], "", {},
     "9 passed, 0 failed, 0 skipped", 0, ""),
    ("a skip of unittest needs its reason", [result("a", "OK", UNITTEST.format("OK (skipped=2)"))],
     "b: why\n", {}, "7 passed, 2 failed, 0 skipped", 1, "does not allow"),
    ("a reason may be for one build", [result("a", "OK", UNITTEST.format("OK (skipped=2)"))],
     "release/a: why\n", {}, "7 passed, 0 failed, 2 skipped", 0, "skipped: a: why"),
    ("a case's reason may be for one build", [result("a", "OK", CMOCKA.format(two="SKIPPED"))],
     "release/a/two: why\n", {}, "2 passed, 0 failed, 1 skipped", 0, "skipped: a/two: why"),
    ("and is for no other", [result("a", "OK", CMOCKA.format(two="SKIPPED"))],
     "arm64/a/two: why\n", {}, "2 passed, 1 failed, 0 skipped", 1, "does not allow"),
    ("a failed unittest counts", [result("a", "FAIL", UNITTEST.format("FAILED (failures=1, errors=1)"))],
     "", {}, "7 passed, 2 failed, 0 skipped", 1, "a: fail"),
    ("a build that fails counts", [result("a", "OK")], "", {"clang.build": "no such header"},
     "1 passed, 1 failed, 0 skipped", 1, "no such header"),
    ("nothing is no success", [], "", {}, "0 passed, 1 failed, 0 skipped", 1, "no test ran"),
)


def try_row(tests, skips, extra):
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        (tmp / "results").mkdir()
        if tests:
            text = "".join(json.dumps(t) + "\n" for t in tests)
            (tmp / "results" / "release.quiet.json").write_text(text)
        for name, content in extra.items():
            (tmp / "results" / name).write_text(content)
        (tmp / "skips.txt").write_text(skips)
        return subprocess.run([sys.executable, REPORT, tmp / "results", tmp / "skips.txt"],
                              capture_output=True, text=True, check=False)


def main():
    failed = 0
    print(f"1..{len(ROWS)}")
    for number, (what, tests, skips, extra, last, status, text) in enumerate(ROWS, 1):
        p = try_row(tests, skips, extra)
        good = (p.stdout.splitlines()[-1:] == [last] and p.returncode == status
                and text in p.stdout)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {what}")
        if not good:
            print("\n".join(f"# {line}" for line in (p.stdout + p.stderr).splitlines()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
