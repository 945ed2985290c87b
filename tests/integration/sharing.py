#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Several servers on one store, real clients, faults, kill -9: every acknowledged op is there once,
and in the end all servers answer alike and with what the store holds.

    sharing.py [--servers N] [--clients N] [--seconds N] [--seed N]
               [--store s3://bucket/prefix --endpoint http://HOST:PORT] [--rate 0.1]

Without --store it is a directory. With --endpoint all servers reach the bucket through
fault_proxy.py. The first test is the scenario of the system this follows: 10 and -5 on two servers
end as 5 on both. SEED in the environment is another way to give --seed: it decides what clients
write, who is killed and which requests are hit, not how all that is interleaved.
The server is that of server.py: SERVER, BUILD. Prints `N passed, N failed` last.
"""
import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import redis

import ports
import resp
import soak_ops
from checks import Checks
from server import PROGRAM, require_program

PATIENCE = 1.0  # seconds that a server waits for S3's answer to begin
START_TRIES = 10  # a start may meet a fault that its retries do not outlast


def store_of(options, top):
    """A directory of the test's own; with --store a place of its own below that."""
    return options.store + "/" + os.path.basename(top) if options.store else os.path.join(top, "store")


class Server:
    started = []  # all processes, so that none outlives the test

    def __init__(self, options, top, index, endpoint=None):
        self.options, self.top, self.index = options, top, index
        self.port = ports.free_port()
        self.endpoint = endpoint or options.endpoint
        self.process, self.refused_starts = None, 0

    def command(self):
        flags = ["--store", store_of(self.options, self.top), "--dir",
                 os.path.join(self.top, "own%d" % self.index), "--shared", "yes",
                 "--port", str(self.port), "--sync-interval", "100ms", "--journal-fsync", "always",
                 "--enable-debug-command", "local"] + self.options.flags.split()
        if self.endpoint:
            flags += ["--s3-endpoint", self.endpoint,
                      "--s3-first-byte-timeout", "%dms" % (1000 * PATIENCE)]
        return [PROGRAM] + flags

    def log_path(self):
        return os.path.join(self.top, "log%d" % self.index)

    def last_log_line(self):
        with open(self.log_path(), "rb") as log:
            return (log.readlines() or [b""])[-1].decode("utf-8", "replace").strip()

    def answers(self):
        """False: it has ended."""
        for _ in range(1200):
            try:
                self.client().ping()
                return True
            except redis.RedisError:
                if self.process.poll() is not None:
                    return False
                time.sleep(0.05)
        raise RuntimeError("server %d does not answer" % self.index)

    def start(self):
        for _ in range(START_TRIES):
            with open(self.log_path(), "ab") as log:
                self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                                stdout=log, stderr=log)
            Server.started.append(self.process)
            if self.answers():
                return
            self.refused_starts += 1
        raise RuntimeError("server %d does not start: %s" % (self.index, self.last_log_line()))

    def client(self):
        return redis.Redis(port=self.port, socket_timeout=10)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=60)


