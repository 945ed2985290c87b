#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A bucket that is out of reach, at the start and later, and what a server asks of one that is not.

    outage.py [CASE …]       the server: BUILD/cairn-server, or SERVER

Prints `N passed, N failed` last.
"""
import concurrent.futures
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import bucket as fake
import resp
import server
from checks import Checks
from server import info, wait_for


class Outage(Checks):
    def __init__(self):
        super().__init__()
        self.root = tempfile.mkdtemp(prefix="cairn-outage-")
        self.servers, self.bucket = [], None

    def launch(self, *flags, own="own", endpoint=None):
        directory = os.path.join(self.root, self.case, own)
        os.makedirs(directory, exist_ok=True)
        os.environ.update(fake.ENVIRONMENT)
        started = server.Server(directory, ["--store", "s3://bucket/fleet", "--dir", directory, "--threads", "2", "--sync-interval", "0.2",
                                            "--journal-fsync", "always", "--s3-endpoint", endpoint or self.bucket.endpoint(), *flags])
        self.servers.append(started)
        return started

    def start(self, *flags, **how):
        started = self.launch(*flags, **how)
        if not started.wait_ready(30):
            raise RuntimeError(f"no start: {started.last_log_lines(5)}")
        return started, resp.Connection(started.port)

    def tidy_up(self):
        for started in self.servers:
            if started.process.poll() is None:
                started.kill()
        self.servers = []
        if self.bucket:
            self.bucket.close()
        self.bucket = None


def ask(connection, *args):
    """The reply; an error as its text."""
    try:
        return connection.call(*args)
    except resp.Error as error:
        return str(error)


def says(started, pattern):
    """How many lines of the log since its last start match."""
    log = started.last_log_lines(100000).rsplit("\n+ ", 1)[-1]
    return len(re.findall(pattern, log))


def starts(reply, word):
    return isinstance(reply, str) and reply.startswith(word)


def journal_ops(o):
    """A server that was killed with ops in its journal that the bucket has not."""
    started, connection = o.start()
    connection.call("INCRBY", "n", "10")
    connection.call("SELECT", "3")
    connection.call("SET", "other", "v")
    o.check(connection.call("WAIT", "1", "10000") == 1, "the bucket takes commits")
    connection.call("SELECT", "0")
    o.check(connection.call("WAIT", "1", "10000") == 1, "the bucket takes commits")
    o.bucket.mode = "hang up"
    connection.call("INCRBY", "n", "1")
    connection.call("WAITAOF", "1", "0", "5000")
    started.kill()


def away_at_start(o):
    for mode in ("hang up", (503, "SlowDown"), (500, "InternalError")):
        o.bucket.mode = ""
        o.bucket.objects.clear()
        shutil.rmtree(os.path.join(o.root, o.case, "own"), ignore_errors=True)
        journal_ops(o)
        before = dict(o.bucket.objects)
        o.bucket.mode = mode
        started, connection = o.start()
        o.check(connection.call("PING") == b"PONG", "PING is answered")
        fields = info(connection)
        o.check(fields["loading"] == "1" and "s3://bucket/fleet/" in fields["trouble"], "INFO says why", fields)
        o.check(connection.call("CONFIG", "GET", "port")[0] == b"port", "CONFIG is answered")
        for command in (("GET", "n"), ("SET", "n", "7"), ("FLUSHALL",), ("DBSIZE",), ("SMOVE", "a", "b", "c"), ("COPY", "n", "m", "DB", "1")):
            said = ask(connection, *command)
            o.check(starts(said, "LOADING"), f"{command[0]} is answered -LOADING", said)
        connection.call("MULTI")
        said = ask(connection, "INCR", "n"), ask(connection, "EXEC"), ask(connection, "PING")
        o.check(starts(said[0], "LOADING") and starts(said[1], "EXECABORT") and said[2] == b"PONG", "a transaction ends", said)
        said = ask(connection, "CAIRN", "SYNC")
        o.check(starts(said, "LOADING"), "CAIRN SYNC tells that nothing was synced", said)
        time.sleep(2.5)
        o.check(says(started, "the store is out of reach, which is tried again") == 1, "the log says so once", started.last_log_lines(9))
        begun = time.monotonic()
        o.check(started.terminate() == 0 and time.monotonic() - begun < 10, "SIGTERM ends it, the journal keeps what it has")
        o.check(says(started, r"warning: \d+ ops that the store may not have are in the journal, and will be committed at the next start: s3://") == 1,
                "and the log says how much", started.last_log_lines(3))
        started, connection = o.start()
        o.check(starts(ask(connection, "GET", "n"), "LOADING"), "the next start is no better")
        o.check(o.bucket.objects == before, "nothing was written meanwhile")
        o.bucket.mode = ""
        o.check(wait_for(lambda: ask(connection, "GET", "n") == b"11"), "in reach: the journal's ops are on top, once", ask(connection, "GET", "n"))
        o.check(connection.call("INCR", "n") == 12, "and it writes")
        connection.call("SELECT", "3")
        o.check(connection.call("GET", "other") == b"v", "what the journal knows nothing of is loaded at its use")
        o.check(b"n" not in connection.call("KEYS", "*"), "and is a namespace of its own")
        fields = info(connection)
        o.check(fields["loading"] == "0" and fields["trouble"] == "", "INFO has no trouble any more", fields)
        o.check(says(started, "the store is in reach after") == 1, "the log tells the end")
        o.check(started.terminate() == 0, "SIGTERM ends with 0")
        _, connection = o.start()
        o.check(connection.call("GET", "n") == b"12", "all is there after another start")
        connection.close()
        o.servers[-1].kill()


def silent_at_start(o):
    """Connections are taken, nothing is ever answered."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(100)
        begun = time.monotonic()
        started, connection = o.start(endpoint=f"http://127.0.0.1:{deaf.getsockname()[1]}")
        o.check(time.monotonic() - begun < 15, "the start does not wait for it", time.monotonic() - begun)
        o.check(starts(ask(connection, "GET", "n"), "LOADING"), "namespaces are not loaded")
        begun = time.monotonic()
        o.check(started.terminate() == 0 and time.monotonic() - begun < 10, "SIGTERM ends it at once: it owes nothing")


