# SPDX-License-Identifier: BSD-3-Clause
"""What clients of the soak write: all op kinds on keys that all of them share, whose outcome nobody
predicts, only that all servers end with the same; and in between what must add up in the end.
"""
import collections
import random
import threading
import time

import resp

# Other namespaces than 0, which holds what must add up: 1 is cleared now and then, 2 and 3 are
# swapped, `pair` has the other half of transactions.
NAMESPACES = ["0", "1", "2", "3", "pair", "named"]
LONGEST_EXPIRY_MS = 2000
REFUSALS = ("MISCONF", "LOADING", "CAIRNERR", "EXECABORT")


class Noise:
    """Commands at random; any may be answered with an error of Redis's."""

    def __init__(self, rng):
        self.random = rng
        self.makers = [getattr(self, name) for name in dir(self) if name.startswith("on_")]

    def key(self, kind):
        if self.random.random() < 0.08:
            kind = self.random.choice("cfhilse")
        return "%s%d" % (kind, self.random.randrange(4))

    def member(self):
        return "m%d" % self.random.randrange(40)

    def value(self):
        if self.random.random() < 0.004:
            return self.random.choice("abc") * self.random.randrange(4000, 30000)
        if self.random.random() < 0.1:
            return b"\xff\x00%d" % self.random.randrange(5)
        return "v%d" % self.random.randrange(1000)

    def number(self):
        return self.random.randrange(-20, 100)

    def pick(self, *commands):
        return self.random.choice(commands)

    def command(self):
        return self.random.choice(self.makers)()

    def on_string(self):
        key, value = self.key("s"), self.value()
        return self.pick(
            ("SET", key, value), ("SET", key, value, "NX"), ("SET", key, value, "XX", "GET"),
            ("SET", key, value, "PX", self.random.randrange(1, LONGEST_EXPIRY_MS)),
            ("SET", key, value, "KEEPTTL"), ("APPEND", key, self.member()),
            ("SETRANGE", key, self.random.randrange(50), self.member()), ("GETSET", key, value),
            ("GETDEL", key), ("SETNX", key, value), ("MSET", key, value, self.key("s"), value),
            ("MSETNX", key, value, self.key("s"), value),
            ("GETEX", key, "PX", self.random.randrange(1, LONGEST_EXPIRY_MS)))

    def on_number(self):
        key, number = self.key("c"), self.number()
        return self.pick(
            ("INCR", key), ("DECR", key), ("INCRBY", key, number), ("DECRBY", key, number),
            ("MULBY", key, self.random.randrange(-3, 4)), ("DIVBY", key, number),
            ("SET", key, number))

    def on_float(self):
        return self.pick(("INCRBYFLOAT", self.key("f"), "%.3f" % self.random.uniform(-9, 9)),
                         ("HINCRBYFLOAT", self.key("h"), self.member(), "1.1"))

    def on_hash(self):
        key, field = self.key("h"), self.member()
        return self.pick(
            ("HSET", key, field, self.value(), self.member(), self.number()), ("HDEL", key, field),
            ("HSETNX", key, field, self.value()), ("HDEL", key, field, self.member()))

    def on_counted_hash(self):
        key, field = self.key("i"), self.member()
        return self.pick(
            ("HINCRBY", key, field, self.number()), ("HDEL", key, field),
            ("HMULBY", key, field, self.random.randrange(-3, 4)),
            ("HDIVBY", key, field, self.number()), ("HSET", key, field, self.number()))

    def on_set(self):
        key, member, other = self.key("e"), self.member(), self.key("e")
        return self.pick(
            ("SADD", key, member, self.member()), ("SREM", key, member), ("SPOP", key),
            ("SPOP", key, 3), ("SMOVE", key, other, member), ("SADD", key, self.number()),
            (self.pick("SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"), self.key("e"), key, other))

    def on_list(self):
        key, item = self.key("l"), self.member()
        return self.pick(
            ("RPUSH", key, item, self.value()), ("LPUSH", key, item), ("LPOP", key),
            ("RPOP", key, 2), ("LREM", key, self.random.randrange(-2, 3), item),
            ("LTRIM", key, 0, 60), ("LTRIM", key, 2, -2), ("RPUSHX", key, item),
            ("LINSERT", key, self.pick("BEFORE", "AFTER"), self.member(), item),
            ("LSET", key, self.random.randrange(-5, 5), item),
            ("LMOVE", key, self.key("l"), self.pick("LEFT", "RIGHT"), self.pick("LEFT", "RIGHT")),
            ("BLPOP", key, self.key("l"), 0.01))

    def on_key(self):
        kind = self.random.choice("cfhilse")
        key, other = self.key(kind), self.key(kind)
        after = self.random.randrange(1, LONGEST_EXPIRY_MS)
        return self.pick(
            ("PEXPIRE", key, after), ("PEXPIRE", key, after, self.pick("NX", "XX", "GT", "LT")),
            ("PERSIST", key), ("RENAME", key, other), ("RENAMENX", key, other),
            ("COPY", key, other, "REPLACE"), ("DEL", key, other), ("UNLINK", key),
            ("PERSIST", other), ("EXPIREAT", key, 1))

    def elsewhere(self):
        """A command for another namespace, and which."""
        space = self.random.choice(NAMESPACES[1:])
        chance = self.random.random()
        if space == "1" and chance < 0.02:
            return space, ("FLUSHDB",)
        if space in ("2", "3") and chance < 0.02:
            return space, ("SWAPDB", 2, 3)
        if space in ("2", "3") and chance < 0.1:
            return space, self.pick(("MOVE", self.key("s"), 1), ("MOVE", self.key("l"), 1),
                                    ("COPY", self.key("h"), "h9", "DB", 1, "REPLACE"))
        return space, self.command()


