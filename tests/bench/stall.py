#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What work in the background does to the slowest requests of a steady client: bench.sh stalls

  PHASE_SECONDS=10   length of a phase (60 for a figure to quote)
  RATE=2000          requests a second of the steady client
  KEYS=1000000       the key space

For cairn (with a directory store) and redis-server: the idle server; saving, while a tenth of the keys change;
a key space that grows to twice its size; expiry of as many keys at once; a drop of a database of as many; for
cairn also loading such a namespace beside the one in use. The bare responder shows the machine's own noise.
Servers are not pinned here, since background threads are part of what is measured.
"""
import os
import subprocess
import sys
import threading

import bench

PHASE_SECONDS = int(os.environ.get("PHASE_SECONDS", "3" if bench.QUICK else "10"))
RATE = int(os.environ.get("RATE", "2000"))
STALL = os.path.join(bench.BUILD, "bench", "stall")


def measure(server, report, name, work=None):
    """One phase: the steady client, and beside it the work, begun half a second later."""
    failures = []

    def run():
        try:
            work()
        except (OSError, subprocess.SubprocessError, SystemExit) as error:
            failures.append(str(error))

    client = subprocess.Popen([STALL, str(server.port), str(PHASE_SECONDS), str(RATE), str(bench.KEYS)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    timer = threading.Timer(0.5, run) if work else None
    if timer:
        timer.start()
    said = client.communicate(timeout=PHASE_SECONDS * 10 + 60)[0].decode().split()
    if timer:
        timer.join()
    if client.returncode or failures:
        sys.exit(f"{server.kind}, {name}: {' '.join(said)} {' '.join(failures)}")
    report.line(f"{server.kind:<10}{name:<38}" + "".join(f"{int(part):>9}" for part in said[:5]))


def in_database(number, commands):
    yield ("SELECT", str(number))
    yield from commands


def load(server, name, commands):
    path = bench.write_requests(name, commands)
    server.load(path)
    os.unlink(path)


def phases(server, report):
    n, value = bench.KEYS, bench.value(16)
    strings = lambda prefix: (("SET", f"{prefix}{i:012}", value) for i in range(n))
    load(server, "stall", strings("bench:s:"))
    load(server, "stall", in_database(1, strings("other:s:")))
    changes = bench.write_requests("changes", (("SET", f"bench:s:{i:012}", value) for i in range(0, n, 10)))
    growth = bench.write_requests("growth", strings("new:::::"))
    doomed = bench.write_requests("doomed", in_database(2, (("PSETEX", f"gone::::{i:012}", "1500", value) for i in range(n))))

    def save():
        server.load(changes)
        server.call(*(["CAIRN", "SYNC"] if server.kind == "cairn" and not bench.SERVER_IS_REDIS else ["BGSAVE"]))

    measure(server, report, "idle")
    measure(server, report, "changing a tenth, and saving", save)
    measure(server, report, "growing to twice its keys", lambda: server.load(growth))
    measure(server, report, "expiry of as many in another database", lambda: server.load(doomed))
    measure(server, report, "FLUSHDB ASYNC of another database", lambda: server.call("-n", "1", "FLUSHDB", "ASYNC"))
    for path in (changes, growth, doomed):
        os.unlink(path)


def loading(report):
    """A namespace of as many keys is loaded from the store at its first use, beside another in use."""
    server = bench.Server("cairn", "everysec")
    value = bench.value(16)
    load(server, "stall", in_database(1, (("SET", f"other:s:{i:012}", value) for i in range(bench.KEYS))))
    server.restart()
    load(server, "stall", (("SET", f"bench:s:{i:012}", value) for i in range(1000)))
    measure(server, report, "loading another namespace", lambda: server.call("-n", "1", "DBSIZE"))
    server.stop()


def main():
    if set(sys.argv[1:]) & {"-h", "--help"}:
        print(__doc__)
        return 0
    bench.PINNED = False
    os.makedirs(os.path.join(bench.BUILD, "bench"), exist_ok=True)
    report = bench.Report(os.path.join(bench.BUILD, "bench", "stalls.txt"))
    bench.heading(report)
    report.line(f"A client of {RATE} requests a second over {bench.KEYS:,} keys, {PHASE_SECONDS} s a phase; microseconds")
    report.line(f"{'':<48}{'p50':>9}{'p99':>9}{'p99.9':>9}{'p99.99':>9}{'max':>9}")
    responder = bench.Server("responder")
    measure(responder, report, "the machine's own noise")
    responder.stop()
    for kind in ("redis", "cairn"):
        server = bench.Server(kind, "everysec")
        phases(server, report)
        server.stop()
    if not bench.SERVER_IS_REDIS:
        loading(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