def refused_at_start(o):
    for mode, reason in (((403, "SignatureDoesNotMatch"), "SignatureDoesNotMatch (the secret key is not"),
                         ((403, "InvalidAccessKeyId"), "InvalidAccessKeyId (the server does not know"),
                         ((301, "PermanentRedirect"), "PermanentRedirect (the bucket is in another region: set s3-region)"),
                         ((404, "NoSuchBucket"), "NoSuchBucket (the bucket must be there")):
        o.bucket.mode = mode
        started = o.launch()
        o.check(not started.wait_ready(20) and started.process.poll() == 1 and reason in started.last_log_lines(3),
                f"{reason}: the start is refused", started.last_log_lines(3))
    o.bucket.mode, o.bucket.conditional = "", False
    started = o.launch()
    o.check(not started.wait_ready(20) and "ignores If-None-Match" in started.last_log_lines(3),
            "a bucket that ignores conditions is refused", started.last_log_lines(3))


def refused_once_in_reach(o):
    journal_ops(o)
    for mode, conditional, reason in (("", False, "ignores If-None-Match"), ((403, "AccessDenied"), True, "AccessDenied")):
        o.bucket.mode, o.bucket.conditional = "hang up", True
        started, connection = o.start()
        o.check(starts(ask(connection, "GET", "n"), "LOADING"), "it waits")
        before = {key: body for key, body in o.bucket.objects.items() if "cairn-probe" not in key}
        o.bucket.mode, o.bucket.conditional = mode, conditional
        ended = wait_for(lambda started=started: started.process.poll() is not None)
        o.check(ended and started.process.poll() == 1, "the server ends with an error", started.process.poll())
        o.check(says(started, "cannot be used, so the server ends: .*" + reason) == 1, "and says why", started.last_log_lines(5))
        after = {key: body for key, body in o.bucket.objects.items() if "cairn-probe" not in key}
        o.check(before == after, "nothing was written", after.keys())
    o.bucket.mode, o.bucket.conditional = "", True
    _, connection = o.start()
    o.check(connection.call("GET", "n") == b"11", "the journal has survived all that")