class Client(threading.Thread):
    """Remembers what was acknowledged, and what may have been done: a request whose answer is lost
    is allowed both, but at most once."""

    def __init__(self, port, number, until, seed):
        super().__init__()
        self.port, self.number, self.until = port, number, until
        self.random = random.Random(seed)
        self.noise = Noise(self.random)
        self.added = {name: 0 for name in ("n", "h", "float", "hfloat", "both")}
        self.perhaps = dict(self.added)
        self.names = {name: [] for name in ("list", "stack", "set", "fields", "ledger")}
        self.perhaps_names = {name: [] for name in self.names}
        self.failures, self.done, self.lost = [], 0, 0
        self.refused = collections.Counter()  # by the first word of the error
        self.link, self.last = None, {}

    def fail(self, what):
        self.failures.append("client %d: %s" % (self.number, what))

    # --- what must add up

    def add(self, name, command, amount):
        """A counter; its answers on one connection only grow."""
        try:
            reply = self.link.call(*command)
        except resp.Error as error:
            self.take_error(error)
            return
        except OSError:
            self.perhaps[name] += amount
            raise
        self.added[name] += amount
        if float(reply) <= self.last.get(name, 0):
            self.fail("%s went from %s to %s" % (name, self.last[name], reply))
        self.last[name] = float(reply)

    def put(self, name, command, item):
        try:
            self.link.call(*command)
            self.names[name].append(item)
        except resp.Error as error:
            self.take_error(error)
        except OSError:
            self.perhaps_names[name].append(item)
            raise

    def both(self, item, amount):
        """A transaction over two namespaces, with something else in it."""
        entry = "%s:%d" % (item, amount)
        try:
            replies = self.link.call_many([
                ("MULTI",), ("INCRBY", "both", amount), ("SADD", "ledger", entry),
                self.noise.command(), ("SELECT", "pair"), ("INCRBY", "both", amount),
                ("SELECT", "0"), ("EXEC",)])
        except OSError:
            self.perhaps["both"] += amount
            self.perhaps_names["ledger"].append(entry)
            raise
        ended = replies[-1]
        if isinstance(ended, resp.Error):
            self.take_error(ended)
        elif any(isinstance(ended[i], resp.Error) for i in (0, 1, 4)):
            self.fail("in EXEC: %r" % ended)
        else:
            self.added["both"] += amount
            self.names["ledger"].append(entry)

    def note_refusal(self, reply):
        refused = isinstance(reply, resp.Error) and str(reply).startswith(REFUSALS)
        if refused:
            self.refused[str(reply).split()[0]] += 1
        return refused

    def take_error(self, error):
        if self.note_refusal(error):
            time.sleep(0.02)
        else:
            self.fail(str(error))

    def count_up(self, item, amount):
        kind = self.random.randrange(10)
        if kind == 0:
            self.add("n", ("INCRBY", "n", amount), amount)
        elif kind == 1:
            self.add("h", ("HINCRBY", "h", "f", amount), amount)
        elif kind == 2:
            self.add("float", ("INCRBYFLOAT", "float", amount / 4), amount / 4)
        elif kind == 3:
            self.add("hfloat", ("HINCRBYFLOAT", "hfloat", "f", amount / 4), amount / 4)
        elif kind in (4, 5):
            self.put("list", ("RPUSH", "list", item), item)
        elif kind == 6:
            self.put("stack", ("LPUSH", "stack", item), item)
        elif kind == 7:
            self.put("set", ("SADD", "set", item), item)
        elif kind == 8:
            self.put("fields", ("HSET", "fields", item, amount), item)
        else:
            self.both(item, amount)

    # --- the rest

    def make_noise(self):
        kind = self.random.randrange(20)
        if kind < 11:
            replies = self.link.call_many([self.noise.command()])
        elif kind < 13:
            replies = self.link.call_many([self.noise.command() for _ in range(5)])
        elif kind < 15:
            replies = self.link.call_many(
                [("MULTI",)] + [self.noise.command() for _ in range(3)] + [("EXEC",)])
        elif kind < 19:
            space, command = self.noise.elsewhere()
            replies = self.link.call_many([("SELECT", space), command, ("SELECT", "0")])
        else:
            replies = self.link.call_many([self.random.choice(
                [("CAIRN", "SYNC"), ("WAITAOF", 1, 0, 200), ("WAITAOF", 0, 1, 200)])])
        if any([self.note_refusal(reply) for reply in replies]):
            time.sleep(0.02)

    def one(self, serial):
        if not self.link:
            self.link, self.last = resp.Connection(self.port, timeout=20), {}
        if self.random.random() < 0.5:
            self.count_up("%d:%d" % (self.number, serial), self.random.randrange(1, 10))
        else:
            self.make_noise()
        self.done += 1

    def run(self):
        serial = 0
        try:
            while time.time() < self.until:
                serial += 1
                try:
                    self.one(serial)
                except OSError:
                    self.lost += 1
                    self.link = None
                    time.sleep(0.05)
        except Exception as error:  # a thread has nobody above it who would tell
            self.fail("an answer that cannot be: %r" % error)


