#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what iopaths did with what the kernel half recorded; TAP, one row for each way.

usage: check.py EXPECTED RECORDING [LEDGER [PLAN]]

EXPECTED: the lines of tests/progs/iopaths.c. RECORDING: as of user/capture/recording.h. LEDGER: the
last line of recorder. For every end of every way, by the cookie of its socket, or its ports:
  ranges    each direction's transfers follow each other without gap or overlap from the start of the
            stream to its end, and both ends state the same TCP sequence numbers
  lengths   a transfer lies within one call of the program
  bytes     what was captured is what was sent; what was not is short of the call for a reason that
            the table of ways allows (field `cap`)
  clocks    a call's transfer lies between its entry and its return; bytes are not readable before
            their sender's call began; connect <= established <= first transfer
  thread    is the one that made the call
  life      one CONN record with role and ports, one CLOSE record with the ends of both streams
A row is right; or marked: nothing is wrong, and bytes are missing that the records say are missing, or
the kernel skipped a run of a program and counted it (at most so many rows); or wrong. Records that belong to no row, and losses, are errors of rows of their own.
"""
import bisect
import collections
import json
import struct
import sys

PERIOD = 8191  # pattern__fill()
HEAD = struct.Struct("<HHIQ")
ACTOR = struct.Struct("<IIQQQQQ")
AFTER = 24 + ACTOR.size  # head, conn and actor
DATA = struct.Struct("<QQIIIBBH")  # after conn and actor: start, seq ... see record.h
# What a capture plan sees as gaps only, by the beginning of the way's name; doctor.c says so too.
UNSEEN = {"syscall": ("uring-",)}
CAPS = ["whole", "budget", "max", "shed", "no_address", "fault", "load"]
IN, OUT = 0, 1
T_DATA, T_CONN, T_CLOSE = 1, 2, 3
CONNECTING = 1
MASK = 0xFFFFFFFF

Data = collections.namedtuple("Data", "time tgid tid start seq wire cap_len dir cap payload")
Conn = collections.namedtuple("Conn", "time tgid tid connect established lport rport snd rcv role origin failed")
Close = collections.namedtuple("Close", "time snd rcv lost_in lost_out")
Call = collections.namedtuple("Call", "dir offset n tgid tid since until")


class Recorded:
    def __init__(self, path):
        self.data, self.conn, self.close = (collections.defaultdict(list) for _ in range(3))
        raw = open(path, "rb").read()
        if raw[:8] != b"WIRESPAN":
            sys.exit(f"{path} is no recording")
        at = 16
        while at < len(raw):
            kind, flags, size, time = HEAD.unpack_from(raw, at)
            self.add(raw, at, kind, flags, size, time)
            at += size + (-size & 7)

    def add(self, raw, at, kind, flags, size, time):
        if kind not in (T_DATA, T_CONN, T_CLOSE):
            return
        cookie = struct.unpack_from("<Q", raw, at + 16)[0]
        if kind == T_CLOSE:
            snd, rcv, lost_in, lost_out = struct.unpack_from("<IIII", raw, at + 24)
            self.close[cookie].append(Close(time, snd, rcv, lost_in, lost_out))
            return
        tgid, tid = ACTOR.unpack_from(raw, at + 24)[:2]
        if kind == T_DATA:
            start, seq, wire, cap_len, way, cap = struct.unpack_from("<QIIIBB", raw, at + AFTER)
            payload = raw[at + AFTER + 24:at + AFTER + 24 + cap_len]
            self.data[cookie].append(Data(time, tgid, tid, start, seq, wire, cap_len, way, CAPS[cap], payload))
        elif not flags & CONNECTING:
            connect, established = struct.unpack_from("<QQ", raw, at + AFTER)
            lport, rport, _, snd, rcv, role, origin, failed = struct.unpack_from("<HHIIIBBB", raw, at + AFTER + 48)
            self.conn[cookie].append(
                Conn(time, tgid, tid, connect, established, lport, rport, snd, rcv, role, origin, failed))


class Pattern:
    def __init__(self, index, up):
        v = ((index * 2 + up + 1) * 2654435761) & MASK
        block = bytearray()
        for _ in range(PERIOD):
            v ^= (v << 13) & MASK
            v ^= v >> 17
            v ^= (v << 5) & MASK
            block.append((v >> 11) & 0xFF)
        self.block = bytes(block) * (2 + 16384 // PERIOD)

    def at(self, offset, n):
        offset %= PERIOD
        return self.block[offset:offset + n]


class Stream:
    """One direction of one end."""

    def __init__(self, end, way, recorded):
        self.end, self.way = end, way
        self.calls = sorted((c for c in map(Call._make, end["calls"]) if c.dir == way), key=lambda c: c.offset)
        self.starts = [c.offset for c in self.calls]
        self.records = [d for d in recorded.data[end["cookie"]] if d.dir == way]
        self.pattern = Pattern(end["index"], (end["end"] == "client") == (way == OUT))
        self.total = end["bytes"][way]
        self.base = None
        self.missing = collections.Counter()

    def name(self):
        return f"{self.end['end']} {'in' if self.way == IN else 'out'}"

    def call_of(self, offset):
        i = bisect.bisect_right(self.starts, offset) - 1
        return self.calls[i] if i >= 0 else None

    def order(self):
        """By sequence from the lowest; the stream is far shorter than half of the number space."""
        if not self.records:
            return
        ref = self.records[0].seq
        self.records.sort(key=lambda d: ((d.seq - ref + (1 << 31)) & MASK))
        self.base = self.records[0].seq

    def check(self, wrong):
        self.order()
        at = 0
        for d in self.records:
            offset = (d.seq - self.base) & MASK
            if offset != at:
                wrong(f"{self.name()}: bytes {at}..{offset} are in no record" if offset > at else
                      f"{self.name()}: a record at {offset} overlaps what ends at {at}")
            at = offset + d.wire
            self.check_call(d, offset, wrong)
            self.check_bytes(d, offset, wrong)
        if at != self.total:
            wrong(f"{self.name()}: {at} of {self.total} bytes are in records")

    def check_call(self, d, offset, wrong):
        c = self.call_of(offset)
        where = f"{self.name()} at {offset}"
        if c is None:
            wrong(f"{where}: no call moved that byte")
            return
        if offset + d.wire > c.offset + c.n and not self.end["any_time"]:
            wrong(f"{where}: {d.wire} bytes, the call moved {c.n} from {c.offset} on")
        if d.tgid != c.tgid or (d.tid != c.tid and not self.end["any_thread"]):
            wrong(f"{where}: by {d.tgid}/{d.tid}, it was {c.tgid}/{c.tid}")
        if d.time > c.until or (d.time < c.since and not self.end["any_time"]):
            wrong(f"{where}: at {d.time}, the call ran from {c.since} to {c.until}")
        if d.start > d.time:
            wrong(f"{where}: starts after its end")
        if self.way == OUT and d.start and not self.end["any_time"] and d.start < c.since:
            wrong(f"{where}: starts before the call")

    def check_bytes(self, d, offset, wrong):
        where = f"{self.name()} at {offset}"
        if d.payload != self.pattern.at(offset, d.cap_len):
            wrong(f"{where}: captured bytes are not those that were moved")
        short = d.wire - d.cap_len
        if (short > 0) != (d.cap != "whole"):
            wrong(f"{where}: {short} bytes are missing, the record says {d.cap}")
        if short > 0:
            self.missing[d.cap] += short
            if d.cap not in self.end["cap"][self.way].split():
                wrong(f"{where}: {short} bytes are missing for the reason {d.cap}")


def check_arrivals(rx, tx, wrong):
    """No byte is readable before the call that sent it began."""
    for d in rx.records:
        sender = tx.call_of((d.seq - rx.base) & MASK)
        if d.start and sender and d.start < sender.since and not tx.end["any_time"]:
            wrong(f"{rx.name()}: bytes of {d.seq - rx.base} arrive before they are sent")


def check_life(end, streams, recorded, wrong):
    name, conns, closes = end["end"], recorded.conn[end["cookie"]], recorded.close[end["cookie"]]
    if len(conns) != 1:
        wrong(f"{name}: {len(conns)} CONN records")
    if len(closes) != 1:
        wrong(f"{name}: {len(closes)} CLOSE records")
    if not conns or not closes:
        return
    c, z = conns[0], closes[0]
    role = 2 if name == "client" else 1
    if c.role != role or c.origin != end["existing"] or c.failed:
        wrong(f"{name}: role {c.role}, origin {c.origin}, failed {c.failed}")
    if not c.lport or not c.rport:
        wrong(f"{name}: ports {c.lport}, {c.rport}")
    first = min((d.time for s in streams for d in s.records), default=c.time)
    if not end["existing"] and not (c.connect <= c.established <= first):
        wrong(f"{name}: connect {c.connect}, established {c.established}, first transfer {first}")
    for s, at, to, lost in ((streams[IN], c.rcv, z.rcv, z.lost_in), (streams[OUT], c.snd, z.snd, z.lost_out)):
        if lost:
            wrong(f"{s.name()}: {lost} records were lost")
        if s.base is None:
            continue
        if at != s.base:
            wrong(f"{s.name()}: CONN says {at}, the first byte is {s.base}")
        if (to - s.base) & MASK != s.total:
            wrong(f"{s.name()}: CLOSE says {(to - s.base) & MASK} bytes of {s.total}")


def check_way(ends, recorded):
    """Complaints, and what is missing in good order: {"client out no_address": bytes}."""
    errors = collections.Counter()
    marked = {}

    def wrong(text):
        errors[text] += 1

    if sorted(e["end"] for e in ends) != ["client", "server"]:
        wrong("an end said nothing: the workload failed")
        return errors, marked
    client, server = sorted(ends, key=lambda e: e["end"])
    streams = {}
    for end in (client, server):
        streams[end["end"]] = [Stream(end, way, recorded) for way in (IN, OUT)]
        for s in streams[end["end"]]:
            s.check(wrong)
            for cap, n in s.missing.items():
                marked[f"{s.name()}: {n} bytes {cap}"] = n
        check_life(end, streams[end["end"]], recorded, wrong)
    for rx, tx in ((streams["server"][IN], streams["client"][OUT]), (streams["client"][IN], streams["server"][OUT])):
        if rx.base != tx.base and rx.total and tx.total:
            wrong(f"{rx.name()} begins at {rx.base}, {tx.name()} at {tx.base}")
        check_arrivals(rx, tx, wrong)
    return errors, marked


# What the kernel's own worker closes is not known to have been a traced process's: it may be told of nowhere.
CLOSED_BY_KERNEL = {"uring-fixed-file": "server"}


def check_unseen(ends, recorded, way_name):
    """Ways that the plan cannot see: the ends of the streams say how many bytes are in no record."""
    errors, marked = collections.Counter(), {}
    for e in ends:
        conns, closes = recorded.conn[e["cookie"]], recorded.close[e["cookie"]]
        if not conns and not closes and CLOSED_BY_KERNEL.get(way_name) == e["end"]:
            marked[f"{e['end']}: not told of, for the kernel's worker closed it"] = 1
            continue
        if len(conns) != 1 or len(closes) != 1:
            errors[f"{e['end']}: {len(conns)} CONN records, {len(closes)} CLOSE records"] += 1
            continue
        for way, at, to in ((IN, conns[0].rcv, closes[0].rcv), (OUT, conns[0].snd, closes[0].snd)):
            told = sum(d.wire for d in recorded.data[e["cookie"]] if d.dir == way)
            if (to - at) & MASK != e["bytes"][way]:
                errors[f"{e['end']} {'in' if way == IN else 'out'}: {(to - at) & MASK} bytes of {e['bytes'][way]} are told of"] += 1
            marked[f"{e['end']} {'in' if way == IN else 'out'}: {e['bytes'][way] - told} bytes are a gap"] = 1
    return errors, marked


def check_untraced(ends, recorded):
    """Ways of which no transfer may be recorded."""
    errors = collections.Counter()
    for e in ends:
        if recorded.data.get(e["cookie"]):
            errors[f"{e['end']}: there are records"] += 1
    return errors


def find_cookies(expected, recorded):
    """Before 5.12 a socket that nobody has asked for its cookie goes by another name: found by its ports."""
    for e in expected:
        if "cookie" in e and e["cookie"] not in recorded.conn and e["ports"][1]:
            same = [k for k, v in recorded.conn.items() if [v[0].lport, v[0].rport] == e["ports"]]
            e["cookie"] = same[0] if len(same) == 1 else e["cookie"]


class Tap:
    def __init__(self):
        self.n, self.counts = 0, collections.Counter()

    def row(self, ok, kind, text, notes=()):
        self.n += 1
        self.counts[kind] += 1
        print(f"{'ok' if ok else 'not ok'} {self.n} - {text}")
        for note in notes:
            print(f"# {note}")


def check_whole(expected, recorded, ledger, tap):
    known = {e.get("cookie") for e in expected}
    strange = [c for c in recorded.data if recorded.data[c] and c not in known]
    tap.row(not strange, "whole", "every record belongs to a way", [f"connection {c}" for c in strange])
    if not ledger:
        return
    lost = {k: v for k, v in ledger.items() if v and (k.startswith("lost_") or k in (
        "malformed", "shed_payload", "fault", "no_socket_storage", "no_task_storage", "processes_full"))}
    for kind in ("data", "conn", "close", "proc"):
        if ledger["made_" + kind] != ledger["seen_" + kind] + ledger["lost_" + kind]:
            lost[kind] = f"made {ledger['made_' + kind]}, seen {ledger['seen_' + kind]}"
    if ledger["bytes_wire"] != sum(d.wire for v in recorded.data.values() for d in v):
        lost["bytes_wire"] = ledger["bytes_wire"]
    tap.row(not lost, "whole", "the ledger is balanced and nothing was lost", [f"{k}: {v}" for k, v in lost.items()])


def main():
    expected = [json.loads(line) for line in open(sys.argv[1])]
    recorded = Recorded(sys.argv[2])
    find_cookies(expected, recorded)
    ledger = json.loads(open(sys.argv[3]).readlines()[-1]) if len(sys.argv) > 3 else None
    plan = sys.argv[4].split(",")[0] if len(sys.argv) > 4 else "auto"
    skipped = ledger["missed_runs"] if ledger else 0
    ways = collections.OrderedDict()
    for e in expected:
        ways.setdefault(e["way"], []).append(e)
    tap = Tap()
    print(f"1..{len(ways) + 1 + (ledger is not None)}")
    for way, ends in sorted(ways.items(), key=lambda kv: kv[1][0].get("index", 999)):
        if "absent" in ends[0]:
            tap.row(True, "absent", f"{way}: not on this machine: {ends[0]['absent']}")
        elif not ends[0]["traced"]:
            errors = check_untraced(ends, recorded)
            tap.row(not errors, "wrong" if errors else "not traced", f"{way}: not traced", errors)
        else:
            unseen = way.startswith(UNSEEN.get(plan, ("?",)))
            errors, marked = check_unseen(ends, recorded, way) if unseen else check_way(ends, recorded)
            notes = [f"{t}" + (f" ({n} times)" if n > 1 else "") for t, n in list(errors.items())[:12]]
            if errors and skipped > 0:
                skipped -= 1
                marked["the kernel skipped a run, and counted it"] = 1
                errors.clear()
            kind = "wrong" if errors else "marked" if marked else "right"
            tap.row(not errors, kind, f"{way}: {kind}", notes + sorted(marked))
    check_whole(expected, recorded, ledger, tap)
    counts = ", ".join(f"{tap.counts[k]} {k}" for k in ("right", "marked", "not traced", "absent", "wrong"))
    print(f"# ways: {counts}")
    return tap.counts["wrong"] > 0


sys.exit(main())
