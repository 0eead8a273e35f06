#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""bench_rules.py RULES.JSON: what "sluice-bench rules --json" said, as Markdown:
for each traffic a table of families and sizes, for each engine ns/packet; what
builds and updates took; and the cells in which the image of all rules is slower
than one of the others, or an adversary costs more than twice the typical figure."""

import json
import sys

OURS = "match"
BASELINES = ("rte_packed", "c")  # the best simple ways; one rule has a target of its own
ACL = "rte_acl"
TYPICAL = ("flood", "uniform")
ADVERSARIAL_MAX = 2.0


def ordered(values):
    return list(dict.fromkeys(values))


def number(ns):
    if ns is None:
        return "-"
    return f"{ns:.1f}" if ns < 100 else f"{ns:,.0f}"


class Results:
    def __init__(self, report):
        self.cells = {}
        self.state = {}
        for one in report["results"]:
            key = (one["family"], one["rules"], one["traffic"], one["cache"], one["engine"])
            self.cells[key] = one["ns"]
            self.state[key] = one["state"]
        keys = list(self.cells)
        self.families = ordered(key[0] for key in keys)
        self.sizes = ordered(key[1] for key in keys)
        self.traffics = ordered(key[2] for key in keys)
        self.cache = keys[0][3]
        self.engines = ordered(key[4] for key in keys)

    def ns(self, family, size, traffic, engine):
        return self.cells.get((family, size, traffic, self.cache, engine))

    def text(self, family, size, traffic, engine):
        key = (family, size, traffic, self.cache, engine)
        if self.cells.get(key) is None:
            state = self.state.get(key, "-")
            return "-" if state == "absent" else state
        return number(self.cells[key])


def row(*columns):
    print("| " + " | ".join(str(column) for column in columns) + " |")


def head(*columns):
    row(*columns)
    print("|---|" + "---:|" * (len(columns) - 1))


def costs(res):
    for traffic in res.traffics:
        print(f"\n## {traffic}, ns/packet\n")
        head("family", "rules", *res.engines)
        for family in res.families:
            for size in res.sizes:
                row(family, f"{size:,}",
                    *(res.text(family, size, traffic, engine) for engine in res.engines))


def builds(report):
    print("\n## Builds of the image of all rules\n")
    head("family", "rules", "ms", "KiB", "one more rule, ms")
    for one in report["builds"]:
        if one["engine"] == OURS and one["state"] == "right":
            row(one["family"], f"{one['rules']:,}", f"{one['build_ms']:.1f}",
                f"{one['bytes'] / 1024:,.0f}", f"{one['update_ms']:.2f}")


def slower(res, engine, families, smallest):
    """Cells in which @engine is faster than the image."""
    of, cells = 0, []
    for family in families:
        for size in res.sizes:
            for traffic in res.traffics:
                ours = res.ns(family, size, traffic, OURS)
                other = res.ns(family, size, traffic, engine)
                if size < smallest or ours is None or other is None:
                    continue
                of += 1
                if ours > other:
                    cells.append((ours / other, family, size, traffic, ours, other))
    return of, sorted(cells, reverse=True)


def comparison(res):
    print("\n## Where an image is slower\n")
    tuples = [family for family in res.families if family.startswith("five-tuple")]
    for engine, families, smallest in ([(name, res.families, 2) for name in BASELINES] +
                                       [(ACL, tuples, 1000)]):
        if engine not in res.engines:
            continue
        of, cells = slower(res, engine, families, smallest)
        print(f"- than `{engine}`, from {smallest:,} rules on: {len(cells)} of {of} cells")
        for ratio, family, size, traffic, ours, other in cells:
            print(f"  - {family}, {size:,} rules, {traffic}: {number(ours)} to {number(other)},"
                  f" {ratio:.2f} times")


def adversary(res):
    if "adversarial" not in res.traffics or not set(TYPICAL) & set(res.traffics):
        return
    print("\n## What an adversary makes of it\n")
    head("family", "rules", "typical", "adversarial", "ratio", "")
    for family in res.families:
        for size in res.sizes:
            typical = [res.ns(family, size, traffic, OURS) for traffic in TYPICAL]
            typical = max((ns for ns in typical if ns is not None), default=None)
            worst = res.ns(family, size, "adversarial", OURS)
            if typical is None or worst is None:
                continue
            ratio = worst / typical
            row(family, f"{size:,}", number(typical), number(worst), f"{ratio:.2f}",
                f"above {ADVERSARIAL_MAX:.0f}" if ratio > ADVERSARIAL_MAX else "")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    res = Results(report)
    print(f"# Rulesets, packets in {res.cache}, median of {report['rounds']} rounds, "
          f"seed {report['seed']}")
    print("\n`-`: not tried, or it took more than its time; `wrong`, `crashes`: what it is.")
    comparison(res)
    adversary(res)
    costs(res)
    builds(report)


main()
