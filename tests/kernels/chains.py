#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""chains.py FILE N [--lossy]: did every request of tests/kernels/load become one chain of four spans?

curl calls front calls back, N times, /order/1 to /order/N. Each span but the first has the one before
it for its parent, by the evidence below. --lossy: a loss was reported; then requests may lack spans
and parents may be unknown, but still none may be wrong.
"""
import collections
import json
import sys

CLIENT, SERVER = 3, 2
CHAIN = [("curl", CLIENT, {"root"}), ("front", SERVER, {"connection"}),
         ("front", CLIENT, {"event-loop", "thread"}), ("back", SERVER, {"connection"})]


def faults_of(spans):
    by_id = {s["spanId"]: s for s in spans}
    found = collections.defaultdict(dict)
    for s in spans:
        path = s["attributes"].get("url.path")
        place = next((i for i, c in enumerate(CHAIN) if c[:2] == (s["resource"]["service.name"], s["kind"])), None)
        if place is None or not path or place in found[path]:
            yield "extra", f"{s['resource']['service.name']} kind {s['kind']} {path}"
            continue
        found[path][place] = s
        if s["attributes"]["wirespan.link.evidence"] not in CHAIN[place][2]:
            yield "unknown", f"{path}: span {place} has evidence {s['attributes']['wirespan.link.evidence']}"
        parent = by_id.get(s["parentSpanId"])
        if place and parent and (parent["attributes"].get("url.path"), parent["resource"]["service.name"],
                                 parent["kind"]) != (path, *CHAIN[place - 1][:2]):
            yield "wrong", f"{path}: the parent of span {place} is {parent['name']} {parent['attributes']}"
        if place and not parent:
            yield "unknown", f"{path}: span {place} has no parent"
    for path in (f"/order/{i}" for i in range(1, int(sys.argv[2]) + 1)):
        if len(found.pop(path, {})) != len(CHAIN):
            yield "missing", f"{path} has not all of its spans"
    for path in found:
        yield "extra", path


def main():
    with open(sys.argv[1]) as f:
        spans = [json.loads(line) for line in f]
    faults = list(faults_of(spans))
    counts = collections.Counter(kind for kind, _ in faults)
    print(f"{len(spans)} spans", *(f"{n} {kind}" for kind, n in counts.items()), sep=", ")
    for kind, text in faults[:6]:
        print(f"{kind}: {text}")
    lossy = "--lossy" in sys.argv
    return 0 if spans and not (counts["wrong"] + counts["extra"] if lossy else faults) else 1


if __name__ == "__main__":
    sys.exit(main())
