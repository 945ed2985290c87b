#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Where cairn answers otherwise than Redis 7.0, on purpose: each is asked of both servers and both answers are checked.

docs/differences.md lists the same with the reasons. A difference that goes away here must go away there, and the other way round.

  tests/integration/differences.py [NAME …]     BUILD as in server.py; REDIS: the redis-server to compare with
"""
import os
import re
import select
import shlex
import shutil
import sys
import tempfile
import time

import differences_scenarios
import resp
import server

REDIS = os.environ.get("REDIS", "redis-server")
WAITS = "no answer yet"
CLOSED = "closed"


class Error:
    """An error reply whose text begins so."""

    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return isinstance(other, resp.Error) and str(other).startswith(self.text)

    def __repr__(self):
        return f"Error({self.text!r})"


class Like:
    """Bytes in which the pattern is found."""

    def __init__(self, pattern):
        self.pattern = pattern

    def __eq__(self, other):
        return isinstance(other, bytes) and re.search(self.pattern, other.decode("utf-8", "replace"), re.S) is not None

    def __repr__(self):
        return f"Like({self.pattern!r})"


class Holds:
    """A list in whose text this is found."""

    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return isinstance(other, list) and self.text in repr(other)

    def __repr__(self):
        return f"Holds({self.text!r})"


class ErrorWith(Holds):
    """An error reply in whose text this is found."""

    def __eq__(self, other):
        return isinstance(other, resp.Error) and self.text in str(other)


class Without(Like):
    def __eq__(self, other):
        return isinstance(other, bytes) and not Like.__eq__(self, other)


class Allocated:
    """What cairn's allocator gives for 9 to 128 bytes: jemalloc a multiple of 16, that of a sanitizer what is asked for."""
    classes = None

    def __init__(self, size):
        self.size = size

    def __eq__(self, other):
        return other == -(-self.size // self.classes) * self.classes

    def __repr__(self):
        return f"Allocated({self.size})"

    @classmethod
    def ask(cls, running):
        connection = resp.Connection(running.port)
        cls.classes = 16 if b"mem_allocator:jemalloc" in connection.call("INFO", "memory") else 1
        connection.close()


NOT_INTEGER = Error("ERR value is not an integer or out of range")
UNKNOWN = Error("ERR unknown command")
UNKNOWN_SUBCOMMAND = Error("ERR unknown subcommand")
NO_DIRECTIVE = Error("ERR Unknown option or number of arguments for CONFIG SET")
FIXED = Error("ERR CONFIG SET failed (possibly related to argument")
NOT_IN_MULTI = Error("ERR Command not allowed inside a transaction")
OK = b"OK"

# Name, commands (";;" between them; RAW sends bytes as they are), the last answer of Redis, the last answer of cairn.
LAST_ANSWERS = [
    ("floats-are-decimal", "SET a 324.7 ;; INCRBYFLOAT a -585.93", b"-261.22999999999999998", b"-261.23"),
    ("floats-are-decimal", "HINCRBYFLOAT h f 324.7", b"324.70000000000000001", b"324.7"),
    ("floats-are-decimal", "INCRBYFLOAT a 1e30", b"1000000000000000000024696061952", b"1" + 30 * b"0"),
    ("floats-are-decimal", "SET a 10000000000000000000000000 ;; INCRBYFLOAT a 1", b"1" + 25 * b"0", b"1" + 24 * b"0" + b"1"),
    ("hex-is-no-float", "INCRBYFLOAT a 0x10", b"16", Error("ERR value is not a valid float")),
    ("hex-is-no-float", "SET a 0x10 ;; INCRBYFLOAT a 1", b"17", Error("ERR value is not a valid float")),
    ("header-ends-with-crlf", r"RAW *1\r$4\r\nPING\r\n", Error("ERR Protocol error: expected '$', got '4'"),
     Error("ERR Protocol error: invalid multibulk length")),
    ("header-ends-with-crlf", r"RAW *1\r\n$4\rPING\r\n", WAITS, Error("ERR Protocol error: invalid bulk length")),
    ("wrong-byte-at-once", r"RAW *2\r\nX", WAITS, Error("ERR Protocol error: expected '$', got 'X'")),
    ("argument-count-is-bounded", r"RAW *1048577\r\n", WAITS, Error("ERR Protocol error: invalid multibulk length")),
    ("quit-closes-unheard", r"RAW *3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n*1\r\n$4\r\nQUIT\r\n", WAITS, CLOSED),
    ("quit-closes-unheard", r"RAW *3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n*1\r\n$4\r\nQUIT\r\n", WAITS, CLOSED),
    ("select-takes-names", "SELECT orders", NOT_INTEGER, OK),
    ("select-takes-names", "SELECT 1.5", NOT_INTEGER, OK),
    ("select-takes-names", "SELECT a/b", NOT_INTEGER, Error("ERR invalid namespace name")),
    ("select-takes-names", "SELECT 01", NOT_INTEGER, Error("ERR DB index is out of range")),
    ("select-takes-names", "MULTI ;; SELECT orders ;; EXEC", [NOT_INTEGER], [OK]),
    ("move-takes-names-in-use", "SELECT orders ;; SET b 1 ;; SELECT 0 ;; SET a 1 ;; MOVE a orders", NOT_INTEGER, 1),
    ("move-takes-names-in-use", "SELECT orders ;; SET b 1 ;; SELECT 0 ;; SET a 1 ;; COPY a c DB orders", NOT_INTEGER, 1),
    ("move-takes-names-in-use", "SET a 1 ;; MOVE a notused", NOT_INTEGER, NOT_INTEGER),
    ("names-in-info", "SELECT orders ;; SET b 1 ;; INFO keyspace", Like("db0:keys=1"), Like("ns_orders:keys=1,expires=0,avg_ttl=0")),
    ("names-in-info", "SELECT orders ;; CLIENT INFO", Like(" db=0 "), Like(" db=orders ")),
    ("nothing-changed-nothing-touched", "RPUSH l 1 2 ;; WATCH l ;; LTRIM l 0 -1 ;; MULTI ;; EXEC", None, []),
    ("nothing-changed-nothing-touched", "SET a 1 ;; WATCH a ;; APPEND a '' ;; MULTI ;; EXEC", None, []),
    ("append-of-nothing-keeps-encoding", "SET a 1 ;; APPEND a '' ;; OBJECT ENCODING a", b"raw", b"int"),
    ("whole-floats-are-int", "SET a 1 ;; INCRBYFLOAT a 2 ;; OBJECT ENCODING a", b"embstr", b"int"),
    ("ranks-do-not-overflow", "RPUSH l a b a ;; LPOS l a RANK -9223372036854775808", 2, None),
    ("ranks-do-not-overflow", "RPUSH l a b a ;; LPOS l a RANK -9223372036854775807", None, None),
    ("cursors-are-the-table's", "SADD s a b c ;; SSCAN s -1", Holds("b'0'"), Holds("b'c'")),
    ("no-access-frequency", "CONFIG SET maxmemory-policy allkeys-lfu ;; SET a 1 ;; OBJECT FREQ a", 0,
     Error("ERR An LFU maxmemory policy is not selected")),
    ("debug-object-has-no-clock", "SET a b ;; DEBUG OBJECT a", Without(" lru:0 "), Like(" lru:0 lru_seconds_idle:0")),
    ("debug-sees-no-expired-keys", "DEBUG SET-ACTIVE-EXPIRE 0 ;; SET a 1 PX 1 ;; DEBUG SLEEP 0.02 ;; DEBUG OBJECT a",
     Like("Value at"), Error("ERR no such key")),
    ("debug-is-a-subset", "DEBUG HTSTATS 0", Like("Dictionary HT"), UNKNOWN_SUBCOMMAND),
    ("debug-is-a-subset", "DEBUG STRUCTSIZE", Like("bits:64"), UNKNOWN_SUBCOMMAND),
    ("debug-digest-is-another", "SET a 1 ;; DEBUG DIGEST", b"943d800368fb9c0e951138f1bc0e313ac769d91f", Like("^[0-9a-f]{40}$")),
    ("not-in-transactions", "MULTI ;; DEBUG RELOAD", b"QUEUED", NOT_IN_MULTI),
    ("not-in-transactions", "MULTI ;; DEBUG DIGEST", b"QUEUED", NOT_IN_MULTI),
    ("not-in-transactions", "MULTI ;; CLIENT UNBLOCK 1", b"QUEUED", NOT_IN_MULTI),
    ("new-beside-all", "MULTI ;; CONFIG SET notify-keyspace-events KEAn ;; CONFIG GET notify-keyspace-events ;; CONFIG SET notify-keyspace-events '' ;; EXEC",
     [OK, [b"notify-keyspace-events", b"AKE"], OK], [OK, [b"notify-keyspace-events", b"AnKE"], OK]),
    ("keyspace-in-multi", "SELECT 1 ;; SET b 1 ;; SELECT 0 ;; SET a 1 ;; MULTI ;; INFO keyspace ;; EXEC", [Like("db0:.*db1:")], [Without("db1:")]),
    ("keyspace-in-multi", "SELECT 1 ;; SET b 1 ;; SELECT 0 ;; SET a 1 ;; MULTI ;; INFO keyspace ;; SELECT 1 ;; EXEC", [Like("db0:.*db1:"), OK], [Like("db0:.*db1:"), OK]),
    ("password-is-text", "MULTI ;; CONFIG SET requirepass a\0b ;; CONFIG SET requirepass '' ;; EXEC", [OK, OK], [FIXED, OK]),
    ("bulks-are-bounded", "CONFIG SET proto-max-bulk-len 4096mb", OK, FIXED),
    ("bulks-are-bounded", "CONFIG SET proto-max-bulk-len 4095mb", OK, OK),
    ("a-server-without-functions", "FUNCTION LIST", [], []),
    ("a-server-without-functions", "FUNCTION FLUSH", OK, OK),
    ("a-server-without-functions", "FUNCTION LOAD x", Error("ERR Missing library metadata"), UNKNOWN_SUBCOMMAND),
    ("no-tracking", "CLIENT TRACKING ON", OK, UNKNOWN_SUBCOMMAND),
    ("no-tracking", "CLIENT TRACKING OFF", OK, UNKNOWN_SUBCOMMAND),
    ("newer-client-commands", "CLIENT NO-TOUCH ON", UNKNOWN_SUBCOMMAND, OK),
    ("newer-client-commands", "CLIENT SETINFO lib-name x", UNKNOWN_SUBCOMMAND, OK),
    ("newer-client-commands", "CLIENT KILL MAXAGE 100000", Error("ERR syntax error"), 0),
    ("wait-counts-the-store", "SET a 1 ;; WAIT 1 100", 0, 1),
    ("wait-counts-the-store", "SET a 1 ;; WAIT 5 100", 0, 1),
    ("waitaof-is-there", "SET a 1 ;; WAITAOF 1 0 5000", UNKNOWN, [1, 0]),
    ("waitaof-is-there", "SET a 1 ;; WAITAOF 0 1 5000", UNKNOWN, [1, 1]),
    ("kept-directives", "CONFIG SET save '900 1' ;; CONFIG GET save", [b"save", b"900 1"], [b"save", b"900 1"]),
    ("kept-directives", "CONFIG SET hz 0", OK, FIXED),
    ("other-directives-are-unknown", "CONFIG SET lfu-log-factor 5", OK, NO_DIRECTIVE),
    ("other-directives-are-unknown", "CONFIG SET stop-writes-on-bgsave-error no", OK, NO_DIRECTIVE),
    ("other-directives-are-unknown", "CONFIG GET dbfilename", [b"dbfilename", b"dump.rdb"], []),
    ("dir-is-as-configured", "CONFIG GET dir", Holds("/"), [b"dir", b""]),
    ("fixed-while-running", "CONFIG SET bind 127.0.0.1", OK, FIXED),
    ("other-texts", "BLPOP a 1e100", Error("ERR timeout is negative"), Error("ERR timeout is out of range")),
    ("other-texts", "MULTI ;; MONITOR ;; EXEC", [Error("ERR MONITOR isn't allowed for DENY BLOCKING client")],
     [Error("ERR MONITOR isn't allowed in a transaction")]),
    ("other-texts", "MONITOR ;; MONITOR", WAITS, OK),
    ("other-texts", "DEBUG SLEEP abc", OK, Error("ERR value is not a valid float")),
    ("other-texts", "DEBUG SET-ACTIVE-EXPIRE x", OK, NOT_INTEGER),
    ("other-texts", "CONFIG SET appendfsync x", ErrorWith("following: everysec, always, no"), ErrorWith("following: always, everysec, no")),
    ("other-texts", "BGREWRITEAOF", Like("^Background append only file rewriting"), b"Background append only file rewriting started"),
    ("memory-is-counted-otherwise", "SET a b ;; MEMORY USAGE a", 64, Allocated(12 + len("ab"))),  # an entry has 12 bytes of its own
    ("memory-is-counted-otherwise", "MEMORY MALLOC-STATS", Like("jemalloc"), UNKNOWN_SUBCOMMAND),
    ("info-has-other-fields", "INFO memory", Like("mem_fragmentation_ratio:.*mem_clients_normal:"), Without("mem_clients_normal:")),
    ("info-has-other-fields", "INFO persistence", Without("writable:"), Like("writable:1\r\ntrouble:\r\n")),
    ("info-has-other-fields", "INFO replication", Like("repl_backlog_size:"), Like("connected_slaves:0")),
    ("info-has-other-fields", "INFO cairn", b"", Like("pending_ops:.*last_sync_ok:1")),
    ("four-kin-of-incr", "SET a 6 ;; MULBY a 7", UNKNOWN, 42),
    ("four-kin-of-incr", "SET a 6 ;; DIVBY a 4", UNKNOWN, 1),
    ("four-kin-of-incr", "SET a -7 ;; DIVBY a 2", UNKNOWN, -3),
    ("four-kin-of-incr", "MULBY missing 3", UNKNOWN, 0),
    ("four-kin-of-incr", "HSET h f 6 ;; HMULBY h f 7", UNKNOWN, 42),
    ("four-kin-of-incr", "HSET h f 6 ;; HDIVBY h f 4", UNKNOWN, 1),
    ("http-is-closed", r"RAW POST / HTTP/1.1\r\nHost: x\r\n\r\nSET a 1\r\n", CLOSED, CLOSED),
    ("http-is-closed", r"RAW Host: x\r\nPING\r\n", CLOSED, CLOSED),
    ("command-docs-are-shorter", "COMMAND INFO set", Holds("'notes'"), Holds("[[b'flags', [b'RW', b'access', b'update', b'variable_flags'], b'begin_search',")),
    ("command-docs-are-shorter", "COMMAND INFO client|unblock", Holds("stale'], 0, 0, 0,"), Holds("'no_multi'")),
    ("command-docs-are-shorter", "COMMAND DOCS get", Holds("'key_spec_index'"), Holds("'display_text'")),
    ("other-texts", "OBJECT HELP", Holds("internal representation"), Holds("internal form")),
    ("cairn-commands", "CAIRN DURABILITY", UNKNOWN, b"applied"),
    ("cairn-commands", "CAIRN HISTORY 0", UNKNOWN, []),
]

LATER = """
    acl asking bitcount bitfield bitfield_ro bitop bitpos bzmpop bzpopmax bzpopmin cluster dump eval eval_ro evalsha evalsha_ro
    failover fcall fcall_ro geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch
    geosearchstore getbit latency lolwut migrate module pfadd pfcount pfdebug pfmerge pfselftest psync readonly readwrite replconf
    replicaof restore restore-asking script setbit slaveof sort sort_ro sync xack xadd xautoclaim xclaim xdel xgroup xinfo xlen
    xpending xrange xread xreadgroup xrevrange xsetid xtrim zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore
    zlexcount zmpop zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex
    zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore
    """.split()
OWN = "cairn divby hdivby hmulby mulby waitaof".split()


class Pair:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="cairn-differences-")
        self.passed = self.failed = 0
        self.cairn = self.start(server.PROGRAM, ["--store", os.path.join(self.directory, "cairn", "store"), "--threads", "2",
                                                 "--sync-interval", "0", "--enable-debug-command", "yes"])
        self.redis = self.start(REDIS, ["--save", "", "--enable-debug-command", "yes", "--dir", self.directory])

    def start(self, program, flags):
        own, server.PROGRAM = server.PROGRAM, program
        running = server.Server(os.path.join(self.directory, "cairn" if program == own else "redis"), flags)
        server.PROGRAM = own
        if not running.wait_ready():
            sys.exit(f"{program} does not start: {running.last_log_lines()}")
        return running

    def close(self):
        self.cairn.kill()
        self.redis.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def check(self, name, who, good, seen):
        if good:
            self.passed += 1
            return
        self.failed += 1
        print(f"not ok {name}: {who} answers {str(seen)[:300]!s}", flush=True)

    def both(self):
        return (("redis", self.redis), ("cairn", self.cairn))


