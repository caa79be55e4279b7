#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tcp_proxy.py TARGET_HOST TARGET_PORT PORT: what comes to PORT goes to the target, as docker-proxy does it."""
import socket
import sys
import threading


def pour(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)


listener = socket.create_server(("0.0.0.0", int(sys.argv[3])))
while True:
    near, _ = listener.accept()
    far = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    for pair in (near, far), (far, near):
        threading.Thread(target=pour, args=pair, daemon=True).start()
