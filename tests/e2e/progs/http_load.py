#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""http_load.py [--requests N] THREADS PAUSE_MS PORT: a bounded load over connections that are kept.

Each thread has one connection and pauses between its requests, which are GET /load/THREAD/COUNT. Runs
until SIGTERM, or until N requests were sent. Prints "started" when each thread has had an answer, a line for
every 100 requests, at the end a line of JSON: requests, errors, and the local ports of the connections. Exit status 1 after
an error.
"""
import http.client
import json
import signal
import sys
import threading

args = sys.argv[1:]
limit = int(args.pop(0)) if args[0] == "--requests" and args.pop(0) else 1 << 60
threads, pause, port = int(args[0]), float(args[1]) / 1000, int(args[2])
stop = threading.Event()
lock = threading.Lock()
total = {"requests": 0, "errors": 0, "ports": []}
started = threading.Barrier(threads + 1)


def run(thread):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.connect()
    client.auto_open = 0
    with lock:
        total["ports"].append(client.sock.getsockname()[1])
    count = 0
    while not stop.is_set():
        with lock:
            if total["requests"] >= limit:
                break
            total["requests"] += 1
            if total["requests"] % 100 == 0:
                print("sent", total["requests"], flush=True)
        try:
            client.request("GET", f"/load/{thread}/{count}")
            answer = client.getresponse()
            if answer.read() != b"ok\n" or answer.status != 200:
                raise OSError(f"status {answer.status}")
        except (OSError, http.client.HTTPException) as e:
            with lock:
                total["errors"] += 1
            print(repr(e), file=sys.stderr)
            break
        if not count:
            started.wait()
        count += 1
        stop.wait(pause)


signal.signal(signal.SIGTERM, lambda *_: stop.set())
workers = [threading.Thread(target=run, args=(i,)) for i in range(threads)]
for w in workers:
    w.start()
started.wait(20)
print("started", flush=True)
for w in workers:
    w.join()
print(json.dumps(total), flush=True)
sys.exit(1 if total["errors"] else 0)