def last_answer(running, line):
    connection = resp.Connection(running.port, timeout=1 if line.startswith(("RAW", "MONITOR")) else 20)
    connection.call("FLUSHALL")
    reply = None
    for command in line.split(" ;; "):
        if command.startswith("RAW "):
            connection.send(command[4:].encode().decode("unicode_escape").encode("latin1"))
        else:
            connection.send(resp.encode(*shlex.split(command)))
        try:
            reply = connection.read()
        except TimeoutError:
            reply = WAITS
        except ConnectionError:
            reply = CLOSED
    connection.close()
    calm = resp.Connection(running.port)
    calm.call("CONFIG", "SET", "maxmemory-policy", "noeviction", "save", "", "hz", "10", "maxclients", "10000")
    calm.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
    calm.call("FLUSHALL")
    calm.close()
    return reply


def last_answers(pair, wanted):
    for name, line, redis, cairn in LAST_ANSWERS:
        if wanted and name not in wanted:
            continue
        for (who, running), expected in zip(pair.both(), (redis, cairn)):
            got = last_answer(running, line)
            pair.check(f"{name} ({line})", who, expected == got, got)


def commands_of_later(pair):
    """The commands that only one of the two has, by name."""
    names = {}
    for who, running in pair.both():
        connection = resp.Connection(running.port)
        names[who] = {name.decode() for name in connection.call("COMMAND", "LIST") if b"|" not in name}
        connection.close()
    pair.check("commands-of-later", "redis alone", sorted(names["redis"] - names["cairn"]) == LATER, names["redis"] - names["cairn"])
    pair.check("commands-of-later", "cairn alone", sorted(names["cairn"] - names["redis"]) == OWN, names["cairn"] - names["redis"])
    connection = resp.Connection(pair.cairn.port)
    for name in LATER:
        connection.send(resp.encode(name))
        reply = connection.read()
        pair.check("commands-of-later", f"cairn to {name}", UNKNOWN == reply, reply)
    connection.close()


