# SPDX-License-Identifier: Apache-2.0
"""server.py PORT UPSTREAM WORKERS MODE: threads of Python; app() is also what gunicorn runs.

thread   a thread a connection makes both calls
submit   two calls in a ThreadPoolExecutor, and result()
map      two calls at once in a ThreadPoolExecutor
loops    the first request gives the pool loops that take the jobs of all requests from a queue, and never end
"""
import concurrent.futures
import http.client
import http.server
import os
import queue
import socketserver
import sys
import threading
import time

local = threading.local()
upstream = int(os.environ.get("UPSTREAM") or sys.argv[2])


def call(id):
    if not hasattr(local, "conn"):
        local.conn = http.client.HTTPConnection("127.0.0.1", upstream)
    local.conn.request("GET", f"/up?id={id}")
    return local.conn.getresponse().read()


def calls(id):
    return call(id) + call(id)


jobs = queue.Queue()
started = threading.Lock()


def loop():
    while True:
        id, future = jobs.get()
        future.set_result(call(id))


def by_loop(pool, id):
    if started.acquire(blocking=False):
        for _ in range(int(sys.argv[3])):
            pool.submit(loop)
        time.sleep(1)  # while calls are made for others
    future = concurrent.futures.Future()
    jobs.put((id, future))
    return future.result()


def app(environ, start_response):
    body = calls(environ["QUERY_STRING"][3:])
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def main():
    mode, pool = sys.argv[4], concurrent.futures.ThreadPoolExecutor(int(sys.argv[3]))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            id = self.path.split("id=")[1]
            body = {"thread": lambda: calls(id),
                    "submit": lambda: pool.submit(calls, id).result(),
                    "loops": lambda: by_loop(pool, id),
                    "map": lambda: b"".join(pool.map(call, [id, id]))}[mode]()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
        daemon_threads = True
        request_queue_size = 256

    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


if __name__ == "__main__":
    main()