# --- afterwards


def dump(port):
    """All that a server answers: namespace, key → type, value, deadline."""
    link, everything = resp.Connection(port), {}
    for space in NAMESPACES:
        link.call("SELECT", space)
        cursor, keys = b"0", set()
        while True:
            cursor, some = link.call("SCAN", cursor, "COUNT", 1000)
            keys.update(some)
            if cursor == b"0":
                break
        for key in sorted(keys):
            everything[space, key.decode()] = read_key(link, key)
    link.close()
    return everything


def read_key(link, key):
    kind = link.call("TYPE", key)
    if kind == b"hash":
        flat = link.call("HGETALL", key)
        value = dict(zip(flat[::2], flat[1::2]))
    elif kind == b"set":
        value = sorted(link.call("SMEMBERS", key))
    elif kind == b"list":
        value = link.call("LRANGE", key, 0, -1)
    else:
        value = link.call("GET", key)
    return kind, value, link.call("PEXPIRETIME", key)


def compare(check, clients, state):
    """check(ok, what) for all that must add up."""
    def value(key, default, space="0"):
        return state.get((space, key), (None, default, None))[1]

    total = {"n": value("n", 0), "h": value("h", {}).get(b"f", 0), "float": value("float", 0),
             "hfloat": value("hfloat", {}).get(b"f", 0), "both": value("both", 0)}
    for name, have in total.items():
        least = sum(c.added[name] for c in clients)
        most = least + sum(c.perhaps[name] for c in clients)
        check(least <= float(have) <= most, "%s is %s, not %s to %s" % (name, have, least, most))
    check(value("both", 0, "pair") == total["both"], "a transaction went half through: %s, %s" % (
        value("both", 0, "pair"), total["both"]))
    ledger = [entry.decode() for entry in value("ledger", [])]
    check(int(total["both"]) == sum(int(entry.split(":")[2]) for entry in ledger),
          "a transaction went half through, or twice: the ledger has another sum")
    compare_names(check, clients, {
        "list": value("list", []), "stack": value("stack", []), "set": value("set", []),
        "fields": list(value("fields", {})), "ledger": value("ledger", [])})


def compare_names(check, clients, have):
    for name, raw in have.items():
        items = [item.decode() for item in raw]
        acked = {item for c in clients for item in c.names[name]}
        allowed = acked | {item for c in clients for item in c.perhaps_names[name]}
        check(len(items) == len(set(items)), "%s: an element is there twice" % name)
        check(acked <= set(items), "%s: %d acknowledged are missing: %s" % (
            name, len(acked - set(items)), sorted(acked - set(items))[:5]))
        check(set(items) <= allowed, "%s: %d come from nowhere" % (name, len(set(items) - allowed)))
        if name in ("list", "stack"):
            check(in_order(items if name == "list" else items[::-1]),
                  "%s: elements of one client are not in its order" % name)


def in_order(items):
    last = {}
    for item in items:
        client, serial = item.split(":")
        if int(serial) <= last.get(client, 0):
            return False
        last[client] = int(serial)
    return True