class Proxy:
    """fault_proxy.py before the bucket, a listener for each server."""

    def __init__(self, options):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fault_proxy.py")
        self.process = subprocess.Popen(
            [sys.executable, path, options.endpoint, "--listeners", str(options.servers),
             "--seed", str(options.seed), "--rate", str(options.rate),
             "--patience", str(PATIENCE)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = json.loads(self.process.stdout.readline())
        self.lock = threading.Lock()

    def tell(self, words):
        with self.lock:
            self.process.stdin.write(words + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def endpoint(self, index):
        return "http://127.0.0.1:%d" % self.ports[index]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def sync_all(servers):
    for _ in range(3):
        for server in servers:
            server.client().execute_command("CAIRN", "SYNC")


def two_counters(options, checks):
    top = tempfile.mkdtemp(prefix="cairn-two-")
    servers = [Server(options, top, i) for i in range(2)]
    for server in servers:
        server.start()
    servers[0].client().incrby("counter", 10)
    servers[1].client().decrby("counter", 5)
    sync_all(servers)
    for _ in range(3):  # what changes nothing is recorded and taken back
        servers[0].client().sadd("same", "member")
        sync_all(servers)
    for i, server in enumerate(servers):
        checks.check(server.client().get("counter") == b"5", "server %d has not 5" % i)
    for server in servers:
        checks.check(server.stop() == 0, "a server did not end well")
    shutil.rmtree(top)


def copied_directory(options, checks):
    """Two servers under one name: whoever reads a commit of the other says so, and takes nothing more."""
    top = tempfile.mkdtemp(prefix="cairn-copied-")
    servers = [Server(options, top, i) for i in range(2)]
    servers[0].start()
    counted, said = 0, {}

    def count(server):
        nonlocal counted
        try:
            server.client().incr("n")
            counted += 1
        except redis.ResponseError as error:
            said[server] = str(error)

    for _ in range(30):  # until its journal of before is gone, which it looks for each second
        count(servers[0])
        time.sleep(0.1)
    shutil.copytree(os.path.join(top, "own0"), os.path.join(top, "own1"))
    servers[1].start()
    deadline = time.monotonic() + 30
    while not said and time.monotonic() < deadline:
        for server in servers:
            count(server)
        time.sleep(0.05)
    checks.check(any("is a copy of the other's" in words for words in said.values()), "nobody notices a copied directory: %r" % said)
    refused = [server for server in servers if server in said]
    for server in refused:
        checks.check(server.client().get("n") is not None, "reads do not go on")
    keeper = refused[0] if refused else servers[0]
    for server in servers:
        if server is not keeper:
            server.stop()
    keeper.stop()
    keeper.start()
    checks.check(int(keeper.client().get("n")) == counted, "%s of %d are there" % (keeper.client().get("n"), counted))
    checks.check(keeper.client().incr("n") == counted + 1, "it does not go on alone")
    checks.check(keeper.stop() == 0, "a server did not end well")
    shutil.rmtree(top)


def effects(options, checks):
    """What others write wakes who is blocked, and fails who watches."""
    top = tempfile.mkdtemp(prefix="cairn-effects-")
    servers = [Server(options, top, i) for i in range(2)]
    for server in servers:
        server.start()
    here, there = servers[0].client(), servers[1].client()
    got = []
    waiter = threading.Thread(target=lambda: got.append(here.blpop("jobs", 8)))
    waiter.start()
    watching = servers[0].client().pipeline()
    watching.watch("guarded")
    time.sleep(0.5)
    there.rpush("jobs", "one")
    there.set("guarded", "changed")
    waiter.join()
    checks.check(got == [(b"jobs", b"one")], "a blocked client was not woken: %r" % got)
    sync_all(servers)
    watching.multi()
    watching.set("guarded", "mine")
    try:
        watching.execute()
        checks.check(False, "EXEC went through though another server wrote the watched key")
    except redis.WatchError:
        checks.check(True, "")
    for server in servers:
        checks.check(server.stop() == 0, "a server did not end well")
    shutil.rmtree(top)


# --- the soak


class Trouble(threading.Thread):
    """What happens to one server meanwhile: each kind once, then at random."""

    def __init__(self, server, proxy, until, seed):
        super().__init__()
        self.server, self.proxy, self.until = server, proxy, until
        self.random = random.Random(seed)
        self.kinds = [self.kill, self.terminate] + ([self.cut_off] if proxy else [])
        self.counts = {kind.__name__: 0 for kind in self.kinds}
        self.bad_ends, self.failure = 0, None

    def kill(self):
        self.server.kill()
        self.server.start()

    def terminate(self):
        self.bad_ends += self.server.stop() != 0
        self.server.start()

    def cut_off(self):
        """It does not reach the bucket for a while, and is killed half of the times."""
        self.proxy.tell("block %d" % self.server.index)
        time.sleep(self.random.uniform(1, 3))
        killed = self.random.randrange(2)
        if killed:
            self.server.kill()
        self.proxy.tell("unblock %d" % self.server.index)
        if killed:
            self.server.start()

    def run(self):
        todo = self.kinds[:]
        self.random.shuffle(todo)
        try:
            while time.time() < self.until - 2:
                time.sleep(self.random.uniform(0.5, self.most_between()))
                kind = todo.pop() if todo else self.random.choice(self.kinds + [self.kill])
                kind()
                self.counts[kind.__name__] += 1
        except Exception as error:  # told at the end: a thread has nobody above it
            self.failure = error

    def most_between(self):
        return 8 if self.proxy else 4


def info(server):
    return server.client().info("cairn")


def settle(servers, checks):
    """Syncs until all are at the same positions with nothing pending."""
    deadline = time.time() + 60
    while time.time() < deadline:
        positions = []
        for _ in range(2):
            for server in servers:
                link = resp.Connection(server.port)
                for space in soak_ops.NAMESPACES:  # in use, hence in memory
                    link.call_many([("SELECT", space), ("DBSIZE",)])
                try:
                    at = [link.call("CAIRN", "SYNC", space) for space in soak_ops.NAMESPACES]
                except resp.Error as error:
                    at = [str(error)]
                positions.append(at)
                link.close()
        last = positions[-len(servers):]
        if all(at == last[0] for at in last) and not any(info(s)["pending_ops"] for s in servers):
            print("positions: %s" % last[0])
            return True
        time.sleep(0.2)
    checks.check(False, "positions stay apart: %s" % last)
    return False


def let_keys_expire(servers):
    """After this no key has a deadline ahead, and the clock of each namespace is past them all."""
    time.sleep(soak_ops.LONGEST_EXPIRY_MS / 1000 + 0.2)
    link = resp.Connection(servers[0].port)
    link.call_many([command for space in soak_ops.NAMESPACES
                    for command in (("SELECT", space), ("SET", "end", "reached"))])
    link.close()


def same_state(checks, one, other, what):
    if one == other:
        checks.check(True, what)
        return
    different = [key for key in sorted(set(one) | set(other)) if one.get(key) != other.get(key)]
    checks.check(False, "%s: %d keys differ: %s" % (what, len(different), different[:5]))
    for key in different[:3]:
        print("  %s: %.300r\n      %.300r" % (key, one.get(key), other.get(key)))


def compare_servers(servers, checks):
    states = [soak_ops.dump(server.port) for server in servers]
    digests = [server.client().execute_command("DEBUG", "DIGEST") for server in servers]
    for i, server in enumerate(servers[1:], 1):
        same_state(checks, states[0], states[i], "server %d and server 0" % server.index)
        checks.check(digests[i] == digests[0], "server %d has another digest" % server.index)
    return states[0]


def verify(options, checks, top):
    """What the store holds, read without a server."""
    environment = dict(os.environ, AWS_ENDPOINT_URL_S3=options.endpoint or "")
    known = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True).stdout
    for space in soak_ops.NAMESPACES:
        for errand in ("--verify", "--export"):
            if errand not in known:
                continue
            done = subprocess.run([PROGRAM, errand, store_of(options, top), space],
                                  capture_output=True, env=environment)
            checks.check(done.returncode == 0, "%s %s: %r %r" % (
                errand, space, done.stdout[-300:], done.stderr[-300:]))


def sum_of(troubles):
    return {name: sum(t.counts[name] for t in troubles) for name in troubles[0].counts}


def refusals(clients):
    return sum((client.refused for client in clients), collections.Counter())


def report(clients, servers, troubles, faults):
    print("%d rounds of clients, refused: %s, %d connections lost; unknown: %d" % (
        sum(c.done for c in clients), dict(refusals(clients)), sum(c.lost for c in clients),
        sum(len(names) for c in clients for names in c.perhaps_names.values())))
    print("%s; ends with a status: %d, refused starts: %d" % (
        sum_of(troubles), sum(t.bad_ends for t in troubles),
        sum(s.refused_starts for s in servers)))
    for server in servers:
        figures = info(server)
        print("server %d: %s" % (server.index, {
            name: figures[name] for name in figures
            if name in ("syncs", "syncs_failed", "folds", "changed_answers")}))
    if faults:
        print("faults: %s" % faults)


def run_soak(options, top, proxy, checks):
    servers = [Server(options, top, i, proxy and proxy.endpoint(i)) for i in range(options.servers)]
    for server in servers:
        server.start()
    if proxy:
        proxy.tell("on")
    until = time.time() + options.seconds
    clients = [soak_ops.Client(servers[i % len(servers)].port, i, until, options.seed * 1000 + i)
               for i in range(options.servers * options.clients)]
    troubles = [Trouble(server, proxy, until, options.seed * 100 + server.index)
                for server in servers]
    for thread in clients + troubles:
        thread.start()
    for thread in clients + troubles:
        thread.join()
    for trouble in troubles:
        if trouble.failure:
            raise trouble.failure
    faults = proxy and proxy.tell("counts")
    if proxy:
        proxy.tell("off")
    let_keys_expire(servers)
    settled = settle(servers, checks)
    report(clients, servers, troubles, faults)
    for name, count in list(sum_of(troubles).items()) + list((faults or {}).items()):
        checks.check(count > 0, "%s did not happen" % name)
    checks.check(not refusals(clients)["MISCONF"], "writes were refused: a store out of reach")
    if not settled:
        return
    state = compare_servers(servers, checks)
    soak_ops.compare(checks.check, clients, state)
    failures = [failure for client in clients for failure in client.failures]
    checks.check(not failures, "%d answers: %s" % (len(failures), failures[:3]))
    for server in servers:
        checks.check(server.stop() == 0, "server %d did not end well" % server.index)
    fresh = Server(options, top, options.servers)
    fresh.start()
    same_state(checks, state, soak_ops.dump(fresh.port), "a new server on the store and server 0")
    checks.check(fresh.stop() == 0, "the new server did not end well")
    verify(options, checks, top)


def soak(options, checks):
    top = tempfile.mkdtemp(prefix="cairn-soak-")
    proxy = Proxy(options) if options.endpoint else None
    failed = checks.failed
    try:
        run_soak(options, top, proxy, checks)
    finally:
        if proxy:
            proxy.end()
    if checks.failed > failed:
        print("kept: " + top)
    else:
        shutil.rmtree(top)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", help="s3://bucket/prefix instead of a directory of its own")
    parser.add_argument("--endpoint", help="of the S3 server: http://host:port")
    parser.add_argument("--rate", type=float, default=0.1, help="part of the requests that is hit")
    parser.add_argument("--flags", default="", help="more directives for every server")
    parser.add_argument("--servers", type=int, default=4)
    parser.add_argument("--clients", type=int, default=8, help="of each server")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int,
                        default=int(os.environ.get("SEED") or random.randrange(1, 1 << 30)))
    options = parser.parse_args()
    require_program()
    print("SEED=%d" % options.seed, flush=True)
    checks = Checks()
    try:
        two_counters(options, checks)
        effects(options, checks)
        copied_directory(options, checks)
        soak(options, checks)
    finally:
        for process in Server.started:
            if process.poll() is None:
                process.kill()
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
