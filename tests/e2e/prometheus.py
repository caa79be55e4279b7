#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""prometheus.py FILE [NAME[{label="value",...}]]...: is FILE Prometheus text 0.0.4, to the letter?

Stricter than Prometheus itself: HELP and TYPE once for each name and before its samples, samples of a
name together, none twice, counters end in _total and are whole or seconds, names say their unit.
Of each NAME the sum of its samples with these labels is printed, a line each."""
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{(.*)\}})? (NaN|[+-]?Inf|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)')
WRONG_UNITS = re.compile(r"_(ms|us|ns|milliseconds|microseconds|nanoseconds|kb|kib|mb|mib|percent|minutes)(_|$)")


class Fault(Exception):
    pass


def labels_of(text):
    labels, at = {}, 0
    while at < len(text or ""):
        m = LABEL.match(text, at)
        if not m:
            raise Fault(f"labels {text!r}")
        if m.group(1) in labels:
            raise Fault(f"label {m.group(1)} twice")
        labels[m.group(1)] = m.group(2)
        at = m.end()
    return labels


def parse(text):
    """[(name, labels, value)], after every rule was checked."""
    if not text.endswith("\n"):
        raise Fault("no newline at the end")
    samples, types, helps, current, seen = [], {}, set(), None, set()
    for number, line in enumerate(text[:-1].split("\n"), 1):
        try:
            m = re.fullmatch(rf"# HELP ({NAME}) (\S.*)", line)
            if m:
                if m.group(1) in helps:
                    raise Fault(f"HELP of {m.group(1)} again")
                helps.add(m.group(1))
                current = m.group(1)
                continue
            m = re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge)", line)
            if m:
                name = m.group(1)
                if name in types or name != current:
                    raise Fault(f"TYPE of {name} is not after its HELP")
                if (m.group(2) == "counter") != name.endswith("_total"):
                    raise Fault(f"{name} is a {m.group(2)}")
                if WRONG_UNITS.search(name):
                    raise Fault(f"{name} is in no base unit")
                types[name] = m.group(2)
                continue
            m = SAMPLE.fullmatch(line)
            if not m:
                raise Fault("neither HELP, TYPE nor a sample")
            name, labels, value = m.group(1), labels_of(m.group(2)), float(m.group(3))
            if name not in types or name != current:
                raise Fault(f"{name} stands apart from its TYPE")
            key = (name, tuple(sorted(labels.items())))
            if key in seen:
                raise Fault(f"{key} twice")
            if types[name] == "counter" and not value >= 0:
                raise Fault(f"{name} is {value}")
            seen.add(key)
            samples.append((name, labels, value))
        except Fault as f:
            raise Fault(f"line {number}: {f}: {line!r}")
    for name in types:
        if not any(s[0] == name for s in samples):
            raise Fault(f"{name} has no sample")
    return samples


def total(samples, wanted):
    m = re.fullmatch(rf"({NAME})(?:\{{(.*)\}})?", wanted)
    labels = labels_of(m.group(2))
    found = [v for n, l, v in samples if n == m.group(1) and all(l.get(k) == x for k, x in labels.items())]
    if not found:
        raise Fault(f"no sample of {wanted}")
    return sum(found)


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with open(sys.argv[1], encoding="utf-8", newline="") as f:
            samples = parse(f.read())
        for wanted in sys.argv[2:]:
            print(f"{total(samples, wanted):.9g}")
    except Fault as f:
        print(f"{sys.argv[1]}: {f}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
