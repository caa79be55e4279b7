#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""counting_client.py PORT: one connection, opened at the first request and kept.

Each line of standard input, N PATH, is N requests for PATH/1?ms=0, PATH/2?ms=0, ... one after the other, a third
word for those milliseconds; then the bytes
that the connection has moved so far, both ways, are printed. Ends at an empty line, or at the end of the input.
"""
import socket
import sys

connection, moved = None, 0
for line in sys.stdin:
    if not line.strip():
        break
    n, path, *ms = line.split()
    connection = connection or socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20)
    for i in range(1, int(n) + 1):
        request = f"GET {path}/{i}?ms={ms[0] if ms else 0} HTTP/1.1\r\nHost: test\r\n\r\n".encode()
        connection.sendall(request)
        answer = b""
        while not answer.endswith(b"\r\n\r\nok\n"):
            part = connection.recv(4096)
            assert part, answer
            answer += part
        moved += len(request) + len(answer)
    print(moved, flush=True)
