#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A round of every command family through Python's redis package: python_client.py PORT [cairn].

Uses the package's own methods, so that its parsing of replies is under test too; knows nothing of the
server but its address. Prints ok and not ok lines.
"""
import sys
import threading
import time

import redis

PORT = int(sys.argv[1])
CAIRN = sys.argv[2:] == ["cairn"]
failures = 0


def check(name, got, want):
    global failures
    if got == want:
        print(f"ok python: {name}")
    else:
        failures += 1
        print(f"not ok python: {name}: wanted {want!r}, got {got!r}")


def error_of(call, *args, **kwargs):
    """The text of the error that a call raises."""
    try:
        return f"no error but {call(*args, **kwargs)!r}"
    except redis.RedisError as error:
        return str(error)


def connect(**kwargs):
    return redis.Redis(port=PORT, db=3, decode_responses=True, socket_timeout=10, **kwargs)


def try_server(r):
    check("ping", r.ping(), True)
    check("echo", r.echo("hé"), "hé")
    check("time is a pair", [type(part) for part in r.time()], [int, int])
    info = r.info()
    check("info has numbers", isinstance(info["connected_clients"], int), True)
    check("info has a version", isinstance(info["redis_version"], str), True)
    check("info keyspace", isinstance(r.info("keyspace"), dict), True)
    check("client setname", r.client_setname("py"), True)
    check("client getname", r.client_getname(), "py")
    own = [c for c in r.client_list() if c["name"] == "py"]
    check("client list has this one", (len(own), own[0]["db"] if own else None), (1, "3"))
    check("client id", int(own[0]["id"]) if own else None, r.client_id())
    check("client info", r.client_info()["name"], "py")
    limit = r.config_get("timeout")["timeout"]
    check("config set", r.config_set("timeout", limit), True)
    check("command count", r.command_count() > 100, True)
    check("command info", r.execute_command("COMMAND", "INFO", "get")["get"]["arity"], 2)
    check("command getkeys", r.command_getkeys("MSET", "a", "1", "b", "2"), ["a", "b"])
    check("slowlog", r.slowlog_reset(), True)
    check("unknown command", error_of(r.execute_command, "NOSUCH", "x"),
          "unknown command 'NOSUCH', with args beginning with: 'x' ")
    check("lastsave", r.lastsave().year > 2000, True)
    check("dbsize", r.dbsize(), 0)


def try_strings(r):
    check("set", r.set("s", "hello"), True)
    check("get", r.get("s"), "hello")
    check("set nx", r.set("s", "x", nx=True), None)
    check("set xx get", r.set("s", "world", xx=True, get=True), "hello")
    check("append", r.append("s", "!"), 6)
    check("getrange", r.getrange("s", 1, 3), "orl")
    check("setrange", r.setrange("s", 0, "W"), 6)
    check("strlen", r.strlen("s"), 6)
    check("mset", r.mset({"a": 1, "b": 2}), True)
    check("mget", r.mget("a", "none", "b"), ["1", None, "2"])
    check("msetnx", r.msetnx({"a": 1, "c": 2}), False)
    check("msetnx of a key twice", (r.execute_command("MSETNX", "twice", 1, "twice", 2), r.get("twice")), (True, "2"))
    check("incr", r.incr("a"), 2)
    check("incrby", r.incrby("a", 40), 42)
    check("decrby", r.decrby("a", 2), 40)
    check("incrbyfloat", r.incrbyfloat("a", 0.25), 40.25)
    check("incr of text", error_of(r.incr, "s"), "value is not an integer or out of range")
    check("getdel", r.getdel("a"), "40.25")
    check("getex", (r.getex("b", ex=50), r.ttl("b")), ("2", 50))
    check("getset", (r.getset("b", "3"), r.ttl("b")), ("2", -1))
    raw = bytes(range(256)) * 40
    plain = redis.Redis(port=PORT, db=3)
    check("binary in", plain.set(raw, raw), True)
    check("binary out", plain.get(raw), raw)
    plain.delete(raw)
    plain.close()
    check("lcs", r.execute_command("LCS", "s", "s"), "World!")


def try_hashes(r):
    check("hset", r.hset("h", mapping={"one": 1, "two": 2}), 2)
    check("hget", r.hget("h", "one"), "1")
    check("hgetall", r.hgetall("h"), {"one": "1", "two": "2"})
    check("hmget", r.hmget("h", "two", "none"), ["2", None])
    check("hsetnx", r.hsetnx("h", "one", 9), 0)
    check("hincrby", r.hincrby("h", "one", 9), 10)
    check("hincrbyfloat", r.hincrbyfloat("h", "two", 0.5), 2.5)
    check("hexists", r.hexists("h", "one"), True)
    check("hlen", r.hlen("h"), 2)
    check("hstrlen", r.hstrlen("h", "one"), 2)
    check("hkeys", sorted(r.hkeys("h")), ["one", "two"])
    check("hvals", sorted(r.hvals("h")), ["10", "2.5"])
    check("hrandfield", sorted(r.hrandfield("h", 5)), ["one", "two"])
    check("hscan_iter", dict(r.hscan_iter("h")), {"one": "10", "two": "2.5"})
    check("hdel", r.hdel("h", "one", "none"), 1)
    r.hset("big", mapping={f"field:{i}": i for i in range(2000)})
    check("hscan of two thousand", len(dict(r.hscan_iter("big", count=50))), 2000)
    check("object encoding", r.object("encoding", "big"), "hashtable")
    check("memory usage", r.memory_usage("big") > 10000, True)


def try_lists(r):
    check("rpush", r.rpush("l", "b", "c"), 2)
    check("lpush", r.lpush("l", "a"), 3)
    check("lrange", r.lrange("l", 0, -1), ["a", "b", "c"])
    check("linsert", r.linsert("l", "after", "b", "x"), 4)
    check("lpos", r.lpos("l", "x"), 2)
    check("lset", r.lset("l", 2, "y"), True)
    check("lindex", r.lindex("l", -2), "y")
    check("lrem", r.lrem("l", 0, "y"), 1)
    check("lmove", r.lmove("l", "m", "LEFT", "RIGHT"), "a")
    check("rpoplpush", r.rpoplpush("l", "m"), "c")
    check("ltrim", r.ltrim("m", 0, 0), True)
    check("lpop", r.lpop("m"), "c")
    check("rpop count", r.rpop("l", 3), ["b"])
    check("lmpop", r.lmpop(2, "l", "m", direction="LEFT"), None)
    check("rpushx", r.rpushx("l", "x"), 0)
    check("llen", r.llen("l"), 0)
    r.rpush("long", *range(5000))
    check("lrange of five thousand", r.lrange("long", 0, -1), [str(i) for i in range(5000)])


def try_sets(r):
    check("sadd", r.sadd("s1", 1, 2, 3, "x"), 4)
    check("sadd again", r.sadd("s1", 1), 0)
    check("sadd other", r.sadd("s2", "x", "y"), 2)
    check("smembers", r.smembers("s1"), {"1", "2", "3", "x"})
    check("sismember", r.sismember("s1", "x"), True)
    check("smismember", r.smismember("s1", "x", "z"), [1, 0])
    check("sinter", r.sinter("s1", "s2"), {"x"})
    check("sintercard", r.sintercard(2, ["s1", "s2"], 5), 1)
    check("sunion", r.sunion("s1", "s2"), {"1", "2", "3", "x", "y"})
    check("sdiffstore", r.sdiffstore("s3", "s1", "s2"), 3)
    check("smove", r.smove("s1", "s2", 1), True)
    check("scard", r.scard("s1"), 3)
    check("srem", r.srem("s1", "x", "none"), 1)
    check("srandmember", r.srandmember("s3", 3) and len(r.srandmember("s3", -7)), 7)
    check("spop", {r.spop("s1"), r.spop("s1"), r.spop("s1")}, {"2", "3", None})
    check("sscan_iter", set(r.sscan_iter("s2")), {"1", "x", "y"})


def try_keys(r):
    check("set ex", r.set("k", "v", ex=100), True)
    check("ttl", r.ttl("k"), 100)
    check("persist", r.persist("k"), True)
    check("pexpire", r.pexpire("k", 60000), True)
    check("expiretime", r.expiretime("k") - time.time() > 50, True)
    check("expire gt", r.expire("k", 10, gt=True), False)
    check("rename", r.rename("k", "k2"), True)
    check("renamenx", r.renamenx("k2", "s2"), False)
    check("copy", r.copy("k2", "k3"), True)
    check("type", (r.type("k3"), r.type("none")), ("string", "none"))
    check("exists", r.exists("k2", "k3", "none"), 2)
    check("touch", r.touch("k2", "none"), 1)
    check("move", r.move("k3", 4), True)
    check("rename of none", error_of(r.rename, "none", "x"), "no such key")
    check("keys", sorted(r.keys("k?")), ["k2"])
    check("unlink", r.unlink("k2"), 1)
    check("delete", r.delete("k2"), 0)
    check("swapdb", r.swapdb(4, 5), True)
    other = redis.Redis(port=PORT, db=5, decode_responses=True)
    check("what was swapped", other.get("k3"), "v")
    check("flushdb", other.flushdb(), True)
    check("randomkey of nothing", other.randomkey(), None)
    other.close()
    r.psetex("gone", 5, "v")
    time.sleep(0.02)
    check("an expired key", (r.get("gone"), r.ttl("gone")), (None, -2))
    r.mset({f"scan:{i}": i for i in range(3000)})
    check("scan_iter", len(set(r.scan_iter("scan:*", count=100))), 3000)
    check("scan_iter of a type", sorted(r.scan_iter("*", _type="list")), ["long"])


def try_transactions(r):
    with r.pipeline(transaction=True) as pipe:
        pipe.set("t", 1).incr("t").lpush("t", "x").get("t")
        replies = pipe.execute(raise_on_error=False)
        check("a transaction", (replies[:2], str(replies[2])[:9], replies[3]), ([True, 2], "WRONGTYPE", "2"))
        pipe.watch("t")
        pipe.multi()
        pipe.incr("t")
        check("a watched key that stays", pipe.execute(), [3])
        pipe.watch("t")
        r.set("t", 100)
        pipe.multi()
        pipe.incr("t")
        try:
            check("a watched key that changes", pipe.execute(), "WatchError")
        except redis.WatchError:
            check("a watched key that changes", r.get("t"), "100")

    def increment(pipe):
        now = int(pipe.get("t"))
        pipe.multi()
        pipe.set("t", now + 1)
    check("transaction()", (r.transaction(increment, "t"), r.get("t")), ([True], "101"))
    with r.pipeline(transaction=False) as pipe:
        for i in range(10000):
            pipe.set(f"p:{i % 100}", i)
        check("a pipeline of ten thousand", pipe.execute(), [True] * 10000)


def next_message(sub):
    deadline = time.time() + 10
    while time.time() < deadline:
        if message := sub.get_message(timeout=1):
            return message["type"], message["pattern"], message["channel"], message["data"]
    return None


def try_pubsub(r):
    sub = r.pubsub()
    sub.subscribe("news")
    sub.psubscribe("ne?s")
    check("subscribe", next_message(sub), ("subscribe", None, "news", 1))
    check("psubscribe", next_message(sub), ("psubscribe", None, "ne?s", 2))
    check("pubsub numsub", r.pubsub_numsub("news"), [("news", 1)])
    check("pubsub channels", r.pubsub_channels("n*"), ["news"])
    check("pubsub numpat", r.pubsub_numpat(), 1)
    check("publish", r.publish("news", "hello"), 2)
    check("message", next_message(sub), ("message", None, "news", "hello"))
    check("pmessage", next_message(sub), ("pmessage", "ne?s", "news", "hello"))
    sub.unsubscribe()
    check("unsubscribe", next_message(sub), ("unsubscribe", None, "news", 1))
    sub.close()
    before = r.config_get("notify-keyspace-events")["notify-keyspace-events"]
    r.config_set("notify-keyspace-events", "KEA")
    sub = r.pubsub(ignore_subscribe_messages=True)
    sub.psubscribe("__key*@3__:*")
    time.sleep(0.05)
    while sub.get_message():
        pass
    r.set("noticed", 1)
    check("keyspace event", next_message(sub), ("pmessage", "__key*@3__:*", "__keyspace@3__:noticed", "set"))
    check("keyevent event", next_message(sub), ("pmessage", "__key*@3__:*", "__keyevent@3__:set", "noticed"))
    sub.close()
    r.config_set("notify-keyspace-events", before)


def try_blocking(r):
    def later(call, *args):
        timer = threading.Timer(0.1, call, args)
        timer.start()
        return timer

    helper = connect()
    timer = later(helper.rpush, "q2", "job")
    check("blpop", r.blpop(["q1", "q2"], timeout=5), ("q2", "job"))
    timer.join()
    timer = later(helper.rpush, "q1", "a", "b")
    check("brpop", r.brpop("q1", timeout=5), ("q1", "b"))
    timer.join()
    check("blmove", r.blmove("q1", "q2", timeout=5, src="LEFT", dest="LEFT"), "a")
    timer = later(helper.lpush, "q1", "z")
    check("brpoplpush", r.brpoplpush("q1", "q3", timeout=5), "z")
    timer.join()
    check("blmpop", r.blmpop(1, 2, "q1", "q3", direction="LEFT", count=2), ["q3", ["z"]])
    check("blpop that times out", r.blpop("q1", timeout=1), None)
    ids = []
    blocked = connect()
    ids.append(blocked.client_id())
    timer = later(helper.client_unblock, ids[0], True)
    check("client unblock", error_of(blocked.blpop, "q1", timeout=5),
          "UNBLOCKED client unblocked via CLIENT UNBLOCK")
    timer.join()
    blocked.close()
    helper.close()


def try_cairn():
    named = redis.Redis(port=PORT, decode_responses=True, single_connection_client=True)
    check("select by name", named.execute_command("SELECT", "py-fleet"), True)
    named.set("where", "named")
    check("cairn position", named.execute_command("CAIRN", "POSITION") >= 0, True)
    first = named.execute_command("CAIRN", "SYNC")
    check("cairn sync", first >= 0, True)
    named.set("where", "again")
    check("a later sync is at a later position", named.execute_command("CAIRN", "SYNC") > first, True)
    names = named.execute_command("CAIRN", "NAMESPACES")
    check("cairn namespaces", "py-fleet" in str(names), True)
    check("mulby", (named.incrby("n", 6), named.execute_command("MULBY", "n", 7)), (6, 42))
    check("a bad name", error_of(named.execute_command, "SELECT", ".hidden") != "", True)
    check("flushdb", named.flushdb(), True)
    named.close()


def run(part, *args):
    """One family; what it raises is a failure of that family, not the end of the others."""
    try:
        part(*args)
    except Exception as error:  # pylint: disable=broad-except
        check(f"{part.__name__} to its end", f"{type(error).__name__}: {error}", "no exception")


def main():
    r = connect(single_connection_client=True)
    r.flushdb()
    for part in (try_server, try_strings, try_hashes, try_lists, try_sets, try_keys, try_transactions,
                 try_pubsub, try_blocking):
        run(part, r)
    if CAIRN:
        run(try_cairn)
    check("flushdb at the end", r.flushdb(), True)
    r.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
