"""Peers that speak TLS with Python's ssl. The first argument is what this one does:

    serve NAME [CA]            the upstream: it reads to the end, and answers with the count and the hash of what came. With
                               a CA, clients must have a certificate.
    echo                       an upstream without TLS that sends back what comes.
    transfer CA NAME [CERT]    a client: each line of standard input, `ADDRESS VERSION BYTES`, is a transfer to `serve`.
    talk CA NAME COUNT         clients that exchange short messages with `echo`: the line `ADDRESS` connects them, and each
                               line `SECONDS` after it measures for that time.
    load CA NAME COUNT         clients that connect again and again, and one that stays, through `echo`, from the line `ADDRESS`
                               to the next line.

`serve` and `echo` say where they listen; each line is answered with one line of JSON. NAME is the server's name, and the
certificate's: NAME.crt and NAME.key.
"""

import asyncio
import hashlib
import os
import signal
import ssl
import sys
import threading
import time

import peer
import tls_session


# The upstreams


def serve(certificate, authority=None):
    context = tls_session.server_context(certificate, authority=authority)
    listener = peer.listen()
    peer.say(listening=peer.describe(listener.getsockname()))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection, context), daemon=True).start()


def answer(connection, context):
    connection.settimeout(peer.LIMIT)
    try:
        session = tls_session.Session(connection, context, is_server=True).handshake()
        digest, count = hashlib.sha256(), 0
        while piece := session.read():
            digest.update(piece)
            count += len(piece)
        # The client's half has ended; this one has not.
        session.write(b"%d %s\n" % (count, digest.hexdigest().encode()))
        for piece in peer.content(count, salt=1):
            session.write(piece)
        session.finish()
        connection.close()
    except (OSError, EOFError) as error:
        peer.say(trouble=repr(error))


async def echo_one(reader, writer):
    try:
        while piece := await reader.read(1 << 17):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
    except ConnectionError:
        pass
    writer.close()


async def echo():
    server = await asyncio.start_server(echo_one, "127.0.0.1", 0, backlog=4096)
    peer.say(listening=peer.describe(server.sockets[0].getsockname()))
    await asyncio.Event().wait()


# The clients


def transfer(authority, name, certificate=None):
    for line in sys.stdin:
        address, version, count = line.split()
        peer.say(**transfer_one(address, version, int(count), authority, name, certificate))


def transfer_one(address, version, count, authority, name, certificate):
    connection = peer.connect(address)
    context = tls_session.client_context(authority, version, certificate)
    session = tls_session.Session(connection, context, name).handshake()
    sent = hashlib.sha256()
    for piece in peer.content(count):
        session.write(piece)
        sent.update(piece)
    session.finish()
    line = b""
    while not line.endswith(b"\n"):
        line += session.read_exactly(1)
    received, wanted = hashlib.sha256(), hashlib.sha256()
    for piece in peer.content(count, salt=1):
        wanted.update(piece)
    while piece := session.read():
        received.update(piece)
    is_whole = line.decode().split() == [str(count), sent.hexdigest()] and received.digest() == wanted.digest()
    connection.close()
    return {"version": session.tls.version(), "whole": is_whole}


async def connect(address, context, name):
    _, (host, port) = peer.divide(address)
    return await asyncio.open_connection(host, port, ssl=context, server_hostname=name)


async def exchange(reader, writer, words):
    writer.write(words)
    if await reader.readexactly(len(words)) != words:
        raise ValueError("other bytes came back")


async def next_line():
    return (await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)).strip()


async def talk(authority, name, count):
    context = tls_session.client_context(authority)
    address = await next_line()
    talkers = [await connect(address, context, name) for _ in range(int(count))]
    peer.say(connected=len(talkers))

    async def measure(talker, until, times):
        while (start := time.monotonic()) < until:
            await exchange(*talker, os.urandom(64))
            times.append(time.monotonic() - start)
            await asyncio.sleep(0.01)

    number = 0
    while line := await next_line():
        times, until = [], time.monotonic() + float(line)
        await asyncio.gather(*[measure(talker, until, times) for talker in talkers])
        times.sort()
        number += 1
        peer.say(measured=number, answers=len(times), p99=times[int(len(times) * 0.99)] * 1000)


async def load(authority, name, count):
    context = tls_session.client_context(authority)
    address, is_over = await next_line(), asyncio.Event()
    facts, troubles, certificates = {"short": 0, "messages": 0}, [], set()

    async def short():
        while not is_over.is_set():
            reader, writer = await connect(address, context, name)
            certificates.add(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
            await exchange(reader, writer, os.urandom(100))
            facts["short"] += 1
            writer.close()
            await asyncio.sleep(0.005)

    async def long():
        reader, writer = await connect(address, context, name)
        while not is_over.is_set():
            await exchange(reader, writer, os.urandom(64))
            facts["messages"] += 1
            await asyncio.sleep(0.02)
        writer.close()

    async def guard(client):
        try:
            await client()
        except Exception as error:
            troubles.append(f"{client.__name__}: {error!r}")

    tasks = [asyncio.ensure_future(guard(client)) for client in [long] + [short] * int(count)]
    await next_line()
    is_over.set()
    await asyncio.gather(*tasks)
    peer.say(done=True, troubles=troubles, certificates=len(certificates), **facts)


def main(what, *arguments):
    function = {"serve": serve, "echo": echo, "transfer": transfer, "talk": talk, "load": load}[what]
    if asyncio.iscoroutinefunction(function):
        asyncio.run(function(*arguments))
    else:
        function(*arguments)


signal.signal(signal.SIGINT, signal.SIG_DFL)
peer.raise_descriptor_limit()
main(*sys.argv[1:])
