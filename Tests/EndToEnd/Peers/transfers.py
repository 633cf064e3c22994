"""Many transfers at once, each drawn from a seed: sizes, the sizes of single writes, who ends first, who reads slowly.

It listens as the upstream and says where; the relay's address comes by standard input. Then every transfer is one line
of JSON with what each side got. Every byte is hashed on both sides.
"""

import argparse
import asyncio
import hashlib
import random
import socket
import struct
import sys

import peer

HEADER = struct.Struct("<I")
ORDERS = ["client", "upstream", "both"]
# Any one of them may be the last of all that move at the same time.
TOGETHER = 4 * peer.LIMIT


class Plan:
    """What one transfer does; both sides draw the same one from the seed and its number."""

    def __init__(self, seed, number, least, most):
        draw = random.Random(f"{seed}/{number}")
        self.number = number
        self.up, self.down = (self.size(draw, least, most) for _ in range(2))
        # Who ends its half first; the other goes on sending after it has seen that end.
        self.first = draw.choice(ORDERS)
        self.slow = {side: draw.random() < 0.2 for side in ("client", "upstream")}
        self.write = {side: draw.choice([7, 1000, 16384, 65536, 1 << 20]) for side in ("client", "upstream")}
        self.delay = draw.choice([0, 0, 0.01, 0.05])

    @staticmethod
    def size(draw, least, most):
        if least == 0 and draw.random() < 0.1:
            return draw.choice([0, 1, 14])
        return int(2 ** draw.uniform((max(least, 1)).bit_length() - 1, most.bit_length() - 1))


async def send(loop, connection, count, salt, chunk):
    # Tiny writes only at the start: a whole stream of them would measure Python.
    digest, tiny = hashlib.sha256(), 200
    for piece in peer.content(count, salt):
        digest.update(piece)
        while piece:
            size = chunk if chunk >= 1000 or tiny > 0 else 65536
            tiny -= 1
            await loop.sock_sendall(connection, piece[:size])
            piece = piece[size:]
    return digest.hexdigest()


async def receive(loop, connection, slow):
    digest, count, pauses = hashlib.sha256(), 0, 20
    while True:
        piece = await loop.sock_recv(connection, 4096 if slow and pauses else 1 << 18)
        if not piece:
            return count, digest.hexdigest()
        digest.update(piece)
        count += len(piece)
        if slow and pauses:
            pauses -= 1
            await asyncio.sleep(0.01)


async def side(loop, connection, plan, me):
    """One side's part. The side that ends first sends all and ends; the other sends half of its bytes before it has seen
    that end, and half after."""
    count = plan.up if me == "client" else plan.down
    salt = 2 * plan.number + (me == "client")
    receiving = asyncio.ensure_future(receive(loop, connection, plan.slow[me]))
    try:
        if plan.first in (me, "both"):
            sent = await send(loop, connection, count, salt, plan.write[me])
            connection.shutdown(socket.SHUT_WR)
            received = await receiving
        else:
            early = await send(loop, connection, count // 2, salt, plan.write[me])
            received = await receiving
            await asyncio.sleep(plan.delay)
            late = await send(loop, connection, count - count // 2, salt + 1_000_000, plan.write[me])
            connection.shutdown(socket.SHUT_WR)
            sent = early + late
        return sent, received
    finally:
        receiving.cancel()
        connection.close()


def expected(plan, me, start=b""):
    """What the other side has to get: its count and hash, of everything or of what comes after a start."""
    count = plan.up if me == "client" else plan.down
    salt = 2 * plan.number + (me == "client")
    digest = hashlib.sha256(start)
    parts = [(count, salt)] if plan.first in (me, "both") else [
        (count // 2, salt), (count - count // 2, salt + 1_000_000)]
    for part, own in parts:
        for piece in peer.content(part, own):
            digest.update(piece)
    return count, digest.hexdigest()


async def serve(loop, listener, arguments, results):
    async def one(connection):
        header = b""
        while len(header) < HEADER.size:
            piece = await loop.sock_recv(connection, HEADER.size - len(header))
            if not piece:
                raise EOFError("no header")
            header += piece
        number = HEADER.unpack(header)[0]
        plan = Plan(arguments.seed, number, arguments.least, arguments.most)
        try:
            results[number].set_result((await side(loop, connection, plan, "upstream"))[1])
        except Exception as error:
            results[number].set_exception(error)

    tasks = set()
    while True:
        connection, _ = await loop.sock_accept(listener)
        connection.setblocking(False)
        tasks.add(asyncio.ensure_future(one(connection)))


async def transfer(loop, address, number, arguments, places, results):
    async with places:
        plan = Plan(arguments.seed, number, arguments.least, arguments.most)
        facts = {"number": number, "first": plan.first, "up": plan.up + HEADER.size, "down": plan.down}
        try:
            family, name = peer.divide(address)
            connection = socket.socket(family, socket.SOCK_STREAM)
            connection.setblocking(False)
            if plan.slow["client"]:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            await loop.sock_connect(connection, name)
            facts["client"] = peer.describe(connection.getsockname())
            await loop.sock_sendall(connection, HEADER.pack(number))
            _, got = await asyncio.wait_for(side(loop, connection, plan, "client"), TOGETHER)
            theirs = await asyncio.wait_for(results[number], TOGETHER)
            if got != expected(plan, "upstream"):
                facts["trouble"] = f"the client got {got[0]} bytes of {plan.down}, or other ones"
            elif theirs != expected(plan, "client"):
                facts["trouble"] = f"the upstream got {theirs[0]} bytes of {plan.up}, or other ones"
            if arguments.hashes:
                facts["upHash"] = expected(plan, "client", HEADER.pack(number))[1]
                facts["downHash"] = expected(plan, "upstream")[1]
        except Exception as error:
            facts["trouble"] = repr(error)
        peer.say(**facts)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--seed", default="tapline")
    parser.add_argument("--least", type=int, default=0)
    parser.add_argument("--most", type=int, default=2 << 20)
    parser.add_argument("--hashes", action="store_true")
    arguments = parser.parse_args()
    peer.raise_descriptor_limit()
    loop = asyncio.get_running_loop()
    listener = peer.listen()
    listener.setblocking(False)
    results = [loop.create_future() for _ in range(arguments.count)]
    serving = asyncio.ensure_future(serve(loop, listener, arguments, results))
    peer.say(listening=peer.describe(listener.getsockname()))
    address = (await loop.run_in_executor(None, sys.stdin.readline)).strip()
    places = asyncio.Semaphore(arguments.at_once)
    await asyncio.gather(
        *(transfer(loop, address, number, arguments, places, results) for number in range(arguments.count)))
    serving.cancel()
    peer.say(done=arguments.count)


asyncio.run(main())
