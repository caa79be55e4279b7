#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""exec_server.py PORT: takes one connection, reads a request, and becomes another program, which answers it."""
import os
import socket
import sys

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    conn, _ = listener.accept()
    conn.recv(4096)
    if os.fork():
        conn.close()
        os.wait()
        continue
    os.set_inheritable(conn.fileno(), True)
    answer = r"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
    os.execlp("bash", "bash", "-c", f"sleep 0.2; printf '{answer}' >&{conn.fileno()}")