def noted_head(o):
    """A head that somebody has removed from the bucket, with no journal that knows of it; found at the start, or once in reach."""
    started, connection = o.start()
    connection.call("SET", "k", "v")
    o.check(started.terminate() == 0, "a clean stop leaves no journal")
    head = o.bucket.objects.pop("fleet/0.json")
    started = o.launch()
    o.check(wait_for(lambda: started.process.poll() not in (None, 0)), "the start is refused", started.process.poll())
    o.check(says(started, r"0\.json is missing in s3://bucket/fleet, though it was there, says .*/own/\.cairn/namespaces") == 1, "and says why", started.last_log_lines(5))
    o.bucket.mode = "hang up"
    started, connection = o.start()
    o.bucket.mode = ""
    o.check(wait_for(lambda: started.process.poll() == 1), "the server ends with an error", started.process.poll())
    o.check(says(started, r"cannot be used, so the server ends: .*0\.json is missing") == 1, "and says why", started.last_log_lines(5))
    started, connection = o.start("--store", "s3://bucket/another")
    o.check(connection.call("DBSIZE") == 0 and started.terminate() == 0, "another prefix misses nothing")
    o.bucket.objects["fleet/0.json"] = head
    _, connection = o.start()
    o.check(connection.call("GET", "k") == b"v", "put back, all is there")


def other_bucket(o):
    """A journal with ops goes with its bucket alone: any other is refused before it is asked anything, and so is this one under another name until that is said."""
    own = os.path.join(o.root, o.case, "own")
    url = o.bucket.endpoint() + "/bucket/fleet/"
    journal_ops(o)
    o.bucket.mode = ""
    o.bucket.taken()
    before = dict(o.bucket.objects)
    renamed = f"http://localhost:{o.bucket.port}"
    for flags, endpoint, present in ((("--store", "s3://bucket/another"), None, o.bucket.endpoint() + "/bucket/another/"),
                                     ((), renamed, renamed + "/bucket/fleet/")):
        started = o.launch(*flags, endpoint=endpoint)
        o.check(not started.wait_ready(20) and started.process.poll() == 1, "the start is refused", started.process.poll())
        o.check(says(started, rf"{own}: its journal has \d+ ops for {url}, .* this start is with {present}\. ") == 1, "it names directory and stores", started.last_log_lines(3))
    o.check(not o.bucket.taken() and o.bucket.objects == before, "nothing was asked or written")
    os.unlink(os.path.join(own, ".cairn", "store"))
    started, connection = o.start(endpoint=renamed)
    o.check(connection.call("GET", "n") == b"11", "the note removed, the other name is taken")
    o.check(started.terminate() == 0, "all is committed")
    started, connection = o.start()
    o.check(connection.call("GET", "n") == b"11", "then the name may change as it likes")


def unblock(o, connection, started):
    """Who waits for the store for ever counts as blocked, and CLIENT UNBLOCK ends that."""
    for command, how, wanted in ((("WAIT", "1", "0"), "TIMEOUT", 0), (("WAITAOF", "0", "1", "0"), "ERROR", "UNBLOCKED client unblocked via CLIENT UNBLOCK")):
        waiter = resp.Connection(started.port)
        name = waiter.call("CLIENT", "ID")
        waiter.call("INCR", "waiters")
        waiter.send(resp.encode(*command))
        o.check(wait_for(lambda: info(connection, "clients")["blocked_clients"] == "1"), f"{command[0]}: who waits is blocked")
        o.check(connection.call("CLIENT", "UNBLOCK", str(name), how) == 1, f"{command[0]}: it can be unblocked")
        said = waiter.read()
        o.check(said == wanted or str(said) == wanted, f"{command[0]}: it is told", said)
        o.check(info(connection, "clients")["blocked_clients"] == "0" and waiter.call("PING") == b"PONG", f"{command[0]}: it goes on")
        waiter.close()