def events_of(running, *commands):
    connection, listener = resp.Connection(running.port), resp.Connection(running.port)
    connection.call("FLUSHALL")
    for command in commands[:-1]:
        connection.call(*command)
    connection.call("CONFIG", "SET", "notify-keyspace-events", "EAn")
    listener.call("PSUBSCRIBE", "__keyevent*")
    connection.call(*commands[-1])
    connection.call("PUBLISH", "__keyevent-last", "")
    events = []
    while True:
        _, _, channel, key = listener.read()
        if channel == b"__keyevent-last":
            break
        events.append(channel.split(b":")[1].decode() + " " + key.decode())
    connection.call("CONFIG", "SET", "notify-keyspace-events", "")
    connection.close()
    listener.close()
    return events


def events(pair):
    for name, commands, redis, cairn in (
            ("rename-tells-source-first", [("SET", "a", "1"), ("RENAME", "a", "b")],
             ["new b", "rename_from a", "rename_to b"], ["rename_from a", "new b", "rename_to b"]),
            ("rename-tells-source-first", [("SET", "a", "1"), ("MOVE", "a", "1")],
             ["new a", "move_from a", "move_to a"], ["move_from a", "new a", "move_to a"]),
            ("set-in-the-past-deletes", [("DEBUG", "SET-ACTIVE-EXPIRE", "0"), ("SET", "a", "1", "EXAT", "1")],
             ["new a", "set a", "expire a"], ["expire a"]),
            ("set-in-the-past-deletes", [("SET", "a", "1"), ("SET", "a", "2", "EXAT", "1")],
             ["set a", "expire a"], ["set a", "del a", "expire a"]),
            ("nothing-changed-nothing-touched", [("DEBUG", "SET-ACTIVE-EXPIRE", "1"), ("SET", "a", "1"), ("APPEND", "a", "")], ["append a"], ["append a"]),
            ("nothing-changed-nothing-touched", [("RPUSH", "l", "1"), ("LTRIM", "l", "0", "-1")], ["ltrim l"], ["ltrim l"])):
        for (who, running), expected in zip(pair.both(), (redis, cairn)):
            got = events_of(running, *commands)
            pair.check(name, who, got == expected, got)


