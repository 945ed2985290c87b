#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What work in the background does to the slowest requests of a steady client: bench.sh stalls

  PHASE_SECONDS=10   length of a phase (60 for a figure to quote)
  RATE=2000          requests a second of the steady client
  KEYS=1000000       the key space

For cairn (with a directory store) and redis-server: the idle server; saving, while a tenth of the keys change;
a key space that grows to twice its size; expiry of as many keys at once; a drop of a database of as many; for
cairn also loading such a namespace beside the one in use. At the same time a second such client asks the bare
responder: what the machine makes any server's client wait. "awake" is of the requests that were not on their way while
a processor of the machine stood still (see stall.c). Servers are not pinned here, since
background threads are part of what is measured; who loads keys has a lower priority, as if it were elsewhere.
"""
import os
import subprocess
import sys
import threading

import bench

PHASE_SECONDS = int(os.environ.get("PHASE_SECONDS", "3" if bench.QUICK else "10"))
RATE = int(os.environ.get("RATE", "2000"))
STALL = os.path.join(bench.BUILD, "bench", "stall")
LOADER_NICE = 10


class Stalls:
    """The report, and the responder that is measured beside each server."""

    def __init__(self, report):
        self.report, self.responder = report, bench.Server("responder")

    def clients(self, server):
        return [subprocess.Popen([STALL, str(port), str(PHASE_SECONDS), str(RATE), str(bench.KEYS)],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for port in (server.port, self.responder.port)]

    def measure(self, server, name, work=None):
        """One phase: the steady clients, and beside them the work, begun half a second later."""
        failures = []

        def run():
            os.setpriority(os.PRIO_PROCESS, 0, LOADER_NICE)     # of this thread, and of what it starts
            try:
                work()
            except (OSError, subprocess.SubprocessError, SystemExit) as error:
                failures.append(str(error))

        clients = self.clients(server)
        timer = threading.Timer(0.5, run) if work else None
        if timer:
            timer.start()
        said = [client.communicate(timeout=PHASE_SECONDS * 10 + 60)[0].decode().split() for client in clients]
        if timer:
            timer.join()
        if any(client.returncode for client in clients) or failures:
            sys.exit(f"{server.kind}, {name}: {said} {' '.join(failures)}")
        self.report.line(f"{server.kind:<10}{name:<38}" + "".join(f"{int(part):>9}" for part in said[0][:5] + said[0][7:9])
                         + " |" + "".join(f"{int(part):>9}" for part in said[1][3:5] + said[1][7:9])
                         + f" |{int(said[0][10]) / 1000 / PHASE_SECONDS:>9.1f}")


def in_database(number, commands):
    yield ("SELECT", str(number))
    yield from commands


def load(server, name, commands):
    path = bench.write_requests(name, commands)
    server.load(path)
    os.unlink(path)


def phases(server, stalls):
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

    stalls.measure(server, "idle")
    stalls.measure(server, "changing a tenth, and saving", save)
    stalls.measure(server, "growing to twice its keys", lambda: server.load(growth))
    stalls.measure(server, "expiry of as many in another database", lambda: server.load(doomed))
    stalls.measure(server, "FLUSHDB ASYNC of another database", lambda: server.call("-n", "1", "FLUSHDB", "ASYNC"))
    for path in (changes, growth, doomed):
        os.unlink(path)


def loading(stalls):
    """A namespace of as many keys is loaded from the store at its first use, beside another in use."""
    server = bench.Server("cairn", "everysec")
    value = bench.value(16)
    load(server, "stall", in_database(1, (("SET", f"other:s:{i:012}", value) for i in range(bench.KEYS))))
    server.restart()
    load(server, "stall", (("SET", f"bench:s:{i:012}", value) for i in range(1000)))
    stalls.measure(server, "loading another namespace", lambda: server.call("-n", "1", "DBSIZE"))
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
    report.line(f"{'':<75}{'all':>18}{'awake':>18} |{'responder, all':>18}{'awake':>18} |")
    report.line(f"{'':<48}{'p50':>9}{'p99':>9}{'p99.9':>9}" + f"{'p99.99':>9}{'max':>9}{'p99.99':>9}{'max':>9} |" * 2 + " machine stood, ms a second")
    stalls = Stalls(report)
    for kind in ("redis", "cairn"):
        server = bench.Server(kind, "everysec")
        phases(server, stalls)
        server.stop()
    if not bench.SERVER_IS_REDIS:
        loading(stalls)
    stalls.responder.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