def served_on(o):
    """While it runs: writes are taken from memory, and committed when the bucket answers again."""
    for shared in ("no", "yes"):
        shutil.rmtree(os.path.join(o.root, o.case, "own"), ignore_errors=True)
        o.bucket.objects.clear()
        o.bucket.mode = ""
        started, connection = o.start("--shared", shared)
        connection.call("SET", "before", "v")
        o.check(connection.call("WAIT", "1", "10000") == 1, "the bucket takes commits")
        o.bucket.mode = "hang up"
        acked = 0
        until = time.monotonic() + 6
        while time.monotonic() < until:
            said = ask(connection, "INCR", "n")
            o.check(said == acked + 1, "writes are taken", said)
            acked += 1
            time.sleep(0.05)
        fields = info(connection)
        o.check(fields["writable"] == "1" and "s3://bucket/fleet/" in fields["trouble"], "INFO tells the trouble", fields)
        late = int(info(connection, "cairn")["oldest_pending_ms"])
        o.check(4000 < late < 20000, "and how old the oldest op is", late)
        o.check(connection.call("WAITAOF", "1", "0", "5000") == [1, 0], "written goes on")
        o.check(connection.call("WAITAOF", "0", "1", "300") == [0, 0], "durable waits until its timeout")
        unblock(o, connection, started)
        said = ask(connection, "CAIRN", "SYNC")
        o.check(starts(said, "CAIRNERR") and "s3://bucket/fleet/" in said, "CAIRN SYNC tells why not", said)
        connection.call("SELECT", "5")
        said = ask(connection, "GET", "k")
        o.check(starts(said, "LOADING"), "what is not in memory is answered -LOADING", said)
        time.sleep(3)  # the tries of its load are over
        connection.call("SELECT", "0")
        o.check(says(started, "out of reach; served on from memory") == 1, "the log tells the outage once", started.last_log_lines(9))
        o.check(says(started, "the oldest op that is not in the store is") == 1, "and that ops are late, once", started.last_log_lines(9))
        o.bucket.mode = ""
        o.check(connection.call("WAIT", "1", "20000") == 1, "it is committed when the bucket answers")
        o.check(wait_for(lambda: info(connection)["trouble"] == ""), "no trouble is left", info(connection))
        connection.call("SELECT", "5")
        o.check(wait_for(lambda: ask(connection, "GET", "k") is None), "what was not loaded is, by itself")
        o.check(wait_for(lambda: says(started, "what was late is in the store now") == 1), "the log tells the end", started.last_log_lines(9))
        o.bucket.mode = "hang up"
        connection.call("SELECT", "0")
        connection.call("INCR", "n")
        started.kill()
        o.bucket.mode = ""
        started, connection = o.start("--shared", shared)
        o.check(connection.call("GET", "n") == str(acked + 1).encode(), "nothing is lost or doubled after kill -9", connection.call("GET", "n"))
        started.kill()


def reads_only(o):
    """The bucket is read, and carries out no PUT: without a verdict that is an outage, and a refusal where it says that the head is another."""
    for shared in ("no", "yes"):
        shutil.rmtree(os.path.join(o.root, o.case, "own"), ignore_errors=True)
        o.bucket.objects.clear()
        started, connection = o.start("--shared", shared)
        connection.call("SET", "before", "v")
        o.check(connection.call("WAIT", "1", "10000") == 1, "the bucket takes commits")
        o.bucket.no_puts = (503, "SlowDown")
        o.check(connection.call("INCR", "n") == 1, "a write is taken")
        said = ask(connection, "CAIRN", "SYNC")
        o.check(starts(said, "CAIRNERR") and "SlowDown" in said, "CAIRN SYNC tells why not", said)
        said = ask(connection, "SHUTDOWN")
        o.check(starts(said, "ERR Errors trying to SHUTDOWN"), "SHUTDOWN is refused", said)
        o.check(connection.call("INCR", "n") == 2, "writes are taken on")
        fields = info(connection)
        o.check(fields["writable"] == "1" and "SlowDown" in fields["trouble"], "INFO tells the trouble", fields)
        o.check(says(started, "out of reach; served on from memory") == 1, "the log tells the outage once", started.last_log_lines(9))
        o.bucket.no_puts = None
        o.check(connection.call("WAIT", "1", "20000") == 1, "it is committed when PUTs are carried out")
        o.check(wait_for(lambda: info(connection)["trouble"] == ""), "no trouble is left", info(connection))
        o.bucket.no_puts = (412, "PreconditionFailed")
        connection.call("INCR", "n")
        o.check(wait_for(lambda: starts(ask(connection, "SET", "k", "v"), "MISCONF")), "a bucket that refuses them stops writes")
        o.check("takes no new head" in info(connection)["trouble"], "and INFO says so", info(connection)["trouble"])
        o.bucket.no_puts = None
        o.check(wait_for(lambda: info(connection)["writable"] == "1"), "writes go on when it takes them again")
        o.check(connection.call("GET", "n") == b"3", "nothing is lost or doubled", connection.call("GET", "n"))
        started.kill()