# Answers that do not differ, of cases that no suite asks: the last one of each line.
ALIKE = """
    CLIENT HELP x | DEBUG PROTOCOL push | SLOWLOG GET 1 2 | CONFIG HELP a b | SUBSCRIBE c ;; DEBUG PROTOCOL map | SUBSCRIBE c ;; CLIENT ID | BLMPOP -1 1 l left count | BLMPOP abc 0 l left | BLMPOP -1 1 l left | PUBSUB CHANNELS a b | PUBSUB SHARDCHANNELS a b | CONFIG GET TIMEOUT |
    SET a 1 ;; SCAN ' 0' | SET a 1 ;; SCAN '0 ' | SCAN 18446744073709551616 | SCAN -18446744073709551616 | SCAN - | SCAN '' | SCAN 0x0 | SCAN -1 |
    SCAN 00000000000000000000000000000000000000000000000000000000000000000000 | HSET h f v ;; HSCAN h -1 | HSET h f v ;; HSCAN h ' 0' | HSCAN h 0x0 |
    SADD s 1 2 ;; SSCAN s -1 | SADD s 1 2 ;; SSCAN s 99999999999999999999 | SET a 1 ;; SSCAN a -1 | SET a 1 ;; SSCAN a x |
    CONFIG SET maxmemory-policy nonsense | DEBUG | DEBUG SLEEP | DEBUG SLEEP 0 0 | DEBUG FOO | DEBUG '' | DEBUG HELP x | DEBUG OBJECT a b | DEBUG DIGEST x |
    DEBUG ERROR | DEBUG LOG a b | DEBUG POPULATE | DEBUG POPULATE x | DEBUG POPULATE -1 | DEBUG POPULATE 1 a b | DEBUG POPULATE 1 a 2 c | DEBUG PROTOCOL x |
    DEBUG PROTOCOL a b | DEBUG QUICKLIST-PACKED-THRESHOLD | DEBUG QUICKLIST-PACKED-THRESHOLD x | DEBUG QUICKLIST-PACKED-THRESHOLD 4gb | DEBUG RELOAD x |
    DEBUG RELOAD NOSAVE x | DEBUG REPLYBUFFER x y | DEBUG REPLYBUFFER PEAK-RESET-TIME x | DEBUG SET-ACTIVE-EXPIRE | SUBSCRIBE c ;; DEBUG FOO |
    MONITOR ;; GET a | MONITOR ;; DEL a | MONITOR ;; PUBLISH a b | MONITOR ;; PING | HSET h f v ;; LCS h no | HSET h f v ;; LCS no h LEN IDX
    """


