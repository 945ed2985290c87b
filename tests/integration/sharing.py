#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Several servers on one store, real clients, kill -9: every acknowledged op is there once, and
in the end all servers answer alike and with the bytes of the store.

    sharing.py [--server PATH] [--servers N] [--clients N] [--seconds N] [--kills N] [--seed N]
               [--store s3://bucket/prefix --flags "--s3-endpoint URL"]

The first test is the scenario of the system this follows: 10 and -5 on two servers end as 5 on both.
Prints `N passed, N failed` last.
"""
import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import redis


def free_port():
    with socket.socket() as s:
        while True:
            port = random.randrange(20000, 60000)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def store_of(options, top):
    """A directory of the test's own; with --store a place of its own below that."""
    return options.store + "/" + os.path.basename(top) if options.store else os.path.join(top, "store")


class Server:
    def __init__(self, options, top, index):
        self.options, self.top, self.index = options, top, index
        self.port = free_port()
        self.process = None

    def start(self):
        log = open(os.path.join(self.top, "log%d" % self.index), "ab")
        self.process = subprocess.Popen(
            [self.options.server, "--store", store_of(self.options, self.top), "--dir",
             os.path.join(self.top, "own%d" % self.index)] + self.options.flags.split() + [
                 "--shared", "yes", "--port", str(self.port), "--sync-interval", "100ms",
                 "--journal-fsync", "always"],
            stdout=log, stderr=log)
        for _ in range(200):
            try:
                self.client().ping()
                return
            except redis.RedisError:
                if self.process.poll() is not None:
                    raise RuntimeError("server %d ended: see its log" % self.index)
                time.sleep(0.05)
        raise RuntimeError("server %d does not answer" % self.index)

    def client(self):
        return redis.Redis(port=self.port, socket_timeout=10)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=30)


class Client(threading.Thread):
    """Adds only; remembers what was acknowledged, and what may have been done."""

    def __init__(self, server, number, until, seed):
        super().__init__()
        self.server, self.number, self.until = server, number, until
        self.random = random.Random(seed)
        self.added = {"n": 0, "h": 0}
        self.perhaps = {"n": 0, "h": 0}
        self.items, self.members, self.perhaps_items, self.perhaps_members = [], [], [], []
        self.errors = []

    def one(self, link, serial):
        name = "%d:%d" % (self.number, serial)
        kind = self.random.randrange(5)
        amount = self.random.randrange(1, 10)
        try:
            if kind == 0:
                link.incrby("n", amount)
                self.added["n"] += amount
            elif kind == 1:
                link.hincrby("h", "f", amount)
                self.added["h"] += amount
            elif kind == 2:
                link.rpush("list", name)
                self.items.append(name)
            elif kind == 3:
                link.sadd("set", name)
                self.members.append(name)
            else:
                with link.pipeline(transaction=True) as both:
                    both.incrby("n", amount)
                    both.hincrby("h", "f", amount)
                    both.set("last:%d" % self.random.randrange(20), name, px=5000)
                    both.execute()
                self.added["n"] += amount
                self.added["h"] += amount
            return True
        except redis.ResponseError as error:
            self.errors.append(str(error))
        except redis.RedisError:
            if kind in (0, 4):
                self.perhaps["n"] += amount
            if kind in (1, 4):
                self.perhaps["h"] += amount
            if kind == 2:
                self.perhaps_items.append(name)
            if kind == 3:
                self.perhaps_members.append(name)
        return False

    def run(self):
        serial = 0
        link = self.server.client()
        while time.time() < self.until:
            serial += 1
            if not self.one(link, serial):
                time.sleep(0.05)
                link = self.server.client()


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, ok, what):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print("FAILED: " + what, flush=True)


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


def dump(server):
    link = server.client()
    return {"n": link.get("n"), "h": link.hgetall("h"), "list": link.lrange("list", 0, -1),
            "set": sorted(link.smembers("set"))}


