#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a sync costs, by the size of the namespace and by how many keys have changed: bench.sh cost

  SIZES=1000,10000,100000,1000000    keys of the namespace
  CHANGES=10,100,1000,10000          random keys set anew before each sync
  SECONDS_PER_CELL=2
  SYNCS_PER_SECOND=50                at the most; 0: one right after the other
  LONG=1000000:100                   the cell that goes on for LONG_SYNCS and at least one whole fold
  LONG_SYNCS=1000
  MODES=alone,shared                 shared: a second server on the same store follows each sync
  S3_ENDPOINT=, S3_BUCKET=           a bucket instead of a directory (with AWS_… as for any client)
  RATE=2000                          requests a second of the steady client

Each cell sets its keys and says CAIRN SYNC, over and over; there are no other syncs. Bytes and requests are the
server's own counts of what went to and came from the store, folds and all: the mean over the cell, and the median
sync. Processor time is that of the threads that sync and fold; lock time is how long a sync held the namespace, that
is, kept commands waiting, with the longest of the cell.

The second table is of a steady client that GETs from the same namespace: first while the keys of the cell are only
read, as often, without syncs, then with them; and at the same time of a second such client, which asks the bare
responder: what it waits for is the machine's doing, not cairn's. Whoever changes the keys has a lower priority than
all of these, as if it were elsewhere. Each pair is the slowest reply in ms and how many in a million took more than
5 ms, first of all replies, then of those that were not under way while a processor of the machine stood still (see
stall.c). Prints Markdown.
"""
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import bench

SIZES = [int(n) for n in os.environ.get("SIZES", "1000,100000" if bench.QUICK else "1000,10000,100000,1000000").split(",")]
CHANGES = [int(n) for n in os.environ.get("CHANGES", "100" if bench.QUICK else "10,100,1000,10000").split(",")]
SECONDS = int(os.environ.get("SECONDS_PER_CELL", "1" if bench.QUICK else "2"))
LONG = tuple(int(n) for n in os.environ.get("LONG", "1000000:100").split(":"))
LONG_SYNCS = int(os.environ.get("LONG_SYNCS", "1000"))
LONG_LIMIT = 90
SYNC_SECONDS = 1 / float(os.environ.get("SYNCS_PER_SECOND", "50")) if os.environ.get("SYNCS_PER_SECOND") != "0" else 0
WRITER_NICE = 10
SHARED_KEEPS = 80   # more commits than a shared tail keeps: only then is the filling folded
MODES = os.environ.get("MODES", "alone,shared").split(",")
RATE = int(os.environ.get("RATE", "2000"))
ENDPOINT = os.environ.get("S3_ENDPOINT")
STALL = os.path.join(bench.BUILD, "bench", "stall")


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.socket.makefile("rb", buffering=1 << 16)

    def reply(self):
        line = self.replies.readline()
        if line[:1] == b"$" and line != b"$-1\r\n":
            return self.replies.read(int(line[1:]) + 2)[:-2]
        if line[:1] not in (b"+", b":", b"$"):
            sys.exit(f"unexpected reply: {line.decode(errors='replace')}")
        return line[1:-2]

    def ask(self, *commands):
        """Sends all at once; the last reply."""
        self.socket.sendall(b"".join(bench.encode(*words) for words in commands))
        for _ in commands[1:]:
            self.reply()
        return self.reply()

    def counts(self):
        """(bytes out, bytes in, requests, folds, ms and longest ms that something else than commands held the lock)"""
        lines = dict(line.split(":", 1) for line in self.ask(("INFO", "cairn")).decode().split("\r\n") if ":" in line)
        requests = sum(int(lines[name]) for name in ("store_puts", "store_gets", "store_lists", "store_removes"))
        return (int(lines["store_bytes_out"]), int(lines["store_bytes_in"]), requests, int(lines["folds"]),
                int(lines["background_lock_usec"]) / 1000, int(lines["background_lock_max_usec"]) / 1000)


class Server(bench.Server):
    """cairn on a given store, with syncs on demand alone."""

    def __init__(self, store, shared):
        self.store, self.shared = store, shared
        super().__init__("cairn", "everysec")
        self.client = Client(self.port)

    def command(self, persistence, size):
        flags = ["--s3-endpoint", ENDPOINT] if ENDPOINT else []
        if self.shared:
            flags += ["--shared", "yes"]
        return [bench.SERVER, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.directory, "--store", self.store,
                "--sync-interval", "0", "--journal-fsync", persistence, "--threads", "1"] + flags

    def background_seconds(self):
        """What all threads but that of the clients have run."""
        total, tasks = 0, f"/proc/{self.process.pid}/task"
        for task in os.listdir(tasks):
            try:
                with open(f"{tasks}/{task}/schedstat", encoding="ascii") as stat:
                    total += 0 if int(task) == self.process.pid else int(stat.read().split()[0])
            except FileNotFoundError:
                pass
        return total / 1e9


def key(i):
    return f"bench:s:{i:012}"


def settle(client):
    """Waits until no fold is under way."""
    last, quiet = None, 0
    while quiet < 5:
        time.sleep(0.1)
        now = client.counts()[:4]
        quiet = quiet + 1 if now == last else 0
        last = now


class Replies:
    """What a steady client saw: the slowest reply in ms, how many took more than 5 ms; `awake`: while no processor stood."""

    def __init__(self, said=None):
        self.slowest, self.slow, self.count = (int(said[4]) / 1000, int(said[6]), int(said[5])) if said else (0, 0, 0)
        self.awake_slowest, self.awake_slow = (int(said[8]) / 1000, int(said[9])) if said else (0, 0)
        self.stood = int(said[10]) / 1000 if said else 0

    def add(self, other):
        self.slowest, self.awake_slowest = max(self.slowest, other.slowest), max(self.awake_slowest, other.awake_slowest)
        self.slow, self.awake_slow = self.slow + other.slow, self.awake_slow + other.awake_slow
        self.count, self.stood = self.count + other.count, self.stood + other.stood

    def text(self):
        return (f"{self.slowest:.1f}, {self.slow / self.count * 1e6:.0f} | "
                f"{self.awake_slowest:.1f}, {self.awake_slow / self.count * 1e6:.0f}")


class Steady:
    """Two steady clients at the same time: of a server, and of the bare responder."""

    def __init__(self, server, responder, size, seconds):
        self.running = [subprocess.Popen([STALL, str(port), str(seconds), str(RATE), str(size), "get"], stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT) for port in (server.port, responder.port)]

    def __enter__(self):
        os.setpriority(os.PRIO_PROCESS, 0, WRITER_NICE)
        return self

    def __exit__(self, *_):
        os.setpriority(os.PRIO_PROCESS, 0, 0)

    def under_way(self):
        return any(process.poll() is None for process in self.running)

    def replies(self):
        """Of the server and of the responder."""
        found = []
        for process in self.running:
            said = process.communicate(timeout=120)[0].decode().split()
            if process.returncode:
                sys.exit(" ".join(said))
            found.append(Replies(said))
        return found


def at_pace(steady, work):
    while steady.under_way():
        due = time.monotonic() + SYNC_SECONDS
        work()
        time.sleep(max(0, due - time.monotonic()))


def without_syncs(server, responder, size, changes, seconds):
    """The same work on the same connections, as often, but nothing changes and nothing is synced."""
    with Steady(server, responder, size, seconds) as steady:
        at_pace(steady, lambda: server.client.ask(*(("GET", key(random.randrange(size))) for _ in range(changes)), ("PING",)))
    return steady.replies()


class Cell:
    def __init__(self, server, follower, responder, size, changes):
        self.server, self.follower, self.responder = server, follower, responder
        self.size, self.changes = size, changes
        self.long = (size, changes) == LONG
        self.deltas, self.reads = [], []
        self.replies, self.syncs = [Replies(), Replies()], 0

    def sync(self):
        value = f"{random.getrandbits(64):016x}"
        keys = [random.randrange(self.size) for _ in range(self.changes)]
        self.server.client.ask(*(("SET", key(i), value) for i in keys), ("CAIRN", "SYNC"))
        self.deltas.append(self.server.client.counts())
        if self.follower:
            self.follower.client.ask(("CAIRN", "SYNC"))
            self.reads.append(self.follower.client.counts())
        self.syncs += 1

    def enough(self, begin):
        if not self.long:
            return True
        folds = self.deltas[-1][3] - self.first[3] if self.deltas else 0
        return (self.syncs >= LONG_SYNCS and folds > 0) or time.monotonic() - begin > LONG_LIMIT

    def run(self):
        self.noise = without_syncs(self.server, self.responder, self.size, self.changes, 10 * SECONDS if self.long else SECONDS)
        self.server.client.ask(("CONFIG", "RESETSTAT"))
        self.first = self.server.client.counts()
        self.follower_first = self.follower.client.counts() if self.follower else None
        background = self.server.background_seconds()
        follower_used = self.follower.processor_seconds() if self.follower else 0
        begin = time.monotonic()
        while not self.syncs or not self.enough(begin):
            with Steady(self.server, self.responder, self.size, SECONDS) as steady:
                at_pace(steady, self.sync)
            for all_of_cell, these in zip(self.replies, steady.replies()):
                all_of_cell.add(these)
        settle(self.server.client)
        self.used = (self.server.background_seconds() - background) / self.syncs
        self.follower_used = (self.follower.processor_seconds() - follower_used) / self.syncs if self.follower else 0
        self.last = self.server.client.counts()

    def per_sync(self, first, last, each, index):
        """(mean, median) of a count."""
        steps = [after[index] - before[index] for before, after in zip([first] + each, each)]
        return (last[index] - first[index]) / self.syncs, statistics.median(steps)

    def row(self):
        kib = lambda pair: f"{pair[0] / 1024:.1f} | {pair[1] / 1024:.1f}"
        counts = self.first, self.last, self.deltas
        cells = [f"{self.size:,}", f"{self.changes:,}", f"{self.syncs:,}", str(self.last[3] - self.first[3]),
                 kib(self.per_sync(self.first, self.last, self.deltas, 0)), kib(self.per_sync(self.first, self.last, self.deltas, 1)),
                 f"{(counts[1][2] - counts[0][2]) / self.syncs:.2f}", f"{self.used * 1000:.2f}",
                 f"{(counts[1][4] - counts[0][4]) / self.syncs:.3f}", f"{counts[1][5]:.2f}"]
        if self.follower:
            last = self.reads[-1]
            cells += [kib(self.per_sync(self.follower_first, last, self.reads, 1)),
                      f"{(last[2] - self.follower_first[2]) / self.syncs:.2f}", f"{self.follower_used * 1000:.2f}"]
        return table_row(cells)

    def replies_row(self):
        stood = [f"{seen[0].stood / seen[0].count * RATE:.1f}" for seen in (self.noise, self.replies)]
        return table_row([f"{self.size:,}", f"{self.changes:,}", *(seen.text() for seen in self.noise), stood[0],
                          *(seen.text() for seen in self.replies), stood[1]])


def table_row(cells):
    return "| " + " | ".join(cells) + " |"


HEAD = ["keys", "changed", "syncs", "folds", "KiB written, mean", "median", "KiB read, mean", "median", "requests",
        "processor ms", "lock ms", "longest"]
REPLIES = ["keys", "changed"] + [f"{when}{who}{whose}" for when in ("", "with syncs: ")
                                 for who, whose in (("cairn", ", all"), ("cairn", ", awake"), ("responder", ", all"), ("responder", ", awake"),
                                                    ("machine stood, ms a second", ""))]
FOLLOWER = ["follower: KiB read, mean", "median", "requests", "processor ms"]


def fill(server, size):
    path = bench.write_requests("cost", (("SET", key(i), bench.value(16)) for i in range(size)))
    server.load(path)
    os.unlink(path)
    server.client.ask(("CAIRN", "SYNC"))
    for i in range(SHARED_KEEPS if server.shared else 0):
        server.client.ask(("SET", key(0), str(i)), ("CAIRN", "SYNC"))
    for _ in range(300):
        if server.client.counts()[3]:
            break
        time.sleep(0.1)
    settle(server.client)


def place(directory, size, mode):
    if ENDPOINT:
        return f"s3://{os.environ['S3_BUCKET']}/cost-{os.getpid()}-{size}-{mode}"
    return os.path.join(directory, f"store-{size}-{mode}")


def measure(report, responder, mode, size, directory):
    store = place(directory, size, mode)
    server = Server(store, mode == "shared")
    fill(server, size)
    follower = Server(store, True) if mode == "shared" else None
    if follower:
        follower.client.ask(("DBSIZE",), ("CAIRN", "SYNC"))
        settle(follower.client)
    cells = []
    for changes in CHANGES:
        cell = Cell(server, follower, responder, size, changes)
        cell.run()
        report.line(cell.row())
        cells.append(cell)
    for process in (server, follower):
        if process:
            process.stop()
    if not ENDPOINT:
        shutil.rmtree(store)
    return cells


def table_head(report, names):
    report.line(table_row(names))
    report.line("|" + "---:|" * len(names))


def main():
    if set(sys.argv[1:]) & {"-h", "--help"}:
        print(__doc__)
        return 0
    bench.PINNED = False
    os.makedirs(os.path.join(bench.BUILD, "bench"), exist_ok=True)
    report = bench.Report(os.path.join(bench.BUILD, "bench", "cost.md"))
    random.seed(1)
    responder = bench.Server("responder")
    directory = tempfile.mkdtemp(prefix="cairn-cost-", dir=os.path.join(bench.BUILD, "bench"))
    for mode in MODES:
        report.line(f"One server, `--shared {'yes' if mode == 'shared' else 'no'}`"
                    + (", and one that follows" if mode == "shared" else "")
                    + f", a store in {'a bucket' if ENDPOINT else 'a directory'}, a sync:")
        report.line()
        table_head(report, HEAD + (FOLLOWER if mode == "shared" else []))
        cells = [cell for size in SIZES for cell in measure(report, responder, mode, size, directory)]
        report.line()
        report.line("The slowest reply of a steady client, ms, and how many in a million took more than 5 ms:")
        report.line()
        table_head(report, REPLIES)
        for cell in cells:
            report.line(cell.replies_row())
        report.line()
    responder.stop()
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
