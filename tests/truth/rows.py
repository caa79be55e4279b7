#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""rows.py [--calls N] [--at C,...] [--again] [--slack POINTS] [--wirespan OPTIONS] [--list] [--table] [ROW...]

Are the parents of calls the true ones? Runs the workloads of tests/progs/runtimes/rows under `wirespan trace --json`, at
1, 16 and 64 requests at a time and saturated (64 for 4 workers), and prints a line each: right, wrong and unknown
parents of its calls. The truth is the id in the query string of request and call, which the tracer never uses; what
begins with b is for no request, and must not have one above it.
A second of warming up is judged for wrong ones only.

wrong    a parent of another id, in whatever pair of spans; of a call for several requests any parent, and a link to
         one that it is not for
unknown  a call without a parent; or one for several without a link to each
missing  a call that has no span
apart    a call's other end that does not know it; one in a hundred may

Exit status: 0 none wrong, and as many right as the row demands; 1 otherwise; 2 usage. With --again, what has too few
right runs twice more, and two of the three have to have enough; a wrong one in any is one too many. With --slack, so
many percentage points fewer are enough: for short runs, in which the first moments count more. With --wirespan,
options go to `trace`: --wirespan=--no-header-links. With --table the shares of right parents follow, a line a row, for
ACCURACY in man/wirespan.8; but for rows with a wrong one, which have none there.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
HERE = os.path.join(ROOT, "tests/progs/runtimes")
BUILD = os.path.join(ROOT, "build/runtimes")
LOADS = {"1": (1, 16), "16": (16, 16), "64": (64, 64), "sat": (64, 4)}  # concurrency, workers
CLIENT = 3


def rows():
    for line in open(os.path.join(HERE, "rows")):
        words = line.split("#")[0].split()
        if words:
            name, folder, mode, calls, *rest = words
            least, options = rest[:len(LOADS)], rest[len(LOADS):]
            yield {"row": name, "folder": folder, "mode": mode, "calls": int(calls),
                   "least": dict(zip(LOADS, map(float, least))), "options": options}


def build(folder):
    """Once a folder; what it makes is kept in build/runtimes."""
    place = os.path.join(BUILD, folder)
    os.makedirs(place, exist_ok=True)
    environment = dict(os.environ, HERE=HERE, ROOT=ROOT, BUILD=place)
    script = os.path.join(HERE, folder, "build")
    if os.path.exists(script):
        subprocess.run([script], env=environment, check=True, stdout=sys.stderr)


def lacks(row):
    """What the machine has not got for this row; "" if it has all."""
    script = os.path.join(HERE, row["folder"], "lacks")
    return os.path.exists(script) and subprocess.run([script, row["mode"]], stdout=subprocess.PIPE, text=True).stdout.strip()


def id_of(span):
    for key in ("url.query", "url.full", "db.query.text"):
        found = re.search(r"\bid=([rwb]-\d+)", str(span["attributes"].get(key, "")))
        if found:
            return found[1]
    return None


def batch_of(span):
    """All the requests that a call is made for."""
    also = re.search(r"&also=([-,rw\d]*)", str(span["attributes"].get("url.query") or span["attributes"].get("url.full")))
    return {id_of(span)} | set(filter(None, also[1].split(",") if also else ()))


def linked_to(span, by_id):
    return {id_of(by_id[k["spanId"]]) for k in span["links"] if k["spanId"] in by_id}


def judge_links(span, by_id):
    """Of a call for several requests: all of them are to be linked, no other may be, and none is its parent."""
    linked = linked_to(span, by_id)
    if linked - batch_of(span) or span.get("parentSpanId"):
        return "wrong"
    return "right" if linked == batch_of(span) else "unknown"


def judge(spans, requests, calls):
    """Counts by verdict; faults as text."""
    by_id = {s["spanId"]: s for s in spans}
    count, faults, seen = {"right": 0, "wrong": 0, "unknown": 0, "missing": 0, "apart": 0}, [], 0
    for span in spans:
        parent = by_id.get(span.get("parentSpanId"))
        ours, theirs = id_of(span), parent and id_of(parent)
        strange = ours and theirs and ours != theirs
        several = span["kind"] == CLIENT and (span["links"] or len(batch_of(span)) > 1) and judge_links(span, by_id)
        if several == "wrong":
            faults.append(f"the call for {batch_of(span)} has the parent {theirs} and links to "
                          f"{linked_to(span, by_id)}")
        if strange:
            faults.append(f"{span['name']} of {ours} has a parent of {theirs}, by "
                          f"{span['attributes'].get('wirespan.link.evidence')}")
        store = span["attributes"].get("db.system.name") and ours
        if span["kind"] == CLIENT and (store or span["attributes"].get("url.path") == "/up") and (ours or "r").startswith("r"):
            seen += 1
            count[several if several else "wrong" if strange else "right" if theirs else "unknown"] += 1
        elif span["attributes"].get("url.path") == "/up" and (ours or "w").startswith("r") and not theirs:
            count["apart"] += 1
        elif strange:
            count["wrong"] += 1
    count["missing"] = max(0, requests * calls - seen)
    return count, faults


