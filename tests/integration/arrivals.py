#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What clients of one server see of what another server of the same store does.

    arrivals.py [NAME …]     BUILD as in server.py

Two servers share a directory and sync only when told to, so that each test says what comes first.
Messages about keys are compared with those of the server that ran the command. Prints
`N passed, N failed` last.
"""
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import time

import resp
import server

PATIENCE = 15


class Pair:
    """Servers a and b on one store."""

    def __init__(self, *flags):
        self.top = tempfile.mkdtemp(prefix="cairn-arrivals-")
        self.servers = []
        self.connections = []
        for name in ("a", "b"):
            own = os.path.join(self.top, name)
            one = server.Server(own, [
                "--store", os.path.join(self.top, "store"), "--dir", own, "--shared", "yes",
                "--threads", "3", "--sync-interval", "1h", *flags])
            os.makedirs(os.path.join(self.top, "store"), exist_ok=True)
            self.servers.append(one)
            if not one.wait_ready():
                sys.exit(one.last_log_lines())
        self.a, self.b = self.connect(0), self.connect(1)
        for connection in (self.a, self.b):  # loads the namespace
            connection.call("GET", "none")

    def connect(self, which, timeout=PATIENCE):
        connection = resp.Connection(self.servers[which].port, timeout=timeout)
        self.connections.append(connection)
        return connection

    def a_to_b(self, namespace="0"):
        """What a did is in the store, and b has taken it in."""
        self.a.call("CAIRN", "SYNC", namespace)
        self.b.call("CAIRN", "SYNC", namespace)

    def a_to_b_then_rest(self):
        """And nothing that b does from now on goes with that sync, which may take what comes right behind it."""
        self.a_to_b()
        time.sleep(0.2)

    def b_to_a(self):
        self.b.call("CAIRN", "SYNC")
        self.a.call("CAIRN", "SYNC")

    def listen(self, which, *patterns):
        connection = self.connect(which)
        connection.send(resp.encode("PSUBSCRIBE", *patterns))
        for _ in patterns:
            connection.read()
        return connection

    def end(self):
        for connection in self.connections:
            connection.close()
        statuses = [one.terminate() for one in self.servers]
        shutil.rmtree(self.top)
        assert statuses == [0, 0], f"exit statuses {statuses}"


def message(listener):
    """(channel, payload) of the next message."""
    kind, _, channel, payload = listener.read()
    assert kind == b"pmessage", kind
    return channel, payload


def fence(connection, channel):
    connection.call("PUBLISH", channel, "fence")


def until_fence(listener):
    got = []
    while True:
        channel, payload = message(listener)
        if payload == b"fence":
            return got
        got.append((channel, payload))


def eventually(ask, wanted):
    deadline = time.monotonic() + PATIENCE
    while True:
        got = ask()
        if got == wanted or time.monotonic() > deadline:
            assert got == wanted, f"{got!r}, not {wanted!r}"
            return
        time.sleep(0.02)


def info(connection, name):
    return re.search(rf"^{name}:(.*?)\r?$", connection.call("INFO", "cairn").decode(), re.M)[1]


# What runs on a, and is to be told on b as on a. One line is one sync.
COMMANDS = """
SET s v
SET s w EX 1000
PERSIST s
SETRANGE s 1 xyz
APPEND s end
GETDEL s
SET n 1
INCR n
DECRBY n 5
MULBY n 3
DIVBY n 2
INCRBYFLOAT n 1.5
EXPIRE n 1000
EXPIREAT n 1
SET gone v
DEL gone
SET other v NX
SETEX dated 1000 v
HSET h f 1 g 2
HINCRBY h f 2
HMULBY h f 2
HDIVBY h f 3
HINCRBYFLOAT h f 0.5
HSETNX h new 1
HDEL h f
HDEL h g new
SADD set a b c
SREM set a
SREM set b c
RPUSH list a b c d e f
LPUSH list z
LINSERT list BEFORE a y
LSET list 0 first
LREM list 1 a
LTRIM list 1 4
LPOP list
RPOP list
LPOP list 10
RPUSH from x
LMOVE from to LEFT RIGHT
"""


def commands_are_told_as_on_the_server_that_ran_them(pair):
    listeners = []
    for which, connection in enumerate((pair.a, pair.b)):
        connection.call("CONFIG", "SET", "notify-keyspace-events", "KEAn")
        listeners.append(pair.listen(which, "__key*__:*"))
    for line in COMMANDS.strip().splitlines():
        pair.a.call(*line.split())
        pair.a_to_b()
        fence(pair.a, "__key__:")
        fence(pair.b, "__key__:")
        there, here = until_fence(listeners[0]), until_fence(listeners[1])
        assert here == there and there, f"{line}: {there} there, {here} here"


def commands_with_one_op_are_told_by_the_op(pair):
    pair.b.call("CONFIG", "SET", "notify-keyspace-events", "EAn")
    listener = pair.listen(1, "__key*__:*")
    for line, events in (("SADD s a", ["new", "sadd"]), ("SPOP s", ["srem", "del"]),
                         ("RPUSH l a", ["new", "rpush"]), ("RENAME l m", ["del", "new", "restore"]),
                         ("COPY m c", ["new", "restore"]), ("SUNIONSTORE d none", []),
                         ("FLUSHDB", [])):
        pair.a.call(*line.split())
        pair.a_to_b()
        fence(pair.b, "__key__:")
        got = [channel.decode().split(":")[1] for channel, _ in until_fence(listener)]
        assert got == events, f"{line}: {got}"


def messages_carry_the_namespace_and_the_key(pair):
    pair.b.call("CONFIG", "SET", "notify-keyspace-events", "KE$")
    listener = pair.listen(1, "__key*__:*")
    for name in ("5", "orders"):
        pair.a.call("SELECT", name)
        pair.b.call("SELECT", name)
        pair.b.call("GET", "k")
        pair.a.call("SET", b"\xff\r\n\0", "v")
        pair.a_to_b(name)
        space = name.encode()
        assert message(listener) == (b"__keyspace@" + space + b"__:\xff\r\n\0", b"set")
        assert message(listener) == (b"__keyevent@" + space + b"__:set", b"\xff\r\n\0")


def messages_come_in_the_order_of_the_commits(pair):
    pair.b.call("CONFIG", "SET", "notify-keyspace-events", "E$")
    listener = pair.listen(1, "__key*__:*")
    keys = [b"k%d" % i for i in range(2000)]
    pair.a.call_many([("SET", key, "v") for key in keys])
    pair.a_to_b()
    assert [message(listener)[1] for _ in keys] == keys


def nothing_is_told_that_is_not_asked_for(pair):
    listener = pair.listen(1, "*")
    pair.a.call("SET", "k", "v")
    pair.a_to_b()
    pair.b.call("CONFIG", "SET", "notify-keyspace-events", "Kl")
    pair.a.call("SET", "k", "w")
    pair.a.call("RPUSH", "l", "item")
    pair.a_to_b()
    assert message(listener) == (b"__keyspace@0__:l", b"rpush")


def who_listens_keeps_the_namespace_in_memory(pair):
    pair.b.call("CONFIG", "SET", "notify-keyspace-events", "E$")
    listener = pair.listen(1, "__key*__:*")
    time.sleep(3)
    assert info(pair.b, "namespaces_in_memory") == "1"
    pair.a.call("SET", "k", "v")
    pair.a_to_b()
    assert message(listener) == (b"__keyevent@0__:set", b"k")


def a_key_that_ours_makes_again_is_told_again(pair):
    pair.a.call("SADD", "s", "theirs")
    pair.a_to_b_then_rest()
    pair.b.call("CONFIG", "SET", "notify-keyspace-events", "EAn")
    listener = pair.listen(1, "__key*__:*")
    pair.b.call("SADD", "s", "ours")
    pair.a.call("DEL", "s")
    pair.a_to_b()
    fence(pair.b, "__key__:")
    got = [channel.decode().split(":")[1] for channel, _ in until_fence(listener)]
    assert got == ["sadd", "del", "new", "sadd"], got
    assert pair.b.call("SMEMBERS", "s") == [b"ours"]


def a_key_whose_deadline_an_arrival_meets_expires(pair):
    pair.b.call("CONFIG", "SET", "notify-keyspace-events", "ExK$")
    listener = pair.listen(1, "__keyevent*__:*")
    pair.b.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    pair.a.call("SET", "k", "v", "PX", "30")
    pair.a_to_b()
    assert message(listener) == (b"__keyevent@0__:set", b"k")
    time.sleep(0.1)
    pair.a.call("SET", "k", "again")
    pair.a_to_b()
    assert [message(listener), message(listener)] == [(b"__keyevent@0__:expired", b"k"),
                                                      (b"__keyevent@0__:set", b"k")]


# --- answers that changed ---


def a_changed_answer_is_counted_and_told(pair):
    listener = pair.listen(1, "__cairn__:conflicts")
    quiet = pair.listen(0, "__cairn__:conflicts")
    assert pair.b.call("INCRBY", "n", "-5") == -5
    assert pair.a.call("INCRBY", "n", "10") == 10
    pair.a_to_b()
    channel, payload = message(listener)
    assert channel == b"__cairn__:conflicts"
    assert json.loads(payload) == {
        "namespace": "0", "key": "n", "op": "IntAdd", "command": "incrby", "position": 1,
        "old": {"status": "ok", "number": -5}, "new": {"status": "ok", "number": 5}}, payload
    assert (info(pair.b, "changed_answers"), info(pair.a, "changed_answers")) == ("1", "0")
    pair.b_to_a()
    fence(pair.a, "__cairn__:conflicts")
    assert until_fence(quiet) == []
    assert pair.a.call("GET", "n") == pair.b.call("GET", "n") == b"5"


def a_job_taken_twice_is_told_with_both_items(pair):
    pair.a.call("RPUSH", b"jobs\xff", "one", "two")
    pair.a_to_b_then_rest()
    listener = pair.listen(1, "__cairn__:*")
    assert pair.b.call("LPOP", b"jobs\xff") == pair.a.call("LPOP", b"jobs\xff") == b"one"
    pair.a_to_b()
    told = json.loads(message(listener)[1])
    assert (told["key"], told["op"], told["command"]) == ("base64:am9ic/8=", "ListPop", "lpop"), told
    assert told["old"] == {"status": "ok", "number": 1, "items": ["one"]}, told
    assert told["new"] == {"status": "ok", "number": 1, "items": ["two"]}, told


def a_claim_that_was_lost_is_told(pair):
    listener = pair.listen(1, "__cairn__:conflicts")
    assert pair.b.call("SET", "lock", "b", "NX") == pair.a.call("SET", "lock", "a", "NX") == b"OK"
    pair.a_to_b()
    told = json.loads(message(listener)[1])
    assert (told["old"], told["new"]) == ({"status": "ok"}, {"status": "condition"}), told


# What both have before; what b does, then a, whose commit comes first; what b's clients are told (key, op, and the answer then and now);
# what both have in the end. An op is judged alone, on its own key.
SEVERAL_OPS = (
    ((), "MSETNX x b y b", "MSETNX y a z a", ("y", "ScalarSet", {"status": "ok"}, {"status": "condition"}),
     (("GET x", b"b"), ("GET y", b"a"), ("GET z", b"a"))),
    ((), "MSETNX x 1 y 1", "SET x a", ("x", "IntSet", {"status": "ok"}, {"status": "condition"}),
     (("GET x", b"a"), ("GET y", b"1"))),
    (("SET x v",), "RENAMENX x y", "SET y a", ("y", "KeyPut", {"status": "ok"}, {"status": "condition"}),
     (("GET x", None), ("GET y", b"a"))),
    (("SET x v",), "COPY x y", "SET y a", ("y", "KeyPut", {"status": "ok"}, {"status": "condition"}),
     (("GET x", b"v"), ("GET y", b"a"))),
    (("SADD x m n",), "SMOVE x y m", "SREM x m", ("x", "SetRemove", {"status": "ok", "number": 1}, {"status": "ok", "number": 0}),
     (("SMEMBERS x", [b"n"]), ("SMEMBERS y", [b"m"]))),
    (("RPUSH x 1st 2nd 3rd",), "LMOVE x y LEFT RIGHT", "LMOVE x y LEFT RIGHT",
     ("x", "ListPop", {"status": "ok", "number": 1, "items": ["1st"]}, {"status": "ok", "number": 1, "items": ["2nd"]}),
     (("LRANGE x 0 -1", [b"3rd"]), ("LRANGE y 0 -1", [b"1st", b"1st"]))),
    (("SET x v",), "RENAME x y", "SET x a", None, (("GET x", None), ("GET y", b"v"))),
    (("SADD x m",), "SUNIONSTORE y x", "SADD x n", None, (("SCARD x", 2), ("SMEMBERS y", [b"m"]))),
)


def each_op_of_several_is_judged_alone(pair):
    listener = pair.listen(1, "__cairn__:conflicts")
    for before, ours, theirs, told, after in SEVERAL_OPS:
        for command in ("FLUSHDB", *before):
            pair.a.call(*command.split())
        pair.a_to_b_then_rest()
        assert pair.b.call(*ours.split()) in (1, b"1st", b"OK"), ours
        pair.a.call(*theirs.split())
        pair.a_to_b()
        fence(pair.b, "__cairn__:conflicts")
        heard = [json.loads(payload) for _, payload in until_fence(listener)]
        got = [(one["key"], one["op"], one["old"], one["new"]) for one in heard]
        assert told in got if told else not got, f"{ours}: {heard}"
        pair.b_to_a()
        for connection in (pair.a, pair.b):
            for command, wanted in after:
                got = connection.call(*command.split())
                assert got == wanted, f"{ours}: {command}: {got}"


def a_move_that_comes_second_leaves_the_key_nowhere(pair):
    elsewhere = pair.connect(0), pair.connect(1)
    for connection in elsewhere:
        connection.call("SELECT", "1")
        connection.call("GET", "none")
    pair.a.call("SET", "x", "v")
    pair.a_to_b_then_rest()
    assert pair.b.call("MOVE", "x", "1") == 1
    elsewhere[0].call("SET", "x", "a")
    for namespace in ("1", "0"):
        pair.a_to_b(namespace)
    assert (elsewhere[1].call("GET", "x"), pair.b.call("GET", "x")) == (b"a", None)


def the_log_tells_some_changed_answers_and_counts_the_others(pair):
    for i in range(100):
        pair.b.call("INCR", f"n{i}")
        pair.a.call("INCR", f"n{i}")
    pair.a_to_b()
    assert info(pair.b, "changed_answers") == "100"

    def total():
        with open(pair.servers[1].log, encoding="utf-8") as log:
            lines = [line for line in log if "since commits of other servers came first" in line]
        more = [int(re.search(r"\((\d+) more", line)[1]) for line in lines]
        return len(lines) <= 3, sum(more) + sum("{" in line for line in lines)

    eventually(total, (True, 100))


# --- who waits and who watches ---


class Waiter(threading.Thread):
    def __init__(self, pair, *command):
        super().__init__()
        self.connection, self.command, self.got = pair.connect(1, 2 * PATIENCE), command, None
        self.start()

    def run(self):
        self.got = self.connection.call(*self.command)


def blocked(pair):
    return int(re.search(r"blocked_clients:(\d+)", pair.b.call("INFO", "clients").decode())[1])


def an_element_that_arrives_serves_one_who_waits_once(pair):
    waiters = [Waiter(pair, "BLPOP", "jobs", str(PATIENCE)) for _ in range(3)]
    eventually(lambda: blocked(pair), 3)
    pair.a.call("RPUSH", "jobs", "one")
    pair.a_to_b()
    eventually(lambda: blocked(pair), 2)
    pair.a.call("RPUSH", "jobs", "two", "three", "four")
    pair.a_to_b()
    for waiter in waiters:
        waiter.join()
    got = sorted(waiter.got[1] for waiter in waiters)
    assert sorted(waiter.got[0] for waiter in waiters) == [b"jobs"] * 3
    assert got == [b"one", b"three", b"two"], got
    pair.b_to_a()
    assert pair.a.call("LRANGE", "jobs", "0", "-1") == pair.b.call("LRANGE", "jobs", "0", "-1") == [b"four"]


def workers_on_one_server_get_each_job_of_another_once(pair):
    """One appends and the other pops all the time, so pops are undone and run again, with the same answer."""
    for connection in (pair.a, pair.b):
        connection.call("CONFIG", "SET", "sync-interval", "50ms")
        connection.call("CONFIG", "SET", "notify-keyspace-events", "KEA")
    listeners = [pair.listen(1, "__key*__:*") for _ in range(2)]
    jobs = [b"%d" % i for i in range(600)]
    done, threads = [], []

    def work(connection):
        while True:
            job = connection.call("BLPOP", "jobs", "0")[1]
            done.append(job)
            if job == b"stop":
                return

    for _ in range(4):
        thread = threading.Thread(target=work, args=(pair.connect(1),))
        thread.start()
        threads.append(thread)
    for i, job in enumerate(jobs):
        pair.a.call("RPUSH", "jobs", job)
        pair.b.call("INCR", "other")
        if i % 20 == 0:
            pair.listen(1, "*").close()
            time.sleep(0.05)
    eventually(lambda: sorted(done) == sorted(jobs), True)
    pair.b.call("RPUSH", "jobs", *["stop"] * len(threads))
    for thread in threads:
        thread.join()
    pair.b_to_a()
    assert info(pair.b, "changed_answers") == "0"
    assert pair.a.call("EXISTS", "jobs") == pair.b.call("EXISTS", "jobs") == 0
    assert all(message(listener) for listener in listeners)


def an_element_that_arrives_is_moved_once(pair):
    waiter = Waiter(pair, "BLMOVE", "from", "to", "LEFT", "RIGHT", str(PATIENCE))
    second = Waiter(pair, "BLPOP", "to", str(PATIENCE))
    eventually(lambda: blocked(pair), 2)
    pair.a.call("RPUSH", "from", "x")
    pair.a_to_b()
    waiter.join()
    second.join()
    assert (waiter.got, second.got) == (b"x", [b"to", b"x"])
    pair.b_to_a()
    assert pair.a.call("EXISTS", "from", "to") == pair.b.call("EXISTS", "from", "to") == 0


def who_waits_keeps_the_namespace_in_memory(pair):
    waiter = Waiter(pair, "BLPOP", "jobs", str(PATIENCE))
    eventually(lambda: blocked(pair), 1)
    time.sleep(3)  # longer than idle-unload and the beat that follows it
    assert info(pair.b, "namespaces_in_memory") == "1"
    pair.a.call("RPUSH", "jobs", "one")
    pair.a_to_b()
    waiter.join()
    assert waiter.got == [b"jobs", b"one"]


def a_pop_that_served_who_waited_is_an_op_like_others(pair):
    listener = pair.listen(1, "__cairn__:conflicts")
    waiter = Waiter(pair, "BLPOP", "jobs", str(PATIENCE))
    eventually(lambda: blocked(pair), 1)
    pair.b.call("RPUSH", "jobs", "ours")
    waiter.join()
    assert waiter.got == [b"jobs", b"ours"]
    pair.a.call("RPUSH", "jobs", "theirs")
    pair.a_to_b()
    told = json.loads(message(listener)[1])
    if told["op"] == "ListAppend":  # the push answers another length, too
        told = json.loads(message(listener)[1])
    assert (told["old"]["items"], told["new"]["items"]) == (["ours"], ["theirs"]), told
    pair.b_to_a()
    assert pair.a.call("LRANGE", "jobs", "0", "-1") == pair.b.call("LRANGE", "jobs", "0", "-1") == [b"ours"]


def transaction(pair, change):
    connection = pair.connect(1)
    connection.call("WATCH", "guarded")
    change()
    connection.call("MULTI")
    connection.call("SET", "done", "1")
    return connection.call("EXEC")


def a_watched_key_that_others_change_fails_exec(pair):
    def theirs(*command):
        def change():
            pair.a.call(*command)
            pair.a_to_b()
        return change
    assert transaction(pair, theirs("SET", "other", "v")) == [b"OK"]
    assert transaction(pair, theirs("SET", "guarded", "v")) is None
    assert transaction(pair, theirs("DEL", "guarded")) is None
    assert transaction(pair, theirs("FLUSHDB")) is None
    assert transaction(pair, theirs("SADD", "guarded", "m")) is None


def a_watched_key_that_expires_fails_exec(pair):
    pair.a.call("SET", "guarded", "v", "PX", "1000")
    pair.a_to_b()
    assert transaction(pair, lambda: time.sleep(1.1)) is None
    assert transaction(pair, lambda: None) == [b"OK"]  # it was gone when WATCH came


TESTS = [
    (commands_are_told_as_on_the_server_that_ran_them, ()),
    (commands_with_one_op_are_told_by_the_op, ()),
    (messages_carry_the_namespace_and_the_key, ()),
    (messages_come_in_the_order_of_the_commits, ()),
    (nothing_is_told_that_is_not_asked_for, ()),
    (who_listens_keeps_the_namespace_in_memory, ("--idle-unload", "1s")),
    (a_key_that_ours_makes_again_is_told_again, ()),
    (a_key_whose_deadline_an_arrival_meets_expires, ("--enable-debug-command", "yes")),
    (a_changed_answer_is_counted_and_told, ()),
    (a_job_taken_twice_is_told_with_both_items, ()),
    (a_claim_that_was_lost_is_told, ()),
    (each_op_of_several_is_judged_alone, ()),
    (a_move_that_comes_second_leaves_the_key_nowhere, ()),
    (the_log_tells_some_changed_answers_and_counts_the_others, ()),
    (an_element_that_arrives_serves_one_who_waits_once, ()),
    (workers_on_one_server_get_each_job_of_another_once, ()),
    (an_element_that_arrives_is_moved_once, ()),
    (who_waits_keeps_the_namespace_in_memory, ("--idle-unload", "1s")),
    (a_pop_that_served_who_waited_is_an_op_like_others, ()),
    (a_watched_key_that_others_change_fails_exec, ()),
    (a_watched_key_that_expires_fails_exec, ()),
]


def main():
    server.require_program()
    passed = failed = 0
    for test, flags in TESTS:
        if sys.argv[1:] and test.__name__ not in sys.argv[1:]:
            continue
        pair = Pair(*flags)
        try:
            test(pair)
            pair.end()
            passed += 1
        except (AssertionError, OSError, resp.Error) as error:
            failed += 1
            print(f"FAILED: {test.__name__}: {error!r}", flush=True)
            for one in pair.servers:
                print(one.last_log_lines(8))
                one.kill()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
