#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A proxy between cairn-server and an S3 server that loses, delays, doubles and refuses requests.

    fault_proxy.py UPSTREAM [--listeners N] [--seed N] [--rate 0.1] [--patience 1.0]

UPSTREAM is http://host:port. Requests pass unchanged, the Host header included: it is signed, and
the real server must verify what the client has signed. Prints the ports it listens on as one line
of JSON, then obeys lines on standard input: `on` and `off` switch faults, `block N` and `unblock N`
make listener N end every connection, `counts` prints how often each fault happened; the end of
the input ends the proxy. Which requests are hit depends on the seed and on their order of arrival.

Each fault is one that a network or S3 itself may show: nothing here answers a success that did not
happen, or a refusal of what would have been done. Requests below cairn-probe/ pass untouched: what
is probed there is whether the server behind is sound.
"""
import argparse
import asyncio
import collections
import json
import os
import random
import socket
import struct
import sys
import urllib.parse

PROBE = b"/cairn-probe/"


class Gone(Exception):
    """This connection of a client is over."""


class Message:
    """A request or an answer, as its bytes are."""

    def __init__(self, head):
        self.head, self.body = head, b""
        lines = head.split(b"\r\n")
        self.first = lines[0].split(b" ")
        self.headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if colon:
                self.headers[name.strip().lower()] = value.strip()

    @property
    def raw(self):
        return self.head + self.body

    def closes(self):
        return self.headers.get(b"connection", b"").lower() == b"close"


async def read_body(reader, message):
    if b"chunked" in message.headers.get(b"transfer-encoding", b"").lower():
        size = 1
        while size:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            message.body += line + await reader.readexactly(size + 2)
    else:
        message.body = await reader.readexactly(int(message.headers.get(b"content-length", 0)))


async def read_answer(reader, method):
    while True:
        answer = Message(await reader.readuntil(b"\r\n\r\n"))
        if answer.first[1] != b"100":
            break
    if method != b"HEAD" and answer.first[1] not in (b"204", b"304"):
        await read_body(reader, answer)
    return answer


def refusal(status, code, more=b""):
    body = b"<?xml version=\"1.0\"?><Error><Code>" + code + b"</Code></Error>"
    return (b"HTTP/1.1 " + status + b"\r\nContent-Type: application/xml\r\n" + more +
            b"Content-Length: %d\r\n\r\n" % len(body) + body)


class Exchange:
    """One request of a client, and what a fault may do with it."""

    def __init__(self, proxy, request, writer):
        self.proxy, self.request, self.writer = proxy, request, writer

    async def forward(self):
        reader, writer = await self.proxy.borrow()
        try:
            writer.write(self.request.raw)
            answer = await read_answer(reader, self.request.first[0])
        except (OSError, EOFError, ValueError):
            writer.close()
            raise Gone
        if answer.closes():
            writer.close()
        else:
            self.proxy.idle.append((reader, writer))
        return answer

    async def tell(self, raw):
        self.writer.write(raw)
        await self.writer.drain()

    async def cut(self, raw):
        """Sends this much, and then the end of the connection."""
        await self.tell(raw)
        raise Gone

    def reset(self):
        self.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise Gone

    def beyond_patience(self):
        patience = self.proxy.options.patience
        return patience * self.proxy.random.uniform(1.2, 2.5)

    # --- the faults; the docstring says what happens

    async def answer_lost(self):
        """Carried out; the connection ends without an answer."""
        await self.forward()
        raise Gone

    async def answer_cut(self):
        """Carried out; the connection ends within the head of the answer."""
        head = (await self.forward()).head
        await self.cut(head[:self.proxy.random.randrange(1, len(head))])

    async def answer_reset(self):
        """Carried out; the connection is reset."""
        await self.forward()
        self.reset()

    async def answer_late(self):
        """Carried out at once; the answer comes when nobody waits for it any more."""
        answer = await self.forward()
        await asyncio.sleep(self.beyond_patience())
        await self.cut(answer.raw)

    async def lands_late(self):
        """Nobody waits for it any more when it is carried out."""
        await asyncio.sleep(self.beyond_patience())
        await self.forward()
        raise Gone

    async def doubled(self):
        """Carried out twice; the second answer is the one that arrives."""
        await self.forward()
        await self.tell((await self.forward()).raw)

    async def slow(self):
        """Carried out and answered with a pause before each."""
        most = self.proxy.options.patience * 0.4
        await asyncio.sleep(self.proxy.random.uniform(0, most))
        answer = await self.forward()
        await asyncio.sleep(self.proxy.random.uniform(0, most))
        await self.tell(answer.raw)

    async def error_500(self):
        """Not carried out; 500."""
        await self.tell(refusal(b"500 Internal Server Error", b"InternalError"))

    async def error_500_done(self):
        """Carried out; 500 all the same."""
        await self.forward()
        await self.error_500()

    async def error_503(self):
        """Not carried out; 503, with or without Retry-After."""
        after = b"Retry-After: 1\r\n" if self.proxy.random.randrange(4) == 0 else b""
        await self.tell(refusal(b"503 Slow Down", b"SlowDown", after))

    async def error_409(self):
        """Not carried out; 409, as S3 says when two writers meet."""
        await self.tell(refusal(b"409 Conflict", b"ConditionalRequestConflict"))

    async def reset_before(self):
        """Not carried out; the connection is reset."""
        self.reset()

    async def body_truncated(self):
        """The body of what is read ends early."""
        answer = await self.forward()
        if not answer.body:
            await self.tell(answer.raw)
            return
        self.proxy.counts["body_truncated"] += 1
        part = self.proxy.random.randrange(len(answer.body))
        await self.cut(answer.head + answer.body[:part])


# What may happen to which request, and how often beside the others.
FAULTS = {
    "answer_lost": ("any", 3), "answer_cut": ("any", 2), "answer_reset": ("any", 2),
    "answer_late": ("any", 1), "lands_late": ("put", 2), "doubled": ("conditional", 2),
    "slow": ("any", 4), "error_500": ("any", 2), "error_500_done": ("any", 2),
    "error_503": ("any", 2), "error_409": ("conditional", 1), "reset_before": ("any", 2),
    "body_truncated": ("get", 4),
}
# Counted when it happens: whether there is a body to cut shows only in the answer.
COUNTED_LATER = {"body_truncated"}


def kinds_of(request):
    kinds = {"any", request.first[0].decode().lower()}
    if kinds & {"put"} and {b"if-match", b"if-none-match"} & set(request.headers):
        kinds.add("conditional")
    return kinds


class Proxy:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.upstream = urllib.parse.urlsplit(options.upstream)
        self.idle, self.counts = [], collections.Counter({name: 0 for name in FAULTS})
        self.counts.update(requests=0, blocked=0)
        self.on, self.blocked, self.writers = False, set(), {}

    async def borrow(self):
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        try:
            return await asyncio.open_connection(self.upstream.hostname, self.upstream.port or 80,
                                                 limit=1 << 20)
        except OSError:
            raise Gone

    def choose(self, request):
        """The name of a fault, or None. What has not happened yet goes first."""
        if not self.on or PROBE in request.first[1]:
            return None
        if self.random.random() >= self.options.rate:
            return None
        kinds = kinds_of(request)
        names = [name for name, (kind, _) in FAULTS.items() if kind in kinds]
        fresh = [name for name in names if not self.counts[name]]
        if fresh:
            return self.random.choice(fresh)
        return self.random.choices(names, [FAULTS[name][1] for name in names])[0]

    async def serve_one(self, reader, writer):
        request = Message(await reader.readuntil(b"\r\n\r\n"))
        await read_body(reader, request)
        self.counts["requests"] += 1
        exchange = Exchange(self, request, writer)
        fault = self.choose(request)
        if fault is None:
            await exchange.tell((await exchange.forward()).raw)
            return
        if fault not in COUNTED_LATER:
            self.counts[fault] += 1
        await getattr(exchange, fault)()

    async def serve(self, listener, reader, writer):
        self.writers[writer] = listener
        try:
            while listener not in self.blocked:
                await self.serve_one(reader, writer)
            self.counts["blocked"] += 1
        except (Gone, OSError, EOFError, asyncio.IncompleteReadError):
            pass
        finally:
            del self.writers[writer]
            writer.close()

    def obey(self, words):
        if words[0] in ("on", "off"):
            self.on = words[0] == "on"
        elif words[0] == "block":
            self.blocked.add(int(words[1]))
            for writer, listener in list(self.writers.items()):
                if listener in self.blocked:
                    writer.transport.abort()
        elif words[0] == "unblock":
            self.blocked.discard(int(words[1]))
        print(json.dumps(self.counts if words[0] == "counts" else words), flush=True)

    async def run(self):
        servers = []
        for listener in range(self.options.listeners):
            servers.append(await asyncio.start_server(
                lambda reader, writer, at=listener: self.serve(at, reader, writer),
                "127.0.0.1", 0, limit=1 << 20))
        print(json.dumps([s.sockets[0].getsockname()[1] for s in servers]), flush=True)
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            self.obey(line.decode().split())
        os._exit(0)  # whatever is still under way: there is nobody left to miss it


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("upstream")
    parser.add_argument("--listeners", type=int, default=1)
    parser.add_argument("--seed", type=int, default=random.randrange(1, 1 << 30))
    parser.add_argument("--rate", type=float, default=0.1, help="part of the requests that is hit")
    parser.add_argument("--patience", type=float, default=1.0,
                        help="seconds that the client waits for an answer to begin")
    asyncio.run(Proxy(parser.parse_args()).run())


if __name__ == "__main__":
    main()