def late_commit(o):
    """A server dies with a commit on its way that no journal has, and which lands when its next life has loaded the namespace."""
    started, connection = o.start("--shared", "no", "--journal", "no", "--journal-fsync", "no")
    connection.call("SET", "before", "v")
    o.check(connection.call("WAIT", "1", "10000") == 1, "the bucket takes commits")
    o.bucket.held = []
    connection.call("SET", "late", "v")
    o.check(wait_for(lambda: len(o.bucket.held) > 0), "a commit is on its way")
    started.kill()
    held, o.bucket.held = o.bucket.held[:1], None
    started, connection = o.start("--shared", "no")
    o.check(connection.call("GET", "late") is None, "the next life does not know of it")
    o.bucket.held = held
    o.check(o.bucket.land() == 1, "then it lands")
    connection.call("SET", "after", "v")
    said = ask(connection, "CAIRN", "SYNC")
    o.check(starts(said, "CAIRNERR") and "earlier life" in said, "the next commit finds it", said)
    said = ask(connection, "SET", "more", "v")
    o.check(starts(said, "MISCONF") and "start it again" in said, "writes are refused", said)
    o.check(connection.call("GET", "before") == b"v", "reads go on")
    o.check(started.terminate() == 0, "its own ops are in its journal", started.last_log_lines(3))
    started, connection = o.start("--shared", "no")
    o.check([connection.call("GET", key) for key in ("before", "late", "after")] == [b"v"] * 3, "the start after that has all of it")
    o.check(ask(connection, "CAIRN", "SYNC") == 3, "and commits")
    started.kill()


def terminated(o):
    """SIGTERM while the bucket is out of reach: with a journal nothing is lost, and without one the exit status says that something is."""
    for journal, shared in (("yes", "no"), ("yes", "yes"), ("no", "no")):
        shutil.rmtree(os.path.join(o.root, o.case, "own"), ignore_errors=True)
        o.bucket.objects.clear()
        o.bucket.mode = ""
        flags = ("--journal", journal, "--shared", shared) + (("--journal-fsync", "no") if journal == "no" else ())
        started, connection = o.start(*flags)
        connection.call("SET", "before", "v")
        o.check(connection.call("WAIT", "1", "10000") == 1, "the bucket takes commits")
        o.bucket.mode = "hang up"
        for _ in range(3):
            connection.call("INCR", "n")
        said = ask(connection, "SHUTDOWN")
        o.check(starts(said, "ERR Errors trying to SHUTDOWN") and connection.call("PING") == b"PONG", "SHUTDOWN is refused", said)
        status = started.terminate()
        if journal == "yes":
            o.check(status == 0, "SIGTERM ends with 0: the journal has it all", status)
            o.check(says(started, "warning: 3 ops that the store may not have are in the journal") == 1, "the log says how many ops", started.last_log_lines(3))
        else:
            o.check(status == 1, "SIGTERM ends with 1: something is lost", status)
            o.check(says(started, "warning: 3 ops are lost: the store has not taken them, and there is no journal: .*s3://bucket/fleet/") == 1,
                    "the log says how many ops", started.last_log_lines(3))
        o.bucket.mode = ""
        started, connection = o.start(*flags)
        o.check(connection.call("GET", "n") == (b"3" if journal == "yes" else None), "the next start has what the journal had", connection.call("GET", "n"))
        connection.call("CAIRN", "SYNC")
        o.bucket.mode = "hang up"
        o.check(started.terminate() == 0, "who owes nothing ends with 0", started.last_log_lines(3))
        o.check(says(started, "are lost|may be lost|may not have") == 0, "and says nothing of the kind", started.last_log_lines(3))


def terminated_beside_a_load(o):
    """SIGTERM while a namespace is loaded, which would take long: what is pending of others is committed."""
    flags = ("--journal", "no", "--journal-fsync", "no", "--shared", "no", "--sync-interval", "1000", "--inline-limit", "1kb", "--chunk-size", "4kb")
    started, connection = o.start(*flags)
    connection.call("SELECT", "big")
    for i in range(2000):
        connection.call("SET", f"key:{i}", "some value")
    connection.call("CAIRN", "SYNC")
    chunks = lambda: sum("/chunk-" in key for key in list(o.bucket.objects))
    o.check(wait_for(lambda: connection.call("CAIRN", "SYNC") and chunks() >= 10, 20), "there are chunks", chunks())
    o.check(started.terminate() == 0, "it ends")
    o.bucket.slow = ("/chunk-", 2)
    started, connection = o.start(*flags)
    o.check(connection.call("INCR", "n") == 1, "a namespace in memory")
    loading = resp.Connection(started.port)
    loading.call("SELECT", "big")
    loading.send(resp.encode("GET", "key:1"))
    time.sleep(1)
    o.check(started.terminate() == 0, "SIGTERM ends with 0: nothing is lost", started.last_log_lines(3))
    o.bucket.slow = None
    started, connection = o.start(*flags)
    o.check(connection.call("GET", "n") == b"1", "what was pending is in the bucket", connection.call("GET", "n"))
    started.kill()


