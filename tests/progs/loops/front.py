# SPDX-License-Identifier: Apache-2.0
"""front.py PORT UPSTREAM MODE: as front.js, with asyncio's streams (mode asyncio). Tasks run later than the read."""
import asyncio
import sys

port, upstream = int(sys.argv[1]), int(sys.argv[2])
idle = []


async def exchange(reader, writer, head):
    writer.write(head)
    length = 0
    while (line := await reader.readline()) not in (b'\r\n', b''):
        if line.lower().startswith(b'content-length:'):
            length = int(line.split(b':')[1])
    await reader.readexactly(length)


async def call(order):
    reader, writer = idle.pop() if idle else await asyncio.open_connection('127.0.0.1', upstream)
    await exchange(reader, writer, b'GET /up?order=%s HTTP/1.1\r\nHost: up\r\n\r\n' % order)
    idle.append((reader, writer))


async def serve(reader, writer):
    while request := await reader.readline():
        while await reader.readline() not in (b'\r\n', b''):
            pass
        await call(request.split(b'order=')[1].split()[0])
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    writer.close()


async def main():
    server = await asyncio.start_server(serve, '127.0.0.1', port)
    await server.serve_forever()


asyncio.run(main())
