#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The side-by-side benchmark: cairn, Debian's redis-server and a bare responder, in one run.

  ROUNDS=5        interleaved rounds; medians are printed. Pipeline 1 has 15 samples a round, each of a fifth of the
                  time: there one wake-up more moves a sample by a tenth
  QUICK=1         a smoke run: few cells, small key space, a minute or two with ROUNDS=1
  KEYS=1000000    the key space
  SECONDS_PER_CELL=0.8
  ONLY=GET,SET    only these operations
  PIPELINES=1,16,128   only these
  PARTS=speed,threads,persistence,shared,memory
  SERVER=BUILD/cairn-server     what stands in cairn's column; SERVER=redis-server shows the noise
  CAIRN_THREADS=1 its threads
  BUILD=build     the report is left in $BUILD/bench/report.txt

Servers run on core 0 and redis-benchmark on core 1, with 50 connections. Throughput is redis-benchmark's; the
processor time per request is what the server and its children ran over the number of requests. Ratios are
cairn's throughput over redis-server's (more is better), redis-server's processor time over cairn's (more is
better) and cairn's throughput over the responder's: the medians of the ratios of samples taken one after the other, in
an order that rotates. Absolute figures differ from machine to machine. While one server is measured the others are
stopped (SIGSTOP), so that the work they do in the background falls into cells of their own.
With persistence a cell is as many requests for each server, three for each key: a server writes all it keeps anew once
for several million, so that fewer for the slower one would have less of that in them. It lasts a save at least, and
its processor time has all that was done for it afterwards. At pipeline 1 samples are short there too, and what is left
to do after one is done within the next. A second cairn, without persistence, is measured beside the one with it.