def in_doubt(o):
    """A durable answer that the store does not allow in time becomes an error that says unknown; the write itself goes on."""
    started, connection = o.start("--durability", "durable", "--durable-timeout", "1")
    o.check(ask(connection, "INCR", "n") == 1, "the bucket takes commits")
    o.bucket.mode = "hang up"
    o.check(ask(connection, "GET", "n") == b"1", "reads are answered")
    said = ask(connection, "INCR", "n")
    o.check(starts(said, "UNKNOWN "), "an error says unknown", said)
    try:
        ended = connection.call("PING")
    except (ConnectionError, OSError):
        ended = True
    o.check(ended is True, "and the connection ends", ended)
    again = resp.Connection(started.port)
    o.check(ask(again, "GET", "n") == b"2", "the write is not undone")
    o.bucket.mode = ""
    o.check(again.call("WAIT", "1", "10000") == 1 and ask(again, "INCR", "n") == 3, "answers are durable again")
    started.kill()


def limit(o):
    """Past four times pending-limit writes are refused with the bucket's trouble; what a deletion keeps for its undoing counts."""
    for shared in ("no", "yes"):
        shutil.rmtree(os.path.join(o.root, o.case, "own"), ignore_errors=True)
        o.bucket.objects.clear()
        o.bucket.mode = ""
        started, connection = o.start("--shared", shared, "--pending-limit", "64kb")
        for number in range(100):
            connection.call("SET", f"big{number}", "x" * 5000)
            if number % 10 == 9:
                connection.call("CAIRN", "SYNC")
        o.check(wait_for(lambda: info(connection, "cairn")["pending_bytes"] == "0"), "nothing is held when all is durable", info(connection, "cairn"))
        o.bucket.mode = "hang up"
        connection.call("SET", "during", "v")
        o.check(wait_for(lambda: info(connection)["trouble"] != ""), "the outage is noticed")
        refused = 0
        for number in range(100):
            said = ask(connection, "DEL", f"big{number}")
            if said != 1:
                refused = number
                break
        if shared == "yes":
            o.check(40 < refused < 70, "deleting is refused when what it holds is too much", (refused, said))
        else:
            o.check(refused == 0, "without inverses deletions are small", (refused, said))
            for number in range(1000):
                said = ask(connection, "SET", f"new{number}", "y" * 1000)
                if said != b"OK":
                    break
            o.check(200 < number < 400, "writes are refused past the limit", (number, said))
        o.check(starts(said, "MISCONF") and "s3://bucket/fleet/" in said and "pending-limit" in said, "the refusal names both", said)
        o.check(info(connection)["writable"] == "0", "INFO tells")
        o.check(connection.call("GET", "big99") is not None or shared == "no", "reads go on")
        o.bucket.mode = ""
        o.check(wait_for(lambda: ask(connection, "SET", "after", "v") == b"OK"), "writes resume by themselves", ask(connection, "SET", "after", "v"))
        started.kill()


