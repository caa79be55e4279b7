#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""check.py SPANS: right, wrong and unknown parents of the calls to /up, by the order's number in the query string."""
import json
import re
import sys

spans = {s['spanId']: s for s in map(json.loads, open(sys.argv[1]))}
count = {'right': 0, 'wrong': 0, 'unknown': 0}


def order(span):
    return re.search(r'order=(o-\d+)', str(span['attributes'].get('url.query'))).group(1)


for span in spans.values():
    if span['kind'] == 3 and span['attributes'].get('url.path') == '/up':
        parent = spans.get(span['parentSpanId'])
        count['unknown' if not parent else 'right' if order(parent) == order(span) else 'wrong'] += 1
print(json.dumps(count))
