# SPDX-License-Identifier: Apache-2.0
"""load.py PORT REQUESTS CONCURRENCY: GET /a?order=o-000001 ... over so many kept connections."""
import http.client
import sys
import threading

port, requests, concurrency = map(int, sys.argv[1:4])
numbers, lock = iter(range(1, requests + 1)), threading.Lock()


def work():
    conn = http.client.HTTPConnection('127.0.0.1', port, timeout=30)
    while True:
        with lock:
            n = next(numbers, None)
        if n is None:
            return
        conn.request('GET', f'/a?order=o-{n:06d}')
        assert conn.getresponse().read() == b'ok'


threads = [threading.Thread(target=work) for _ in range(concurrency)]
for t in threads:
    t.start()
for t in threads:
    t.join()
