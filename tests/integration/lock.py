#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Several servers on a bucket that ignores conditional headers: refused with commit-mode cas; with
commit-mode lock every acknowledged op is there once and all servers end alike, over kill -9 too.
And the same on a directory.

    lock.py [--seconds N] [--servers N] [--seed N]     BUILD as in server.py

Prints `N passed, N failed` last.
"""
import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time

import bucket
import resp
import server
from checks import Checks

LOCK_TTL = 3  # so commits settle for 100 ms
PATIENCE = 120
checks = Checks()
check = checks.check


class Place:
    """A store of several servers, each with a directory of its own."""
    left = []  # those to end, whatever happens

    def __init__(self, where):
        Place.left.append(self)
        self.top = tempfile.mkdtemp(prefix="cairn-lock-")
        self.bucket = bucket.Bucket() if where == "bucket" else None
        self.store = "s3://b/fleet" if self.bucket else os.path.join(self.top, "store")
        self.servers = {}
        if self.bucket:
            self.bucket.conditional = False

    def start(self, name, *flags):
        own = os.path.join(self.top, name)
        place = ["--s3-endpoint", self.bucket.endpoint()] if self.bucket else []
        one = server.Server(own, ["--store", self.store, "--dir", own, "--shared", "yes", "--journal-fsync", "always",
                                  "--sync-interval", "200ms", "--lock-ttl", str(LOCK_TTL), *place, *flags])
        self.servers[name] = one
        return one

    def start_locking(self, name):
        one = self.start(name, "--commit-mode", "lock")
        if not one.wait_ready():
            sys.exit(one.last_log_lines())
        return one

    def connect(self, name):
        return resp.Connection(self.servers[name].port, timeout=PATIENCE)

    def call(self, name, *args):
        connection = self.connect(name)
        try:
            return connection.call(*args)
        finally:
            connection.socket.close()

    def locks_left(self):
        if self.bucket:
            with self.bucket.lock:
                return [key for key in self.bucket.objects if key.endswith(".lock")]
        return [name for name in os.listdir(self.store) if name.endswith(".lock")]

    def end(self):
        Place.left.remove(self)
        for one in self.servers.values():
            if one.process.poll() is None:
                one.kill()
        if self.bucket:
            self.bucket.close()
        shutil.rmtree(self.top)


class Client(threading.Thread):
    """Adds to a counter, a set and a list; knows what was acknowledged and what may have been done."""

    def __init__(self, place, name, number):
        super().__init__(daemon=True)
        self.place, self.name_of_server, self.number = place, name, number
        self.ends = threading.Event()
        self.sum = self.open_sum = self.count = 0
        self.members, self.open_members = set(), set()

    def one_round(self, connection):
        member = b"%d-%d" % (self.number, self.count)
        self.count += 1
        self.open_sum += 1
        self.open_members.add(member)
        replies = connection.call_many([("INCR", "hits"), ("SADD", "seen", member), ("RPUSH", "jobs", member)])
        if any(isinstance(reply, resp.Error) for reply in replies):
            return
        self.open_sum -= 1
        self.open_members.discard(member)
        self.sum += 1
        self.members.add(member)

    def run(self):
        connection = None
        while not self.ends.is_set():
            try:
                connection = connection or self.place.connect(self.name_of_server)
                self.one_round(connection)
            except (OSError, resp.Error):
                connection = None
            time.sleep(0.01)


def state_of(place, name):
    connection = place.connect(name)
    replies = [connection.call("GET", "hits"), sorted(connection.call("SMEMBERS", "seen")), connection.call("LRANGE", "jobs", 0, -1)]
    connection.socket.close()
    return replies


def settle(place):
    """Syncs all until they say the same."""
    until = time.monotonic() + PATIENCE
    states = []
    while time.monotonic() < until:
        for name in place.servers:
            try:
                place.call(name, "CAIRN", "SYNC", "0")
            except resp.Error:
                pass
        states = [state_of(place, name) for name in place.servers]
        if all(state == states[0] for state in states):
            return states[0]
    check(False, "all servers end alike", [state[0] for state in states])
    return states[0]


def check_counts(clients, state, label):
    total, members, jobs = int(state[0] or 0), set(state[1]), state[2]
    least, most = sum(c.sum for c in clients), sum(c.sum + c.open_sum for c in clients)
    known = set().union(*(c.members for c in clients))
    maybe = set().union(*(c.open_members for c in clients))
    check(least <= total <= most, f"{label}: the counter is the sum of acknowledged adds", f"{least} <= {total} <= {most}")
    check(known <= members <= known | maybe, f"{label}: every added member is there", len(known - members))
    check(len(jobs) == len(set(jobs)), f"{label}: no element is there twice", len(jobs) - len(set(jobs)))
    check(known <= set(jobs) <= known | maybe, f"{label}: every appended element is there", len(known - set(jobs)))
    check(least > 0, f"{label}: there was something to count")


def kill_now_and_then(place, names, seconds, dice):
    kills, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(dice.uniform(0.5, 1.5))
        if kills < 4:
            name = dice.choice(names)
            place.servers[name].kill()
            place.start_locking(name)
            kills += 1
    return kills


def soak(where, options, dice):
    place = Place(where)
    names = [f"s{i}" for i in range(options.servers)]
    for name in names:
        place.start_locking(name)
    clients = [Client(place, names[i % len(names)], i) for i in range(2 * len(names))]
    for client in clients:
        client.start()
    kills = kill_now_and_then(place, names, options.seconds, dice)
    for client in clients:
        client.ends.set()
    for client in clients:
        client.join()
    check_counts(clients, settle(place), where)
    check(kills > 0, f"{where}: servers were killed")
    namespaces = place.call(names[0], "CAIRN", "NAMESPACES")
    check(b"lock" not in repr(namespaces).encode(), f"{where}: a lock is no namespace", namespaces)
    statuses = [place.servers[name].terminate() for name in names]
    check(statuses == [0] * len(names), f"{where}: all commit and end", statuses)
    check(place.locks_left() == [], f"{where}: no lock is left", place.locks_left())
    place.end()


def refused_with_cas():
    place = Place("bucket")
    one = place.start("a")
    check(not one.wait_ready() and one.process.wait(PATIENCE) != 0, "commit-mode cas refuses a bucket that ignores conditions")
    said = one.last_log_lines()
    check("ignores If-None-Match" in said and "commit-mode lock" in said, "and says why, and what would help", said)
    place.end()


def told_with_lock():
    place = Place("bucket")
    one = place.start_locking("a")
    check("WARNING" in said_of(one) or "ignores If-None-Match" in said_of(one), "a start with commit-mode lock warns", said_of(one))
    answer = place.call("a", "CAIRN", "PROBE")
    check(answer.startswith(b"OK, commit-mode lock") and b"ignores If-None-Match" in answer, "CAIRN PROBE says the mode", answer)
    place.call("a", "SET", "k", "v")
    place.call("a", "CAIRN", "SYNC", "0")
    info = place.call("a", "INFO", "cairn").decode()
    check("commit_mode:lock" in info and "lock_taken:0" not in info, "INFO says the mode and counts locks", info)
    place.bucket.conditional = True
    answer = place.call("a", "CAIRN", "PROBE")
    check(answer == b"OK, commit-mode lock", "and nothing else when conditions hold", answer)
    place.end()


def a_lost_commit_is_found():
    """What a put that lands too late leaves: the head of before, although a commit was durable."""
    place = Place("bucket")
    for name in "ab":
        place.start_locking(name)
    place.call("a", "SET", "k", "1")
    place.call("a", "CAIRN", "SYNC", "0")
    before = place.bucket.objects["fleet/0.json"]
    place.call("a", "SET", "k", "2")
    place.call("a", "CAIRN", "SYNC", "0")
    place.call("b", "CAIRN", "SYNC", "0")
    check(place.call("b", "GET", "k") == b"2", "the commit was seen")
    with place.bucket.lock:
        place.bucket.objects["fleet/0.json"] = before
    for name in "ab":
        try:
            place.call(name, "SET", "other", "x")
            answer = place.call(name, "CAIRN", "SYNC", "0")
        except resp.Error as error:
            answer = str(error)
        check("does not continue" in str(answer), f"{name} finds that a commit was lost", answer)
    place.servers["b"].kill()
    again = place.start("b", "--commit-mode", "lock")
    check(not again.wait_ready() and "older than the journal" in again.last_log_lines(), "a start refuses to go back", again.last_log_lines())
    place.start_locking("c")
    check(place.call("c", "GET", "k") == b"1", "a server without a past takes what is there")
    place.end()


def said_of(one):
    with open(one.log) as log:
        return log.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED", random.randrange(1 << 30))))
    options = parser.parse_args()
    print("SEED=%d" % options.seed)
    server.require_program()
    os.environ.update(bucket.ENVIRONMENT)
    try:
        refused_with_cas()
        told_with_lock()
        a_lost_commit_is_found()
        soak("bucket", options, random.Random(options.seed))
        soak("directory", options, random.Random(options.seed))
    finally:
        for place in list(Place.left):
            place.end()
    sys.exit(checks.end())


main()
