#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ledger.py FILE [--nothing-lost [--joined]] [--spans N] [--print NAME]: do the numbers that a tracer logged add up?

Reads the last ledger of FILE (standard error of `wirespan agent`, `trace` or `record`).
  made = seen + lost of the records; made = spans + silent + responses alone of the exchanges;
  exported + rejected + dropped + queued = spans of the exporter, and
  with a spool: found and spans = these + what the spool dropped, refused and holds
--nothing-lost  nothing was lost, malformed or touched by loss
--joined        connections were joined in the middle of a message: its rest is understood by nobody
--spans N       that many spans were made
--print NAME    prints a number: made seen lost spans.made export.spans exported rejected full gave_up queued
                found written spool_full spool_disk damaged damaged_files spooled
"""
import argparse
import re
import sys

LINES = {
    "records": (r"wirespan: records: made (?P<made>\d+) = seen (?P<seen>\d+) \+ lost (?P<lost>\d+)\b.*?; "
                r"malformed (?P<malformed>\d+); payload shed from (?P<shed>\d+), no address \d+, "
                r"unreadable (?P<unreadable>\d+); gaps (?P<gaps>\d+)"),
    "exchanges": (r"wirespan: exchanges: made (?P<exchanges>\d+) = spans (?P<x_spans>\d+) \+ silent (?P<silent>\d+) \+ "
                  r"responses alone (?P<alone>\d+) \+ open (?P<open>\d+) \+ waiting (?P<waiting>\d+); touched by loss (?P<touched>\d+), "
                  r"truncated (?P<truncated>\d+), without response (?P<no_response>\d+), without request (?P<no_request>\d+); "
                  r"undecodable bytes (?P<undecodable>\d+)"),
    "spans": r"wirespan: spans: made (?P<spans_made>\d+); parent unknown (?P<unknown>\d+)",
    "sampled": (r"wirespan: sampled out: spans kept (?P<kept>\d+), left out (?P<out_hash>\d+) \(half of the traces\) \+ "
                r"(?P<out_pause>\d+) \(touched by a pause\) \+ (?P<out_probe>\d+) \(health checks\); never told: (?P<out_requests>\d+) requests, (?P<out_transfers>\d+) transfers"),
    "export": (r"wirespan: export: spans (?P<export_spans>\d+) = exported (?P<exported>\d+) \+ "
               r"rejected (?P<rejected>\d+) \+ dropped (?P<full>\d+) \(queue full\) \+ "
               r"(?P<gave_up>\d+) \(gave up\) \+ queued (?P<queued>\d+)"),
    "spool": (r"wirespan: spool: found (?P<found>\d+), written (?P<written>\d+); dropped (?P<spool_full>\d+) "
              r"\(spool full\) \+ (?P<spool_disk>\d+) \(disk\), damaged (?P<damaged>\d+) \((?P<damaged_files>\d+) files\); "
              r"holds (?P<spooled>\d+) spans"),
}


def read(text):
    numbers, faults = {}, []
    for name, pattern in LINES.items():
        found = list(re.finditer(pattern, text))
        if found:
            numbers.update({k: int(v) for k, v in found[-1].groupdict().items()})
        elif name == "spool":
            numbers.update(dict.fromkeys("found written spool_full spool_disk damaged damaged_files spooled".split(), 0))
        elif name == "sampled":
            numbers.update(dict.fromkeys("out_hash out_pause out_probe out_requests out_transfers".split(), 0))
        elif name != "export":
            faults.append(f"no line '{name}: ...' of the ledger")
    return numbers, faults


def judge(n, nothing_lost, joined, spans):
    if n["made"] != n["seen"] + n["lost"]:
        yield f"made {n['made']} != seen {n['seen']} + lost {n['lost']}"
    total = n["x_spans"] + n["silent"] + n["alone"] + n["open"] + n["waiting"]
    if n["exchanges"] != total:
        yield f"exchanges: made {n['exchanges']} != {total}"
    if n["open"] or n["waiting"]:
        yield f"{n['open']} exchanges are open and {n['waiting']} waiting at the end"
    if n["x_spans"] != n["spans_made"]:
        yield f"{n['x_spans']} exchanges became spans, {n['spans_made']} spans were made"
    if not n["made"]:
        yield "no record was made: nothing has been traced"
    if "exported" in n:
        total = n["exported"] + n["rejected"] + n["full"] + n["gave_up"] + n["queued"]
        total += n["spool_full"] + n["spool_disk"] + n["damaged"] + n["spooled"]
        if total != n["export_spans"] + n["found"]:
            yield f"export: spans {n['export_spans']} and {n['found']} found != {total}"
        if n["export_spans"] + n["out_hash"] + n["out_pause"] + n["out_probe"] != n["spans_made"]:
            yield f"{n['spans_made']} spans made, {n['out_hash']} + {n['out_pause']} + {n['out_probe']} left out, {n['export_spans']} given to the exporter"
        if n["queued"]:
            yield f"{n['queued']} spans are queued at the end"
    if spans is not None and n["spans_made"] != spans:
        yield f"{n['spans_made']} spans made instead of {spans}"
    if nothing_lost:
        for key in "out_hash out_pause out_probe out_transfers lost malformed shed unreadable gaps touched undecodable no_request".split():
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