def trace(row, load, wanted_calls, options):
    """How many requests there were, the spans of the workload, and what the agent said; an error instead of the spans."""
    concurrency, workers = LOADS[load]
    requests = max(concurrency, wanted_calls // max(1, row["calls"]))
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        command = [os.path.join(ROOT, "build/wirespan"), "trace", "--json", "--ring-size", "64", *row["options"], *options, "--",
                   os.path.join(HERE, "run"), row["folder"], row["mode"], str(requests), str(concurrency), str(workers)]
        status = subprocess.run(command, stdout=out, stderr=err, timeout=300).returncode
        out.seek(0)
        err.seek(0)
        if status:
            return requests, f"the workload failed: {err.read()[-2000:]}", ""
        return requests, [json.loads(line) for line in out if line.startswith("{")], err.read()


def measure(row, load, wanted_calls, options):
    """Counts by verdict, faults as text, and what the agent said."""
    requests, spans, said = trace(row, load, wanted_calls, options)
    return (None, [spans], said) if isinstance(spans, str) else (*judge(spans, requests, row["calls"]), said)


def total_of(count):
    return sum(count.values()) - count["apart"] or 1


def share_of(count):
    return 100 * count["right"] / total_of(count)


def report(row, load, count, faults, said, slack):
    total, share, least = total_of(count), share_of(count), max(0, row["least"][load] - slack)
    good = not count["wrong"] and share >= least and total > 1 and count["apart"] * 100 <= total
    print(f"{row['row']:20}{load:>5}" + "".join(f"{count[c]:9}" for c in ("right", "wrong", "unknown", "missing", "apart")) +
          f"{share:8.1f} %  {'ok' if good else 'NOT OK: %g %% wanted' % least}", flush=True)
    for fault in faults[:3] + ([] if good else said.splitlines()[-8:]):
        print("    " + fault)
    return good


def run(row, load, options, shares):
    """One line: None if a parent is wrong or the workload fails, or else whether there are as many right as the row demands."""
    count, faults, said = measure(row, load, options.calls, options.wirespan)
    if count is None:
        print(f"{row['row']:20}{load:>5}  {faults[0]}")
        return None
    good = report(row, load, count, faults, said, options.slack)
    if count["wrong"]:
        return None
    shares.setdefault(row["row"], {})[load] = share_of(count)
    return good


def passes(row, load, options, shares):
    first = run(row, load, options, shares)
    if first is not False or not options.again:
        return bool(first)
    return all(run(row, load, options, shares) for _ in range(2))


def print_table(loads, shares):
    print(f"\n{'row':22}" + "".join(f"{load:>7}" for load in loads))
    for row, of in shares.items():
        print(f"{row:22}" + "".join(f"{of[load]:7.1f}" if load in of else "      -" for load in loads))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--at", default=",".join(LOADS))
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--slack", type=float, default=0)
    parser.add_argument("--wirespan", action="append", default=[])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("row", nargs="*")
    o = parser.parse_args()
    known = list(rows())
    unknown = set(o.row) - {r["row"] for r in known} or set(o.at.split(",")) - set(LOADS)
    if unknown:
        parser.error(f"no such row or load: {', '.join(unknown)}")
    if o.list:
        print(*(r["row"] for r in known), sep="\n")
        return 0
    chosen = [r for r in known if not o.row or r["row"] in o.row]
    for folder in ["common"] + sorted({r["folder"] for r in chosen}):
        build(folder)
    print(f"{'row':20}{'at':>5}{'right':>9}{'wrong':>9}{'unknown':>9}{'missing':>9}{'apart':>9}{'right':>8}")
    good, shares = True, {}
    for row in chosen:
        missing = lacks(row)
        if missing:
            print(f"{row['row']:20} left out: {missing}", flush=True)
            continue
        for load in o.at.split(","):
            good &= passes(row, load, o, shares)
    if o.table:
        print_table(o.at.split(","), shares)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