def answers_are_alike(pair):
    for line in ALIKE.split("|"):
        answers = [repr(last_answer(running, line.strip())) for _, running in pair.both()]
        pair.check(f"alike ({line.strip()})", f"cairn, against {answers[0]} of redis,", answers[0] == answers[1], answers[1])


def scenarios_are_alike(pair):
    for name, seen in differences_scenarios.differing([running.port for _, running in pair.both()]):
        pair.check(f"scenario ({name})", "cairn, behind redis, to the connection named,", seen is None, seen)


def pause_lets_clients_be_told(pair):
    """CLIENT UNPAUSE during CLIENT PAUSE … ALL."""
    for who, running in pair.both():
        one, other = resp.Connection(running.port), resp.Connection(running.port, timeout=0.3)
        one.call("CLIENT", "PAUSE", "1500", "ALL")
        other.send(resp.encode("CLIENT", "UNPAUSE"))
        try:
            seen = other.read()
        except TimeoutError:
            seen = WAITS
        pair.check("pause-spares-client-commands", who, seen == (OK if who == "cairn" else WAITS), seen)
        one.call("PING")
        one.close()
        other.close()


def own_messages_come_behind(pair):
    """RESP3, so that a connection that listens may publish."""
    message = b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n"
    for (who, running), alone, queued in zip(pair.both(), (message + b":1\r\n", b":1\r\n" + message),
                                             (b"*1\r\n" + message + b":1\r\n", b"*1\r\n:1\r\n" + message)):
        connection = resp.Connection(running.port)
        connection.send(resp.encode("HELLO", "3") + resp.encode("SUBSCRIBE", "news"))
        take(connection, lambda got: got.endswith(b"$4\r\nnews\r\n:1\r\n"))
        publish = resp.encode("PUBLISH", "news", "x")
        for sent, expected in ((publish, alone), (resp.encode("MULTI") + publish + resp.encode("EXEC"), b"+OK\r\n+QUEUED\r\n" + queued)):
            connection.send(sent)
            got = take(connection, lambda got: len(got) == len(expected))
            pair.check("own-messages-come-behind", who, got == expected, got)
        connection.close()


