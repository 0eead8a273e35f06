#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Count what scripts/test ran: test_report.py RESULTS-DIR SKIPS-FILE

RESULTS-DIR holds BUILD.PART.json (meson's testlog), BUILD.build (the log of a
build that failed) and BUILD.PART.broken (the log of a meson that ran no test).
A program with cases of cmocka, TAP or Python's unittest counts by them, any other as one. Prints
the log of what failed, then the line "N passed, N failed, N skipped"; exit
status 1 when anything failed, or skipped without being named in SKIPS-FILE.
"""

import json
import pathlib
import re
import sys

CMOCKA_CASE = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (.+)$", re.M)
CMOCKA_STARTED = re.compile(r"^\[ RUN      \] ", re.M)
TAP_CASE = re.compile(r"^(ok|not ok)\b *(\d*)[ -]*([^#\n]*)(?:# *(SKIP)?.*)?$", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n\n(OK|FAILED)(?: \((.*)\))?$", re.M)
TAP_PLAN = re.compile(r"^1\.\.\d+", re.M)
SHOWN = 12000  # characters of a failing test's output that are printed


def read_skips(path):
    """Name -> reason. A line is NAME: REASON; blank lines and # comments are allowed."""
    skips = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, colon, reason = line.partition(": ")
        if not colon or not reason.strip():
            raise SystemExit(f"{path}:{number}: expected 'NAME: REASON', got '{line}'")
        skips[name.strip()] = reason.strip()
    return skips


def cases_of(test):
    """[(outcome, case or "")] of one test program, outcome pass, fail or skip."""
    result, out = test["result"], test.get("stdout") or ""
    if result in ("SKIP",):
        return [("skip", "")]
    cases = []
    if CMOCKA_STARTED.search(out):
        # Only what was seen between start and summary; the summary repeats failures.
        body = out.split("test(s) run.")[0] if out.count("test(s) run.") == 1 else out
        names = {"OK": "pass", "FAILED": "fail", "SKIPPED": "skip"}
        cases = [(names[m[1]], m[2]) for m in CMOCKA_CASE.finditer(body)]
    elif TAP_PLAN.search(out):
        for m in TAP_CASE.finditer(out):
            outcome = "skip" if m[4] == "SKIP" else "pass" if m[1] == "ok" else "fail"
            cases.append((outcome, m[3].strip() or m[2]))
    else:
        # unittest without -v names nothing; several at once are one report each.
        for m in UNITTEST.finditer((test.get("stderr") or "") + "\n" + out):
            odd = dict(re.findall(r"(\w+)=(\d+)", m[3] or ""))
            skipped = int(odd.get("skipped", 0))
            failed = int(odd.get("failures", 0)) + int(odd.get("errors", 0))
            cases += [("skip", "")] * skipped + [("fail", "")] * failed
            cases += [("pass", "")] * (int(m[1]) - skipped - failed)
    good = result in ("OK", "EXPECTEDFAIL")
    if not cases:
        cases = [("pass" if good else "fail", "")]
    elif not good and all(outcome != "fail" for outcome, _ in cases):
        cases.append(("fail", result.lower()))
    return cases


def tail(text):
    text = text.rstrip()
    return text if len(text) <= SHOWN else f"[{len(text) - SHOWN} characters cut]\n{text[-SHOWN:]}"


def first_errors(text):
    """Of a build's log the lines that say what is wrong, with what follows them."""
    lines = text.splitlines()
    shown = []
    for i, line in enumerate(lines):
        if re.search(r"error:|ERROR:|undefined reference|^FAILED: ", line) and len(shown) < 60:
            shown += [s[:400] for s in lines[i:i + 3]]
    return "\n".join(shown) or text


def main():
    results, skips_path = map(pathlib.Path, sys.argv[1:3])
    skips = read_skips(skips_path)
    total = {"pass": 0, "fail": 0, "skip": 0}
    logs, slow, skipped = [], [], {}

    for path in sorted(results.glob("*.build")):
        total["fail"] += 1
        logs.append((f"{path.stem}: does not build", first_errors(path.read_text(errors="replace"))))
    for path in sorted(results.glob("*.broken")):
        total["fail"] += 1
        logs.append((f"{path.stem}: no test ran", path.read_text(errors="replace")))

    for path in sorted(results.glob("*.json")):
        build, part = path.stem.split(".", 1)
        count = {"pass": 0, "fail": 0, "skip": 0}
        for line in path.read_text(errors="replace").splitlines():
            test = json.loads(line)
            name = test["name"].split(" / ", 1)[-1]
            slow.append((test["duration"], build, name))
            bad = []
            for outcome, case in cases_of(test):
                full = f"{name}/{case}" if case else name
                count[outcome] += 1
                if outcome == "skip":
                    names = (full, name, f"{build}/{full}", f"{build}/{name}")
                    reason = next((skips[n] for n in names if n in skips), None)
                    if reason is None:
                        bad.append(f"{full}: skipped, which tests/skips.txt does not allow")
                        count["skip"] -= 1
                        count["fail"] += 1
                    else:
                        skipped.setdefault(full, reason)
                elif outcome == "fail":
                    bad.append(f"{full}: {test['result'].lower()}")
            if bad:
                logs.append((f"{build}: " + "; ".join(bad), "\n".join(
                    s for s in (test.get("stdout"), test.get("stderr")) if s)))
        for key in total:
            total[key] += count[key]
        print(f"{build:<8} {part:<6} {count['pass']:6} passed {count['fail']:4} failed "
              f"{count['skip']:4} skipped")

    for seconds, build, name in sorted(slow, reverse=True)[:8]:
        if seconds >= 5:
            print(f"{seconds:6.0f} s  {build}: {name}")
    for name, reason in sorted(skipped.items()):
        print(f"skipped: {name}: {reason}")
    for title, text in logs:
        print(f"\n======== {title}\n{tail(text)}")
    if logs:
        print("\nfailed:")
        for title, _ in logs:
            print(f"  {title}")
    if sum(total.values()) == 0:
        print("no test ran")
        total["fail"] = 1
    print(f"{total['pass']} passed, {total['fail']} failed, {total['skip']} skipped")
    return 1 if total["fail"] else 0


if __name__ == "__main__":
    sys.exit(main())
