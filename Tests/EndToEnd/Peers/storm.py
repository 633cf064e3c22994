"""Clients that never pause while something else happens: short conversations one after the other, long transfers, and
one connection from the beginning to the end.

It listens as the upstream and says where. The first line of standard input, `ADDRESS CLIENTS`, starts CLIENTS
clients of the relay; the second ends them, once each has finished its conversation. Then one line with the result. Every byte
comes back from the upstream and is compared.
"""

import asyncio
import hashlib
import os
import sys

import peer

# What a long transfer sends each way, in pieces of this size, and the pause between them: seconds, not moments.
PIECES, PIECE, PAUSE = 300, 32768, 0.01


class Storm:
    def __init__(self):
        self.isOver = asyncio.Event()
        self.facts = {"short": 0, "long": 0, "bytes": 0, "connections": 0}
        self.troubles = []

    async def connect(self, address):
        _, (host, port) = peer.divide(address)
        connection = await asyncio.open_connection(host, port)
        self.facts["connections"] += 1
        return connection

    async def end(self, reader, writer):
        """Ends this half, and waits for the other."""
        writer.write_eof()
        if rest := await reader.read(1):
            raise EOFError(f"{rest} came after all")
        writer.close()

    async def short(self, address, number):
        while not self.isOver.is_set():
            reader, writer = await self.connect(address)
            words = os.urandom(1000)
            writer.write(words)
            if await reader.readexactly(len(words)) != words:
                raise ValueError("other bytes came back")
            await self.end(reader, writer)
            self.facts["short"] += 1
            self.facts["bytes"] += len(words)
            # A pace that leaves something of the machine to the relay.
            await asyncio.sleep(0.005)

    async def long(self, address, number):
        while not self.isOver.is_set():
            reader, writer = await self.connect(address)
            sent, received = hashlib.sha256(), hashlib.sha256()

            async def send():
                for place in range(PIECES):
                    piece = hashlib.sha256(b"%d/%d" % (number, place)).digest() * (PIECE // 32)
                    sent.update(piece)
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(PAUSE)
                writer.write_eof()

            sending = asyncio.ensure_future(send())
            count = 0
            while piece := await reader.read(1 << 17):
                received.update(piece)
                count += len(piece)
            await sending
            if received.digest() != sent.digest():
                raise ValueError(f"{count} bytes came back of {PIECES * PIECE}, or other ones")
            writer.close()
            self.facts["long"] += 1
            self.facts["bytes"] += count

    async def endless(self, address, number):
        reader, writer = await self.connect(address)
        while not self.isOver.is_set():
            words = os.urandom(64)
            writer.write(words)
            if await reader.readexactly(64) != words:
                raise ValueError("other bytes came back")
            await asyncio.sleep(0.02)
        await self.end(reader, writer)

    async def guard(self, client, address, number):
        try:
            await asyncio.wait_for(client(address, number), 10 * peer.LIMIT)
        except Exception as error:
            self.troubles.append(f"{client.__name__} {number}: {error!r}")


async def echo(reader, writer):
    try:
        while piece := await reader.read(1 << 17):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
    except ConnectionError:
        pass
    writer.close()


async def main():
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=1024)
    peer.say(listening=peer.describe(server.sockets[0].getsockname()))
    address, clients = (await loop.run_in_executor(None, sys.stdin.readline)).split()
    storm = Storm()
    kinds = [storm.endless] + [storm.long if number % 2 else storm.short for number in range(1, int(clients))]
    tasks = [asyncio.ensure_future(storm.guard(kind, address, number)) for number, kind in enumerate(kinds)]
    await loop.run_in_executor(None, sys.stdin.readline)
    storm.isOver.set()
    await asyncio.gather(*tasks)
    peer.say(done=True, troubles=storm.troubles, **storm.facts)


asyncio.run(main())