def polls(o):
    """30 namespaces that nobody uses: one listing shows that nothing moved; what moves is read."""
    names = [f"ns{number}" for number in range(30)]
    flags = ("--shared", "yes", "--history", "1h")
    _, connection = o.start(*flags)
    for name in names:
        connection.call("SELECT", name)
        connection.call("SET", "k", "1")
    connection.call("CAIRN", "SYNC", names[-1])
    connection.call("SAVE")
    time.sleep(0.5)
    o.bucket.taken()
    time.sleep(2)
    asked = o.bucket.taken()
    o.check(asked["LIST"] >= 1 and asked["GET"] <= 10 and asked["PUT"] == 0, "one listing for all of them", asked)
    figures = info(connection, "cairn")
    o.check(int(figures["store_lists"]) >= 1, "INFO counts it", figures)
    time.sleep(4)
    o.bucket.taken()
    time.sleep(6.4)  # 32 intervals
    asked = o.bucket.taken()
    o.check(asked["LIST"] <= 5 and asked["GET"] <= 5, "idle namespaces are asked for ever more seldom", asked)
    _, other = o.start(*flags, own="other")
    other.call("SELECT", "ns12")
    other.call("SET", "k", "2")
    o.check(other.call("WAIT", "1", "10000") == 1, "another server writes")
    o.check(connection.call("CAIRN", "POSITION", "ns12") == 1, "an idle server does not know yet")
    o.bucket.taken()
    o.check(wait_for(lambda: connection.call("CAIRN", "POSITION", "ns12") == 2, 10), "a listing shows what has moved")
    asked = o.bucket.taken()
    o.check(asked["LIST"] >= 1 and asked["GET"] < 13, "and only that is read", asked)
    other.call("SELECT", "ns7")
    other.call("SET", "k", "2")
    o.check(other.call("WAIT", "1", "10000") == 1, "another server writes")
    connection.call("SELECT", "ns7")
    connection.call("GET", "k")  # may be old: local consistency; but it asks for a look
    o.check(wait_for(lambda: connection.call("GET", "k") == b"2", 1), "a namespace that is used is looked at at once", connection.call("GET", "k"))
    other.call("SELECT", "ns9")
    other.call("SET", "k", "3")
    connection.call("SELECT", "ns9")
    other.call("WAIT", "1", "10000")
    o.check(wait_for(lambda: info(connection, "cairn")["pending_ops"] == "0" and connection.call("GET", "k") == b"3", 1), "and another")


def blocked_and_watched(o):
    """Whoever waits for what another server writes gets it at the interval, however idle the namespace is."""
    flags = ("--shared", "yes")
    started, connection = o.start(*flags)
    _, other = o.start(*flags, own="other")
    waiting = resp.Connection(started.port)
    watching = resp.Connection(started.port)
    waiting.call("SELECT", "blocked")
    watching.call("SELECT", "watched")
    waiting.send(resp.encode("BLPOP", "list", "0"))
    watching.call("WATCH", "k")
    connection.call("PING")
    time.sleep(8)
    other.call("SELECT", "blocked")
    other.call("RPUSH", "list", "v")
    begun = time.monotonic()
    o.check(waiting.read() == [b"list", b"v"] and time.monotonic() - begun < 2, "a blocked client is served at the interval", time.monotonic() - begun)
    other.call("SELECT", "watched")
    other.call("SET", "k", "v")
    other.call("WAIT", "1", "10000")
    time.sleep(1)
    watching.send(resp.encode("MULTI") + resp.encode("PING") + resp.encode("EXEC"))
    said = [watching.read() for _ in range(3)]
    o.check(said[2] is None, "a watched key is seen to change", said)


CASES = [served_on, reads_only, late_commit, away_at_start, terminated, terminated_beside_a_load, polls, blocked_and_watched, silent_at_start, refused_at_start, refused_once_in_reach, noted_head, other_bucket, in_doubt, limit]


def run_one(case):
    o = Outage()
    o.case, o.bucket = case.__name__, fake.Bucket()
    begun = time.monotonic()
    try:
        case(o)
    except (RuntimeError, OSError, ConnectionError, resp.Error, IndexError, ValueError) as error:
        o.check(False, f"{type(error).__name__}", error)
    finally:
        o.tidy_up()
        if "KEEP" not in os.environ:
            shutil.rmtree(o.root, ignore_errors=True)
    print(f"{o.case} {time.monotonic() - begun:.1f} s", flush=True)
    return o.passed, o.failed


def run_apart(case):
    """In a process of its own: (output, passed, failed)."""
    done = subprocess.run([sys.executable, __file__, case.__name__], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    *lines, last = done.stdout.splitlines() or [""]
    counted = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
    if not counted:
        return done.stdout, 0, 1
    return "\n".join(lines), int(counted[1]), int(counted[2])


def main():
    """Cases wait more than they work, so several go on at a time."""
    server.require_program()
    chosen = [case for case in CASES if case.__name__ in (sys.argv[1:] or [case.__name__])]
    passed = failed = 0
    if len(chosen) == 1:
        passed, failed = run_one(chosen[0])
    else:
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for said, good, bad in pool.map(run_apart, chosen):
                print(said, flush=True)
                passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not chosen else 0)


if __name__ == "__main__":
    main()
