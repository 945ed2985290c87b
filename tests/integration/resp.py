# SPDX-License-Identifier: BSD-3-Clause
"""A RESP2 client in a page: enough for the integration tests, which must not depend on a package.

Requests may be pipelined: send() any number, then read() as many replies. Knows no command.
"""
import socket


class Error(Exception):
    """An error reply; its text is the reply's."""


class Connection:
    def __init__(self, port, timeout=30):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb", buffering=65536)

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        """One reply: bytes, int, None, list or an Error, which is returned and not raised."""
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection was closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return Error(rest.decode("utf-8", "replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return self._read_bulk(int(rest))
        if kind == b"*":
            count = int(rest)
            return None if count < 0 else [self.read() for _ in range(count)]
        raise ConnectionError(f"not a reply: {line!r}")

    def _read_bulk(self, length):
        if length < 0:
            return None
        data = self.stream.read(length + 2)
        if len(data) != length + 2:
            raise ConnectionError("the connection was closed")
        return data[:-2]

    def call(self, *args):
        """One command and its reply; an error reply is raised."""
        self.send(encode(*args))
        reply = self.read()
        if isinstance(reply, Error):
            raise reply
        return reply

    def call_many(self, commands):
        """The replies to many commands, sent in one go."""
        self.send(b"".join(encode(*command) for command in commands))
        return [self.read() for _ in commands]

    def close(self):
        self.stream.close()
        self.socket.close()


def encode(*args):
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        if not isinstance(arg, bytes):
            arg = str(arg).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(parts)
