#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sampled.py SPANS TRUTH OUT: the truth of those orders that a tracer which samples has kept.

Writes to OUT what TRUTH says of every order that any span of SPANS belongs to, for check.py; prints how
many these are, of how many. No order in between: exit status 1, for then nothing was sampled."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check


def main():
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[1]) as lines:
        seen = {s.order for s in check.read_spans(lines).values()}
    with open(sys.argv[2]) as f:
        truth = json.load(f)
    orders = truth["orders"]
    truth["orders"] = [o for o in orders if o["id"] in seen]
    with open(sys.argv[3], "w") as f:
        json.dump(truth, f)
    print(f"{len(truth['orders'])} of {len(orders)} orders")
    return 0 if 0 < len(truth["orders"]) < len(orders) else 1


if __name__ == "__main__":
    sys.exit(main())
