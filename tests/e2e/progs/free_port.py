#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""free_port.py: prints a TCP port that is free on every local address and that no outgoing connection gets."""
import random
import socket

while True:
    with socket.socket() as s:
        try:
            s.bind(("", random.randrange(18000, 32000)))
        except OSError:
            continue
        print(s.getsockname()[1])
        break
