#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""churn.py NAME N: a server, and N processes that each ask it for /c/NAME/i and end: one half forked, the other exec'ed."""
import http.server
import os
import socket
import subprocess
import sys
import threading

name, count = sys.argv[1], int(sys.argv[2])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


def ask(i):
    with socket.create_connection(("127.0.0.1", 8080)) as s:
        s.sendall(f"GET /c/{name}/{i} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        while s.recv(4096):
            pass


server = Server(("127.0.0.1", 8080), Handler)
children = []
for i in range(0, count, 2):
    pid = os.fork()   # before there is a second thread
    if pid == 0:
        ask(i)
        os._exit(0)
    children.append(pid)
threading.Thread(target=server.serve_forever, daemon=True).start()
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
for i in range(1, count, 2):
    subprocess.run(["/usr/bin/curl", "-sS", "-o", "/dev/null", f"http://127.0.0.1:8080/c/{name}/{i}"], check=True)
