#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How long a server takes to start with a data set: bench.sh start

  ROUNDS=5             interleaved rounds; medians are printed
  KEYS=1000000
  SETS=strings,mixed   strings of 16 bytes; or a quarter each of strings, integers, hashes of 5 fields, sets of 3
  WORKERS=2            cairn's threads for loading (default: the processors)

cairn from the chunks of a directory, and from its journal alone; redis-server from its RDB file, and from its
append-only file, written by the same commands. From exec to the answer of DBSIZE with all keys, and the processor
time used until then. Each round starts from copies of the same files, which are in the page cache. Prints Markdown.
"""
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import bench
import ports

ROUNDS = int(os.environ.get("ROUNDS", "1" if bench.QUICK else "5"))
SETS = os.environ.get("SETS", "strings,mixed").split(",")
WORKERS = os.environ.get("WORKERS", str(os.cpu_count()))
PATIENCE = 120


def strings():
    for i in range(bench.KEYS):
        yield ("SET", f"bench:s:{i:012}", bench.value(16))


def mixed():
    for i in range(bench.KEYS // 4):
        yield ("SET", f"bench:s:{i:012}", bench.value(16))
        yield ("SET", f"bench:i:{i:012}", str(i))
        yield ("HSET", f"bench:h:{i:012}") + tuple(word for n in range(5) for word in (f"field{n}", f"value{i + n}"))
        yield ("SADD", f"bench:e:{i:012}", "member-a", "member-b", f"member-{i}")


class Files:
    """A server's directory, which it must find in the same place each time, and as it is kept for all starts."""

    def __init__(self, name, kind, flags, top):
        self.name, self.kind, self.flags = name, kind, flags
        self.place = os.path.join(top, name.replace(" ", "-"))
        self.kept = self.place + ".kept"
        self.times = []
        os.mkdir(self.place)

    def command(self, directory, port):
        if self.kind == "redis":
            return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", ""] + self.flags
        return [bench.SERVER, "--port", str(port), "--bind", "127.0.0.1", "--store", os.path.join(directory, "store"),
                "--dir", directory, "--workers", WORKERS, "--sync-interval", "0", "--pending-limit", "1gb"] + self.flags

    def start(self, directory):
        port = ports.free_port()
        with open(os.path.join(directory, "log"), "wb") as log:
            begin = time.monotonic()
            process = subprocess.Popen(self.command(directory, port), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return process, port, begin


def connect(process, port):
    for _ in range(PATIENCE * 500):
        if process.poll() is not None:
            break
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except OSError:
            time.sleep(0.002)
    sys.exit("a server does not start")


def keys_when_ready(process, port):
    with connect(process, port) as client:
        while True:
            client.sendall(b"DBSIZE\r\n")
            said = client.recv(4096)
            if said.startswith(b":"):
                return int(said[1:])
            if not said.startswith(b"-LOADING"):
                sys.exit(f"instead of DBSIZE: {said.decode(errors='replace')}")
            time.sleep(0.002)


def call(port, *words):
    done = subprocess.run(["redis-cli", "-p", str(port)] + list(words), stdout=subprocess.PIPE, timeout=PATIENCE, check=True)
    return done.stdout.decode().strip()


def fill(files, requests, finish):
    """Writes the data set through the wire; `finish` brings it where it is to be, and ends the server."""
    process, port, _ = files.start(files.place)
    connect(process, port).close()
    with open(requests, "rb") as commands:
        done = subprocess.run(["redis-cli", "-p", str(port), "--pipe"], stdin=commands, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
    if b"errors: 0" not in done.stdout:
        sys.exit(f"filling {files.name} failed: {done.stdout.decode()[-300:]}")
    finish(process, port)
    process.wait(PATIENCE)
    os.rename(files.place, files.kept)


def to_chunks(process, port):
    """Until the fold of what was written is over."""
    call(port, "CAIRN", "SYNC")
    for _ in range(PATIENCE):
        lines = dict(line.split(":", 1) for line in call(port, "INFO", "cairn").split("\n") if ":" in line)
        if int(lines["folds"]):
            break
        time.sleep(1)
    process.terminate()


def kill(process, port):
    time.sleep(1.5)     # an fsync of everysec
    process.kill()


def save(process, port):
    call(port, "SAVE")
    process.kill()


def one_round(files):
    shutil.copytree(files.kept, files.place)
    process, port, begin = files.start(files.place)
    keys = keys_when_ready(process, port)
    took = time.monotonic() - begin
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    process.kill()
    process.wait()
    shutil.rmtree(files.place)
    if keys != bench.KEYS:
        sys.exit(f"{files.name} has {keys} keys")
    files.times.append((took, used))


def measure(report, data_set, top):
    requests = bench.write_requests("start", {"strings": strings, "mixed": mixed}[data_set]())
    rows = [(Files("cairn, chunks", "cairn", [], top), to_chunks),
            (Files("redis-server, RDB", "redis", [], top), save),
            (Files("cairn, journal", "cairn", ["--journal-fsync", "everysec"], top), kill),
            (Files("redis-server, AOF", "redis", ["--appendonly", "yes"], top), kill)]
    for files, finish in rows:
        fill(files, requests, finish)
    os.unlink(requests)
    for _ in range(ROUNDS):
        for files, _ in rows:
            one_round(files)
    reference = statistics.median(took for took, _ in rows[1][0].times)
    for files, _ in rows:
        took, used = (statistics.median(column) for column in zip(*files.times))
        report.line(f"| {data_set} | {files.name} | {took:.2f} | {bench.KEYS / took / 1e6:.2f} | {used:.2f} | {reference / took:.2f} |")


def main():
    if set(sys.argv[1:]) & {"-h", "--help"}:
        print(__doc__)
        return 0
    os.makedirs(os.path.join(bench.BUILD, "bench"), exist_ok=True)
    report = bench.Report(os.path.join(bench.BUILD, "bench", "start.md"))
    report.line(f"{bench.KEYS:,} keys, medians of {ROUNDS} interleaved rounds, {WORKERS} workers:")
    report.line()
    report.line("| keys | from | s | million keys/s | processor s | speed against the RDB file |")
    report.line("|---|---|---:|---:|---:|---:|")
    for data_set in SETS:
        with tempfile.TemporaryDirectory(prefix="cairn-start-", dir=os.path.join(bench.BUILD, "bench")) as top:
            measure(report, data_set, top)
    return 0


if __name__ == "__main__":
    sys.exit(main())
