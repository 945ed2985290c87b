# SPDX-License-Identifier: BSD-3-Clause
"""Plays the scenarios of differences-scenarios.txt on two servers at once, and compares what each connection is sent, byte by byte.

A step is over when both servers have sent the same and have been quiet for a moment. The order of steps on different connections
hangs on that moment being long enough, so a scenario that differs is played again with longer ones before it counts.
"""
import os
import re
import select
import shlex
import time

import resp

SCENARIOS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "differences-scenarios.txt")
MOMENTS = (0.01, 0.1, 0.4)
PATIENCE = 2.0
CALM = ("FLUSHALL", "CLIENT UNPAUSE", "CONFIG SET notify-keyspace-events '' slowlog-log-slower-than -1", "DEBUG SET-ACTIVE-EXPIRE 1")


def scenarios():
    with open(SCENARIOS, encoding="ascii") as lines:
        paragraphs = re.sub(r"^#.*\n", "", lines.read(), flags=re.M).strip().split("\n\n")
    for paragraph in paragraphs:
        name, *steps = paragraph.split("\n")
        yield name, [step.strip() for step in steps]


def encode(command):
    """Escapes as in Python's strings."""
    words = (word.encode("latin1").decode("unicode_escape").encode("latin1") for word in shlex.split(command))
    return resp.encode(*words)


class Player:
    """One server's side of a scenario."""

    def __init__(self, port):
        self.port, self.connections, self.ids = port, {}, {}

    def connection(self, name):
        if name not in self.connections:
            new = resp.Connection(self.port)
            self.ids[name] = str(new.call("CLIENT", "ID"))
            new.seen = b""
            self.connections[name] = new
        return self.connections[name]

    def send(self, name, commands):
        connection = self.connection(name)
        for other, number in self.ids.items():
            commands = commands.replace("@" + other, number)
        try:
            connection.send(b"".join(encode(command) for command in commands.split(" ;; ")))
        except OSError:
            pass  # it was closed, which the other side's must be as well

    def collect(self):
        """True: something came."""
        open_ones = [c for c in self.connections.values() if not c.seen.endswith(b"CLOSED")]
        ready = select.select([c.socket for c in open_ones], [], [], 0)[0]
        for connection in open_ones:
            if connection.socket in ready:
                try:
                    connection.seen += connection.socket.recv(1 << 20) or b"CLOSED"
                except OSError:
                    connection.seen += b"CLOSED"
        return bool(ready)

    def seen(self):
        """What each connection was sent, without what differs between any two servers."""
        told = {}
        for name, connection in self.connections.items():
            text = re.sub(rb"\+\d+\.\d{6} \[(\S+) [^\]]*\]", rb"+TIME [\1 ADDRESS]", connection.seen)
            for number in self.ids.values():
                text = re.sub(rb":%s\r\n" % number.encode(), b":ID\r\n", text) if len(number) > 1 else text
            told[name] = text
        return told

    def close(self):
        for connection in self.connections.values():
            connection.close()
        calm = resp.Connection(self.port)
        for command in CALM:
            calm.send(encode(command))
            calm.read()
        calm.close()


def settle(players, moment):
    start = last = time.monotonic()
    while time.monotonic() - start < PATIENCE:
        if any([player.collect() for player in players]):
            last = time.monotonic()
        same = players[0].seen() == players[1].seen()
        if same and time.monotonic() - last >= moment:
            return
        time.sleep(0.001)


def play(ports, steps, moment):
    players = [Player(port) for port in ports]
    for step in steps:
        if re.match(r"[0-9.]+$", step):
            time.sleep(float(step))
        else:
            for player in players:
                player.send(*step.split(" ", 1))
            settle(players, moment)
    settle(players, moment)
    told = [player.seen() for player in players]
    for player in players:
        player.close()
    return told


def differing(ports):
    """For each scenario its name and, if they differ, what the two servers sent."""
    for name, steps in scenarios():
        for moment in MOMENTS:
            redis, cairn = play(ports, steps, moment)
            if redis == cairn:
                break
        yield name, None if redis == cairn else [(who, redis[who], cairn[who]) for who in redis if redis[who] != cairn.get(who)]