def take(connection, enough):
    got = b""
    while not enough(got):
        more = connection.socket.recv(1)
        if not more:
            break
        got += more
    return got


def no_access_times(pair):
    ages = []
    for _, running in pair.both():
        connection = resp.Connection(running.port)
        connection.call("SET", "idle", "1")
        connection.close()
    time.sleep(2.1)
    for _, running in pair.both():
        connection = resp.Connection(running.port)
        ages.append(connection.call("OBJECT", "IDLETIME", "idle"))
        connection.close()
    pair.check("no-access-times", "redis", ages[0] >= 1, ages[0])
    pair.check("no-access-times", "cairn", ages[1] == 0, ages[1])


def save_is_a_sync(pair):
    connection = resp.Connection(pair.cairn.port)
    head = os.path.join(pair.directory, "cairn", "store", "saved.json")
    connection.call("SELECT", "saved")
    connection.call("SET", "a", "1")
    pair.check("save-is-a-sync", "cairn before SAVE", not os.path.exists(head) and connection.call("CAIRN", "POSITION") == 0, head)
    pair.check("save-is-a-sync", "cairn", connection.call("SAVE") == OK, "")
    pair.check("save-is-a-sync", "cairn after SAVE", os.path.exists(head) and connection.call("CAIRN", "POSITION") == 1, head)
    connection.call("SET", "b", "1")
    pair.check("save-is-a-sync", "cairn", connection.call("BGSAVE") == b"Background saving started", "")
    connection.call("CAIRN", "SYNC")
    pair.check("save-is-a-sync", "cairn after BGSAVE", connection.call("CAIRN", "POSITION") == 2, "")
    pair.check("save-is-a-sync", "cairn's LASTSAVE", abs(connection.call("LASTSAVE") - time.time()) < 60, "")
    connection.close()
    connection = resp.Connection(pair.redis.port)
    connection.call("SAVE")
    pair.check("save-is-a-sync", "redis", os.path.exists(os.path.join(pair.directory, "dump.rdb")), "no dump.rdb")
    pair.check("save-is-a-sync", "cairn", not os.path.exists(os.path.join(pair.directory, "cairn", "store", "dump.rdb")), "dump.rdb")
    connection.close()


