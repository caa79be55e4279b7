#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ledger.py FILE [--nothing-lost [--joined]] [--spans N] [--print NAME]: do the numbers that a tracer logged add up?

Reads the last ledger of FILE (standard error of `wirespan agent`, `trace` or `record`).
  made = seen + lost of the records; exported + rejected + dropped + queued = spans of the exporter
--nothing-lost  nothing was lost, malformed or touched by loss
--joined        connections were joined in the middle of a message: its rest is understood by nobody
--spans N       that many spans were made
--print NAME    prints a number: made seen lost spans.made export.spans exported rejected full gave_up queued
"""
import argparse
import re
import sys

LINES = {
    "records": (r"wirespan: records: made (?P<made>\d+) = seen (?P<seen>\d+) \+ lost (?P<lost>\d+)\b.*?; "
                r"malformed (?P<malformed>\d+); payload shed from (?P<shed>\d+), no address \d+, "
                r"unreadable (?P<unreadable>\d+); gaps (?P<gaps>\d+)"),
    "exchanges": (r"wirespan: exchanges: (?P<exchanges>\d+); touched by loss (?P<touched>\d+), "
                  r"truncated (?P<truncated>\d+), without response (?P<no_response>\d+), without request (?P<no_request>\d+); "
                  r"undecodable bytes (?P<undecodable>\d+)"),
    "spans": r"wirespan: spans: made (?P<spans_made>\d+); parent unknown (?P<unknown>\d+)",
    "export": (r"wirespan: export: spans (?P<export_spans>\d+) = exported (?P<exported>\d+) \+ "
               r"rejected (?P<rejected>\d+) \+ dropped (?P<full>\d+) \(queue full\) \+ "
               r"(?P<gave_up>\d+) \(gave up\) \+ queued (?P<queued>\d+)"),
}


def read(text):
    numbers, faults = {}, []
    for name, pattern in LINES.items():
        found = list(re.finditer(pattern, text))
        if found:
            numbers.update({k: int(v) for k, v in found[-1].groupdict().items()})
        elif name != "export":
            faults.append(f"no line '{name}: ...' of the ledger")
    return numbers, faults


def judge(n, nothing_lost, joined, spans):
    if n["made"] != n["seen"] + n["lost"]:
        yield f"made {n['made']} != seen {n['seen']} + lost {n['lost']}"
    if not n["made"]:
        yield "no record was made: nothing has been traced"
    if "exported" in n:
        total = n["exported"] + n["rejected"] + n["full"] + n["gave_up"] + n["queued"]
        if total != n["export_spans"]:
            yield f"export: spans {n['export_spans']} != {total}"
        if n["export_spans"] != n["spans_made"]:
            yield f"{n['spans_made']} spans made, {n['export_spans']} given to the exporter"
        if n["queued"]:
            yield f"{n['queued']} spans are queued at the end"
    if spans is not None and n["spans_made"] != spans:
        yield f"{n['spans_made']} spans made instead of {spans}"
    if nothing_lost:
        for key in "lost malformed shed unreadable gaps touched undecodable no_request".split():
            if n[key] and not (joined and key in ("undecodable", "no_request")):
                yield f"{key}: {n[key]} instead of 0"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("file")
    p.add_argument("--nothing-lost", action="store_true")
    p.add_argument("--joined", action="store_true")
    p.add_argument("--spans", type=int)
    p.add_argument("--print", dest="name")
    a = p.parse_args()
    with open(a.file, errors="replace") as f:
        text = f.read()
    numbers, faults = read(text)
    if not faults:
        faults = list(judge(numbers, a.nothing_lost, a.joined, a.spans))
    if "do not add up" in text:
        faults += re.findall(r".*do not add up.*", text)
    for fault in faults:
        print(f"ledger of {a.file}: {fault}", file=sys.stderr)
    if a.name:
        print(numbers[a.name.replace(".", "_")])
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