def killer(servers, until, kills, rng):
    pauses = (until - time.time() - 2) / (kills + 1)
    for _ in range(kills):
        time.sleep(max(0.1, pauses * rng.uniform(0.5, 1.4)))
        if time.time() > until - 1:
            return
        server = rng.choice(servers)
        server.kill()
        server.start()


def soak(options, checks):
    top = tempfile.mkdtemp(prefix="cairn-soak-")
    rng = random.Random(options.seed)
    servers = [Server(options, top, i) for i in range(options.servers)]
    for server in servers:
        server.start()
    until = time.time() + options.seconds
    clients = [Client(servers[i % len(servers)], i, until, options.seed * 1000 + i)
               for i in range(options.servers * options.clients)]
    for client in clients:
        client.start()
    killer(servers, until, options.kills, rng)
    for client in clients:
        client.join()
    sync_all(servers)
    states = [dump(server) for server in servers]
    for i, state in enumerate(states[1:]):
        checks.check(state == states[0], "server %d answers otherwise than server 0" % (i + 1))
    compare(checks, clients, states[0])
    for server in servers:
        checks.check(server.stop() == 0, "server %d did not end well" % server.index)
    if not options.store:  # --export takes no directives, so not from an endpoint of its own
        compare_export(options, checks, top, states[0])
    if checks.failed:
        print("kept: " + top)
    else:
        shutil.rmtree(top)


def compare_export(options, checks, top, state):
    export = subprocess.run([options.server, "--export", store_of(options, top), "0"],
                            capture_output=True)
    checks.check(export.returncode == 0, "the store cannot be read: %r" % export.stderr[-200:])
    if export.returncode == 0:
        stored = json.loads(export.stdout)["state"]
        checks.check(str(stored["n"]).encode() == state["n"], "the store has another n")
        checks.check(len(stored["list"]["list"]) == len(state["list"]), "the store has another list")


def compare(checks, clients, state):
    for name, have in (("n", int(state["n"] or 0)), ("h", int(state["h"].get(b"f", 0)))):
        least = sum(c.added[name] for c in clients)
        most = least + sum(c.perhaps[name] for c in clients)
        checks.check(least <= have <= most, "%s is %d, not %d to %d" % (name, have, least, most))
    items = [item.decode() for item in state["list"]]
    checks.check(len(items) == len(set(items)), "an element was appended twice")
    for what, have, acked, perhaps in (
            ("list", set(items), [c.items for c in clients], [c.perhaps_items for c in clients]),
            ("set", {m.decode() for m in state["set"]}, [c.members for c in clients],
             [c.perhaps_members for c in clients])):
        acked = {name for part in acked for name in part}
        allowed = acked | {name for part in perhaps for name in part}
        checks.check(acked <= have, "%s: %d acknowledged are missing" % (what, len(acked - have)))
        checks.check(have <= allowed, "%s: %d come from nowhere" % (what, len(have - allowed)))
    errors = {error for c in clients for error in c.errors}
    checks.check(not errors, "errors: %s" % sorted(errors)[:3])
    print("acknowledged: %d elements, %d members, n %d; unknown %d" % (
        sum(len(c.items) for c in clients), sum(len(c.members) for c in clients),
        sum(c.added["n"] for c in clients), sum(len(c.perhaps_items) for c in clients)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default=os.path.join(os.environ.get("BUILD", "build"),
                                                         "cairn-server"))
    parser.add_argument("--store", help="s3://bucket/prefix instead of a directory of its own")
    parser.add_argument("--flags", default="", help="more directives for every server")
    parser.add_argument("--servers", type=int, default=4)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1, 1 << 30))
    options = parser.parse_args()
    print("SEED=%d" % options.seed, flush=True)
    checks = Checks()
    two_counters(options, checks)
    effects(options, checks)
    soak(options, checks)
    print("%d passed, %d failed" % (checks.passed, checks.failed))
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