# Here the two must not differ: what counts as a hit or a miss, and what is an event.
LOOKUPS = """
    GET s | GET no | GETEX s | GETEX no | GETEX s PERSIST | GETEX s EX 100 | GETDEL s | GETDEL no | GETSET s x | GETSET no x |
    SET s x GET | SET no x GET | SET no x NX GET | SET s x | SET s x NX | SETNX no 1 | SETNX s 1 | MGET s no n | MGET s h | STRLEN s |
    STRLEN no | GETRANGE s 0 1 | SUBSTR s 0 1 | APPEND s x | SETRANGE s 1 x | INCR n | INCR no | INCRBYFLOAT n 1 | LCS s n | LCS s no |
    MSETNX s 1 no 2 | MSETNX no 1 no2 2 | EXISTS s no | EXISTS s s | TYPE s | TYPE no | TTL s | TTL no | PTTL s | EXPIRETIME s |
    PEXPIRETIME no | EXPIRE s 100 | EXPIRE no 100 | PERSIST s | PERSIST no | DEL s | DEL no | UNLINK s | TOUCH s no |
    OBJECT ENCODING s | OBJECT ENCODING no | OBJECT REFCOUNT s | OBJECT IDLETIME s | OBJECT FREQ s | MEMORY USAGE s | MEMORY USAGE no |
    RENAME s x | RENAME no x | RENAMENX s x | RENAMENX s n | COPY s x | COPY no x | COPY s n | COPY s n REPLACE | MOVE s 1 |
    MOVE no 1 | RANDOMKEY | KEYS * | SCAN 0 | DBSIZE | HGET h f | HGET h no | HGET no f | HMGET h f g | HMGET no f | HGETALL h |
    HGETALL no | HKEYS h | HVALS no | HLEN h | HLEN no | HEXISTS h f | HSTRLEN h f | HSTRLEN no f | HSCAN h 0 | HSCAN no 0 |
    HRANDFIELD h | LCS h no | LCS h no FOO | HRANDFIELD no | HRANDFIELD h 2 | HSET h f 2 | HSETNX h f 2 | HDEL h f | HDEL no f | HINCRBY h f 1 |
    HINCRBYFLOAT h f 1 | LRANGE l 0 -1 | LRANGE no 0 -1 | LLEN l | LLEN no | LINDEX l 0 | LINDEX no 0 | LPOS l 1 | LPOS no 1 |
    LPUSH l 1 | LPUSHX no 1 | LPOP l | LPOP no | LPOP l 2 | RPOP l | LSET l 0 x | LSET no 0 x | LREM l 1 1 | LREM no 1 1 |
    LTRIM l 0 -1 | LTRIM no 0 -1 | LINSERT l BEFORE 1 0 | LINSERT no BEFORE 1 0 | LMOVE l l2 LEFT RIGHT | LMOVE no l2 LEFT RIGHT |
    RPOPLPUSH l l2 | RPOPLPUSH no l2 | LMPOP 2 no l LEFT | BLPOP no l 1 | BRPOP l 1 | BLMPOP 1 1 l LEFT | BLMOVE l l2 LEFT LEFT 1 |
    SMEMBERS t | SMEMBERS no | SISMEMBER t a | SISMEMBER no a | SMISMEMBER t a z | SMISMEMBER no a | SCARD t | SCARD no |
    SRANDMEMBER t | SRANDMEMBER no | SRANDMEMBER t 2 | SRANDMEMBER t -2 | SSCAN t 0 | SSCAN no 0 | SADD t z | SREM t a | SREM no a |
    SPOP t | SPOP no | SPOP t 1 | SPOP t 5 | SMOVE t u a | SMOVE no u a | SMOVE t no a | SINTER t u | SINTER t no u | SINTER no t u |
    SUNION t u no | SDIFF t u | SDIFF no t | SINTERCARD 2 t u | SINTERCARD 2 t no | SINTERSTORE x t u | SINTERSTORE x t no |
    SUNIONSTORE x t u | SUNIONSTORE x no | SDIFFSTORE x t u | SDIFFSTORE x no t | GET h | LLEN s | SINTER t s u | STRLEN h | HGET s f |
    GETEX h | GETDEL h | SET h x GET | DEBUG OBJECT s | WATCH s | WATCH no | HSTRLEN h no | HRANDFIELD h -2 | HRANDFIELD no 2 |
    SRANDMEMBER no 2 | HMGET no f g | GETRANGE no 0 1 | LINDEX s 0 | LPOS s 1 | SMISMEMBER s a | OBJECT HELP | PTTL no |
    EXPIRETIME no
    """


def lookups_of(running):
    connection, listener = resp.Connection(running.port), resp.Connection(running.port)
    connection.call("CONFIG", "SET", "notify-keyspace-events", "Em")
    listener.call("SUBSCRIBE", "__keyevent@0__:keymiss")
    seen = {}
    for line in LOOKUPS.split("|"):
        connection.call("FLUSHALL")
        connection.call_many([command.split() for command in ("SET s v", "SET n 1", "HSET h f 1", "SADD t a b", "SADD u b c", "RPUSH l 1 2 3")])
        before = hits_and_misses(connection)
        connection.send(resp.encode(*line.split()))
        connection.read()
        counts = [after - b for after, b in zip(hits_and_misses(connection), before)]
        connection.call("UNWATCH")
        connection.call("PUBLISH", "__keyevent@0__:keymiss", "the last")
        while listener.read()[2] != b"the last":
            counts.append("keymiss")
        seen[" ".join(line.split())] = counts
    connection.call("CONFIG", "SET", "notify-keyspace-events", "")
    connection.call("FLUSHALL")
    connection.close()
    listener.close()
    return seen


def hits_and_misses(connection):
    stats = connection.call("INFO", "stats").decode()
    return [int(re.search(rf"keyspace_{what}:(\d+)", stats)[1]) for what in ("hits", "misses")]


def lookups_are_counted_alike(pair):
    redis, cairn = lookups_of(pair.redis), lookups_of(pair.cairn)
    for line, counts in redis.items():
        pair.check(f"lookups ({line})", f"cairn, against {counts} of redis,", cairn[line] == counts, cairn[line])