In the part `threads` nothing is pinned and two redis-benchmarks of 25 connections each run at the same time; the
figures of Valkey and pogocache are of an earlier measurement, kept below as constants. The part `shared` compares cairn with itself, a
directory store with and without --shared yes.
"""
import contextlib
import csv
import os
import platform
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))
import ports
from server import BUILD, IS_REDIS as SERVER_IS_REDIS, PROGRAM as SERVER, require_program

QUICK = os.environ.get("QUICK") == "1"
ROUNDS = int(os.environ.get("ROUNDS", "1" if QUICK else "5"))
KEYS = int(os.environ.get("KEYS", "100000" if QUICK else "1000000"))
CELL_SECONDS = float(os.environ.get("SECONDS_PER_CELL", "0.3" if QUICK else "0.8"))
PARTS = os.environ.get("PARTS", "speed,threads,persistence,shared,memory").split(",")
RESPONDER = os.path.join(BUILD, "bench", "responder")
CONNECTIONS = 50
PIPELINES = tuple(map(int, os.environ.get("PIPELINES", "1,16" if QUICK else "1,16,128").split(",")))
PINNED = os.cpu_count() > 1
SAVED_REQUESTS = 3 * KEYS       # of a cell with persistence, for each server
SETTLE_SECONDS = 1.5            # of which it takes two quiet ones: a fold that has waited begins before
SHORT_SAMPLES = 15              # at pipeline 1, in the time of three long ones
RAND = "__rand_int__"           # redis-benchmark puts 12 digits in its place: keys have 20 bytes


def value(size):
    return ("v" + "0123456789abcdef" * 64)[:size]


def operations():
    """{name: (command for redis-benchmark, share of the usual number of requests)}"""
    mset = [word for _ in range(10) for word in (f"bench:s:{RAND}", value(16))]
    found = {
        "GET": (["GET", f"bench:s:{RAND}"], 1),
        "SET": (["SET", f"bench:s:{RAND}", value(16)], 1),
        "INCR": (["INCR", f"bench:i:{RAND}"], 1),
        "HSET": (["HSET", f"bench:h:{RAND}", "field", value(16)], 1),
        "SADD": (["SADD", f"bench:e:{RAND}", "member"], 1),
        "RPUSH": (["RPUSH", "bench:list", value(16)], 1),
        "LPUSH": (["LPUSH", "bench:list", value(16)], 1),
        "LRANGE_100": (["LRANGE", "bench:hundred", "0", "99"], 0.3),
        "MSET_10": (["MSET"] + mset, 0.2),
    }
    if QUICK:
        found = {name: found[name] for name in ("GET", "SET", "INCR", "HSET")}
    only = os.environ.get("ONLY")
    return {name: row for name, row in found.items() if not only or name in only.split(",")}


def pinned(core, command):
    return ["taskset", "-c", str(core)] + command if PINNED else command


class Server:
    """A running server and what /proc says of it. kind is redis, cairn, two (cairn with two threads), shared (cairn,
    ready to share its store), plain (cairn that keeps nothing) or responder; persistence is off, everysec or always."""

    def __init__(self, kind, persistence="off", size=16, pin=True):
        self.kind = kind
        self.pin = pin
        self.port = ports.free_port()
        self.directory = tempfile.mkdtemp(prefix="cairn-bench-", dir=os.path.join(BUILD, "bench"))
        self.log = open(os.path.join(self.directory, "log"), "wb")
        line = self.command(persistence, size)
        self.line = pinned(0, line) if pin else line
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.line, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.wait_ready()

    def restart(self):
        """Ends it in good order, so that all is saved, and starts it again on the same files."""
        self.process.terminate()
        self.process.wait(120)
        self.start()

    def command(self, persistence, size):
        common = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.directory]
        if self.kind == "responder":
            return [RESPONDER, str(self.port), str(size)]
        if self.kind == "redis" or SERVER_IS_REDIS:
            append = ["--appendonly", "no"] if persistence == "off" else ["--appendonly", "yes", "--appendfsync", persistence]
            return ["redis-server" if self.kind == "redis" else SERVER] + common + ["--save", ""] + append
        store = os.path.join(self.directory, "store")
        os.mkdir(store)
        keep = ["--store", "memory"] if persistence == "off" or self.kind == "plain" else ["--store", store, "--journal-fsync", persistence]
        if self.kind == "shared":
            keep += ["--shared", "yes"]
        threads = "2" if self.kind == "two" else os.environ.get("CAIRN_THREADS", "1")
        return [SERVER] + common + keep + ["--threads", threads]

    def wait_ready(self):
        for _ in range(300):
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as probe:
                    probe.sendall(b"*1\r\n$4\r\nPING\r\n")
                    if probe.recv(64).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            time.sleep(0.1)
        sys.exit(f"{shlex.join(self.process.args)} does not answer; see {self.directory}/log")

    def processor_seconds(self):
        """What it has run, and the children that redis-server rewrites its file in."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        ended = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        return ended + sum(map(ran_seconds, self.processes()))

    def processes(self):
        """Itself and the children that have not ended."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as children:
            return [self.process.pid] + [int(pid) for pid in children.read().split()]

    def settle(self):
        """Waits until it has nothing more to do in the background."""
        before, quiet = self.processor_seconds(), 0
        while quiet < 2:
            time.sleep(SETTLE_SECONDS)
            now = self.processor_seconds()
            quiet = quiet + 1 if now - before < 0.05 * SETTLE_SECONDS else 0
            before = now

    def signal(self, number):
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

    def call(self, *words):
        done = subprocess.run(["redis-cli", "-p", str(self.port)] + list(words), stdout=subprocess.PIPE, timeout=60, check=True)
        return done.stdout.decode().strip()

    def load(self, path):
        """Sends a file of requests; every reply must be one."""
        with open(path, "rb") as requests:
            done = subprocess.run(pinned(1, ["redis-cli", "-p", str(self.port), "--pipe"]), stdin=requests,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
        if b"errors: 0" not in done.stdout:
            sys.exit(f"loading {self.kind} failed: {done.stdout.decode().strip()[-300:]}")

    def benchmark(self, command, requests, pipeline, settle=False):
        """(requests a second, processor seconds per request, with all that is still to be done for them when `settle`); by
        two load generators when the server is not pinned."""
        count = 1 if self.pin else 2
        line = ["redis-benchmark", "-p", str(self.port), "--csv", "-n", str(requests // count), "-P", str(pipeline),
                "-c", str(CONNECTIONS // count), "-r", str(KEYS)] + command
        before = self.processor_seconds()
        running = [subprocess.Popen(pinned(1, line) if self.pin else line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                   for _ in range(count)]
        rate = sum(benchmark_rate(process) for process in running)
        if settle:
            self.settle()
        return rate, (self.processor_seconds() - before) / requests

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory)


def ran_seconds(pid):
    """What a process has run, its ended threads included; 0 for a child that has just ended."""
    try:
        return time.clock_gettime((~pid << 3) | 2)      # its processor-time clock, as clock_getcpuclockid names it
    except OSError:
        return 0


def benchmark_rate(process):
    out, errors = process.communicate(timeout=300)
    rows = [row for row in csv.reader(out.decode().splitlines()) if len(row) > 2 and row[0] != "test"]
    if process.returncode or not rows:
        sys.exit(f"{shlex.join(process.args)} failed: {errors.decode()[-300:]}")
    return float(rows[-1][1])


def encode(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in map(str.encode, words))


def write_requests(name, commands):
    path = os.path.join(BUILD, "bench", name + ".requests")
    with open(path, "wb", buffering=1 << 20) as out:
        for command in commands:
            out.write(encode(*command))
    return path


def key_space():
    """The keys that the speed cells hit: a million each of strings, integers, hashes, sets."""
    for i in range(KEYS):
        yield ("SET", f"bench:s:{i:012}", value(16))
        yield ("SET", f"bench:i:{i:012}", str(i))
        yield ("HSET", f"bench:h:{i:012}", "field", value(16))
        yield ("SADD", f"bench:e:{i:012}", "member")
    yield ("RPUSH", "bench:hundred") + tuple(value(16) for _ in range(200))


class Cells:
    """Samples by (row, server): medians of them and of their ratios. The nth samples of a row's servers were taken one
    after the other."""

    def __init__(self):
        self.samples = {}

    def add(self, row, kind, sample):
        self.samples.setdefault((row, kind), []).append(sample)

    def count(self, row):
        """Samples of each server so far."""
        return max((len(samples) for (of, _), samples in self.samples.items() if of == row), default=0)

    def median(self, row, kind):
        found = self.samples.get((row, kind))
        if not found:
            return None
        rates, costs = zip(*found)
        return statistics.median(rates), statistics.median(costs)

    def throughput_ratio(self, row, kind, other):
        return statistics.median(mine[0] / its[0] for mine, its in self.pairs(row, kind, other))

    def processor_ratio(self, row, kind, other):
        """How many times the processor time of `kind` `other` needs."""
        return statistics.median(its[1] / mine[1] for mine, its in self.pairs(row, kind, other))

    def pairs(self, row, kind, other):
        return zip(self.samples[(row, kind)], self.samples[(row, other)])

    def rows(self):
        return list(dict.fromkeys(row for row, _ in self.samples))


class Report:
    def __init__(self, path):
        self.out = open(path, "w", encoding="utf-8")

    def line(self, text=""):
        print(text, flush=True)
        self.out.write(text + "\n")
        self.out.flush()


def requests_for(rate, seconds):
    return max(2000, int(rate * seconds))


def run_alone(servers, chosen):
    """Stops all but one, so that what a server does in the background is done, and counted, in its own cells."""
    for server in servers:
        server.signal(signal.SIGCONT if server is chosen else signal.SIGSTOP)


def sample_plan(rows, saves):
    """[(row, seconds, settle)] of a round: one sample of each row, many short ones at pipeline 1."""
    if QUICK:
        return [(row, CELL_SECONDS, saves) for row in rows]
    return [(row, CELL_SECONDS, saves) for row in rows if row[2] > 1] + \
        SHORT_SAMPLES * [(row, CELL_SECONDS * 3 / SHORT_SAMPLES, False) for row in rows if row[2] == 1]


def measure_round(servers, rows, cells, rates, saves=False):
    for (row, (command, share), pipeline), seconds, settle in sample_plan(rows, saves):
        first = cells.count(row) % len(servers)
        for server in servers[first:] + servers[:first]:
            run_alone(servers, server)
            if command[1] == "bench:list" and server.kind != "responder":
                server.call("UNLINK", "bench:list")
            guess = rates.get((row, server.kind), 60000 * min(pipeline, 12) * share)
            requests = SAVED_REQUESTS if settle and not QUICK else requests_for(guess, seconds)
            rate, cost = server.benchmark(command, requests, pipeline, settle)
            rates[(row, server.kind)] = rate
            cells.add(row, server.kind, (rate, cost))
    for server in servers:
        server.signal(signal.SIGCONT)


def speed_table(report, cells):
    report.line(f"{'':<12}{'P':>4}{'size':>5} |{'requests a second':^34}|{'µs of processor a request':^31}|{'ratios':^31}")
    report.line(f"{'':<21} |{'redis':>11}{'cairn':>11}{'responder':>11} |{'redis':>10}{'cairn':>10}{'responder':>10} |"
                f"{'throughput':>11}{'processor':>10}{'of bare':>9}")
    slower = []
    for row in cells.rows():
        redis, cairn, bare = (cells.median(row, kind) for kind in ("redis", "cairn", "responder"))
        name, pipeline, size = row
        bare_text = (f"{bare[0]:>11,.0f}", f"{bare[1] * 1e6:>10.3f}",
                     f"{cells.throughput_ratio(row, 'cairn', 'responder'):>9.2f}") if bare else ("", "", "")
        throughput = cells.throughput_ratio(row, "cairn", "redis")
        report.line(f"{name:<12}{pipeline:>4}{size:>5} |{redis[0]:>11,.0f}{cairn[0]:>11,.0f}{bare_text[0]:>11} |"
                    f"{redis[1] * 1e6:>10.3f}{cairn[1] * 1e6:>10.3f}{bare_text[1]:>10} |"
                    f"{throughput:>11.2f}{cells.processor_ratio(row, 'cairn', 'redis'):>10.2f}{bare_text[2]:>9}")
        if throughput < 1:
            slower.append(f"{name} P{pipeline} {size} B ({throughput:.3f})")
    report.line(f"slower than redis-server in {len(slower)} of {len(cells.rows())} cells"
                + (": " + ", ".join(slower) if slower else ""))
    report.line()


def measure_with_responder(servers, requests, size, what):
    """Loads the servers, and measures a round of them and of a responder."""
    for server in servers:
        server.load(requests)
    responder = Server("responder", size=size)
    measure_round(servers + [responder], *what)
    responder.stop()


def speed(report):
    """Each round has servers of its own: where a process happens to lie in memory is worth some per cent."""
    rows = [((name, pipeline, 16), row, pipeline) for pipeline in PIPELINES for name, row in operations().items()]
    if not QUICK:
        rows += [((name, pipeline, 256), ([command, f"bench:s:{RAND}"] + ([value(256)] if command == "SET" else []), 0.7), pipeline)
                 for pipeline in PIPELINES for name, command in (("SET", "SET"), ("GET", "GET")) if name in operations()]
    small = [row for row in rows if row[0][2] == 16]
    large = [row for row in rows if row[0][2] == 256]
    requests = write_requests("keys", key_space())
    large_requests = write_requests("large", (("SET", f"bench:s:{i:012}", value(256)) for i in range(KEYS))) if large else None
    cells, rates = Cells(), {}
    for _ in range(ROUNDS):
        servers = [Server(kind) for kind in ("redis", "cairn")]
        measure_with_responder(servers, requests, 16, (small, cells, rates))
        if large:
            measure_with_responder(servers, large_requests, 256, (large, cells, rates))
        for server in servers:
            server.stop()
    os.unlink(requests)
    if large:
        os.unlink(large_requests)
    report.line(f"Without persistence, {KEYS:,} keys of each type, medians of {ROUNDS} rounds, at pipeline 1 of "
                + ("as many" if QUICK else f"{SHORT_SAMPLES * ROUNDS} samples"))
    speed_table(report, cells)


def measure(make_servers, rows, rates=None, saves=False, keys=True):
    """Each round has servers of its own: where a process happens to lie in memory is worth some per cent. And each begins
    with another row: what a server puts off until much has changed is done, and counted, in a later one."""
    requests = write_requests("keys", key_space() if keys else ())
    cells, rates = Cells(), rates or {}
    for number in range(ROUNDS):
        first = number % len(rows)
        servers = make_servers()
        for server in servers if keys else ():
            server.load(requests)
            if saves:
                server.settle()
        measure_round(servers, rows[first:] + rows[:first], cells, rates, saves)
        for server in servers:
            server.stop()
    os.unlink(requests)
    return cells


# Throughput over redis-server's of (Valkey 8, pogocache 1.3) with one thread, measured before cairn was begun.
OTHERS = {("GET", 16): (1.12, 1.48), ("GET", 128): (1.24, 1.55), ("SET", 16): (1.09, 1.50), ("SET", 128): (1.08, 1.71),
          ("INCR", 16): (0.96, 1.03), ("INCR", 128): (1.03, 1.04), ("HSET", 16): (0.97, None), ("SADD", 16): (1.21, None)}


def threads(report):
    known = operations()
    rows = [((name, pipeline, 16), known[name], pipeline) for pipeline in PIPELINES
            for name in ("GET", "SET", "INCR", "HSET", "SADD") if name in known]
    cells = measure(lambda: [Server(kind, pin=False) for kind in ("redis", "cairn", "two")], rows)
    report.line(f"Two threads, two load generators, nothing pinned, medians of {ROUNDS} rounds")
    report.line(f"{'':<12}{'P':>4} |{'requests a second':^33}|{'two threads over':^18}|{'over redis-server':^20}")
    report.line(f"{'':<16} |{'redis':>11}{'one thread':>11}{'two':>11}|{'redis':>9}{'one':>9}|{'Valkey':>10}{'pogocache':>10}")
    for row in cells.rows():
        redis, one, two = (cells.median(row, kind)[0] for kind in ("redis", "cairn", "two"))
        others = OTHERS.get(row[:2], (None, None))
        report.line(f"{row[0]:<12}{row[1]:>4} |{redis:>11,.0f}{one:>11,.0f}{two:>11,.0f}|{two / redis:>9.2f}{two / one:>9.2f}|"
                    + "".join(f"{other or '':>10}" for other in others))
    report.line()


def shared(report):
    known = operations()
    rows = [((name, 16, 16), known[name], 16) for name in ("SET", "INCR", "HSET", "SADD") if name in known]
    cells = measure(lambda: [Server(kind, "everysec") for kind in ("cairn", "shared")], rows, saves=True)
    report.line(f"A shared directory against an unshared one, journal-fsync everysec, medians of {ROUNDS} rounds")
    report.line(f"{'':<12}{'P':>4} |{'requests a second':^22}|{'µs of processor a request':^27}|{'throughput':>11}")
    report.line(f"{'':<16} |{'unshared':>11}{'shared':>11}|{'unshared':>13}{'shared':>14}|{'ratio':>11}")
    for row in cells.rows():
        alone, both = (cells.median(row, kind) for kind in ("cairn", "shared"))
        report.line(f"{row[0]:<12}{row[1]:>4} |{alone[0]:>11,.0f}{both[0]:>11,.0f}|{alone[1] * 1e6:>13.3f}{both[1] * 1e6:>14.3f}|"
                    f"{cells.throughput_ratio(row, 'shared', 'cairn'):>11.2f}")
    report.line()


def persistence(report):
    known = operations()
    names = [name for name in ("SET", "INCR", "HSET") if name in known]
    pipelines = (16,) if QUICK else PIPELINES
    rows = [((name, pipeline, 16), known[name], pipeline) for pipeline in pipelines for name in names]
    for mode, chosen in (("everysec", rows), ("always", [(("SET", 1, 16), known.get("SET"), 1)])):
        if not chosen or not chosen[0][1]:
            continue
        kinds = ("redis", "cairn", "plain") if mode == "everysec" else ("redis", "cairn")
        rates = {(("SET", 1, 16), kind): 3000 for kind in kinds} if mode == "always" else {}
        cells = measure(lambda: [Server(kind, mode) for kind in kinds], chosen, rates, saves=True, keys=mode == "everysec")
        report.line(f"With persistence: appendfsync {mode} against journal-fsync {mode}, {CONNECTIONS} connections")
        speed_table(report, cells)
        if mode == "everysec":
            kept = [f"{row[0]} P{row[1]} {cells.throughput_ratio(row, 'cairn', 'plain'):.2f}" for row in cells.rows()]
            report.line("cairn's throughput with everysec over that without: " + ", ".join(kept))
            report.line()


def memory_rows():
    """(name, number of items, commands); keys, fields and members of 20 bytes where there is one an item."""
    n = KEYS
    half = KEYS // 2
    yield "string of 16 bytes", n, (("SET", f"string::{i:012}", value(16)) for i in range(n))
    yield "hash of 5 small fields", half, (("HSET", f"hash::::{i:012}", "f1", "1", "f2", "22", "f3", "abc", "f4", str(i), "f5", "value")
                                           for i in range(half))
    yield "set of 3 members", half, (("SADD", f"set:::::{i:012}", "alpha", "beta", f"m{i}") for i in range(half))
    yield "list of 3", half, (("RPUSH", f"list::::{i:012}", "alpha", "beta", f"m{i}") for i in range(half))
    yield f"field of a hash of {n:,}", n, (("HSET", "big", f"field:::{i:012}", value(16)) for i in range(n))
    yield f"member of a set of {n:,}", n, (("SADD", "big", f"member::{i:012}") for i in range(n))


def memory(report):
    report.line("Memory, resident bytes an item")
    report.line(f"{'':<32}{'redis':>9}{'cairn':>9}{'ratio':>8}")
    for name, items, commands in memory_rows():
        requests = write_requests("memory", commands)
        found = []
        for kind in ("redis", "cairn"):
            server = Server(kind)
            before = server.resident_bytes()
            server.load(requests)
            time.sleep(0.2 if QUICK else 1)     # a table that is still growing settles
            found.append((server.resident_bytes() - before) / items)
            server.stop()
        os.unlink(requests)
        report.line(f"{name:<32}{found[0]:>9.1f}{found[1]:>9.1f}{found[1] / found[0]:>8.2f}")
    report.line()


def first_line(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=10, check=False)
    return (done.stdout.decode(errors="replace").splitlines() or ["?"])[0]


def heading(report):
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        model = next((line.split(":", 1)[1].strip() for line in cpuinfo if line.startswith("model name")), model)
    report.line(f"machine: {model}, {os.cpu_count()} processors, {platform.system()} {platform.release()}"
                + ("" if PINNED else "; nothing is pinned"))
    report.line(f"redis: {first_line(['redis-server', '--version'])}")
    report.line(f"cairn: {first_line([SERVER, '--version'])}, threads {os.environ.get('CAIRN_THREADS', '1')}")
    with open("/proc/loadavg", encoding="ascii") as load:
        report.line(f"load before: {load.read().split()[0]}; {time.strftime('%Y-%m-%d %H:%M:%S')}")
    report.line()


def main():
    if set(sys.argv[1:]) & {"-h", "--help"}:
        print(__doc__)
        return 0
    require_program()
    os.makedirs(os.path.join(BUILD, "bench"), exist_ok=True)
    report = Report(os.path.join(BUILD, "bench", "report.txt"))
    began = time.monotonic()
    heading(report)
    if "speed" in PARTS:
        speed(report)
    if "threads" in PARTS:
        threads(report)
    if "persistence" in PARTS:
        persistence(report)
    if "shared" in PARTS:
        shared(report)
    if "memory" in PARTS:
        memory(report)
    report.line(f"took {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