def info_of(connection, name):
    """Without its subcommands, and without the remarks on keys."""
    info = connection.call("COMMAND", "INFO", name)[0][:9]
    for spec in info[8]:
        if spec[0] == b"notes":
            del spec[:2]
    return info


CALLS = """
    get a | set a b | set a b GET | set a b ex 10 get | mset a 1 b 2 | sdiffstore a b c | rename a b | blpop a b 0 | lmpop 2 a b left | blmpop 0 1 a left |
    sintercard 2 a b limit 1 | copy a b db 1 | object encoding a | memory usage a | smove a b c | lcs a b | brpoplpush a b 0 | watch a b | ping x | get | foo x |
    publish a b | spublish a b | ssubscribe a | sintercard x a | sintercard 9 a | lmpop 0 a left | del a b c | client kill a
    """


MANY_KEYS = " ".join(f"k{i}" for i in range(2000))


def keys_of_calls_are_told_alike(pair):
    redis, cairn = (resp.Connection(running.port) for _, running in pair.both())
    for call in CALLS.split("|") + [f"mget {MANY_KEYS}", f"sintercard 2000 {MANY_KEYS}", f"sintercard 2001 {MANY_KEYS}"]:
        for subcommand in ("GETKEYS", "GETKEYSANDFLAGS"):
            answers = []
            for connection in (redis, cairn):
                connection.send(resp.encode("COMMAND", subcommand, *call.split()))
                answers.append(repr(connection.read()))
            pair.check(f"commands-described ({subcommand} {call.strip()[:40]})", f"cairn, against {answers[0][:200]} of redis,", answers[0] == answers[1], answers[1][:200])
    redis.close()
    cairn.close()


def commands_are_described_alike(pair):
    redis, cairn = (resp.Connection(running.port) for _, running in pair.both())
    everything = ("COMMAND", "LIST", "FILTERBY", "PATTERN", "*")
    for who, connection in (("redis", redis), ("cairn", cairn)):
        listed = connection.call("COMMAND", "LIST")
        pair.check("commands-described (list)", who, sorted(listed) == sorted(connection.call(*everything)), len(listed))
    common = set(redis.call(*everything)) & set(cairn.call(*everything))
    pair.check("commands-described", "both", len(common) > 170, len(common))
    for name in sorted(common - {b"client|unblock"}):
        expected, seen = info_of(redis, name), info_of(cairn, name)
        pair.check(f"commands-described ({name.decode()})", f"cairn, against {expected} of redis,", expected == seen, seen)
        expected, seen = (dict(zip(docs[::2], docs[1::2])) for docs in
                          (connection.call("COMMAND", "DOCS", name)[1] for connection in (redis, cairn)))
        for what in (b"since", b"group"):
            pair.check(f"commands-described ({name.decode()}, {what.decode()})", f"cairn, against {expected[what]} of redis,",
                       expected[what] == seen[what], seen[what])
    redis.close()
    cairn.close()


def one_sleeper(pair):
    """DEBUG SLEEP holds the whole of Redis; in cairn another namespace on another thread goes on, whichever thread sleeps:
    connections go to the threads by turns, and each round begins with the other one."""
    for who, running in 2 * pair.both():
        sleeper = resp.Connection(running.port)
        others = [resp.Connection(running.port) for _ in range(8)]
        for other in others:
            other.call("SELECT", "7")
        sleeper.send(resp.encode("DEBUG", "SLEEP", "1"))
        time.sleep(0.1)
        for other in others:
            other.send(resp.encode("GET", "a"))
        first = select.select([sleeper.socket] + [other.socket for other in others], [], [], 10)[0]
        good = any(other.socket in first for other in others) and sleeper.socket not in first
        pair.check("one-sleeper", who, good == (who == "cairn"), first)
        for connection in [sleeper] + others:
            connection.read()
            connection.close()


def swapdb_copies(pair):
    for (who, running), expected in zip(pair.both(), (b"O(N) where N is the count of clients watching or blocking on keys from both databases.",
                                                      b"O(N) for N keys in both")):
        connection = resp.Connection(running.port)
        docs = connection.call("COMMAND", "DOCS", "swapdb")[1]
        pair.check("swapdb-copies", who, docs[docs.index(b"complexity") + 1] == expected, docs)
        connection.close()


def main():
    server.require_program()
    pair, wanted = Pair(), sys.argv[1:]
    Allocated.ask(pair.cairn)
    try:
        last_answers(pair, wanted)
        if not wanted:
            for check in (commands_of_later, events, answers_are_alike, scenarios_are_alike, pause_lets_clients_be_told, own_messages_come_behind, no_access_times, save_is_a_sync, lookups_are_counted_alike, commands_are_described_alike, keys_of_calls_are_told_alike, one_sleeper, swapdb_copies):
                check(pair)
    finally:
        pair.close()
    print(f"{pair.passed} passed, {pair.failed} failed")
    sys.exit(1 if pair.failed else 0)


if __name__ == "__main__":
    main()
