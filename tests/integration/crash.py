#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Kills the server at random moments under load, and checks what it comes back with.

  crash.py [--rounds 200] [--clients 8] [--seed N] [--keep]

Every client works on keys of its own and keeps a model of them. Its connection gives its commands an
order, so after a crash its keys must be exactly what the acknowledged commands and some prefix of the
unacknowledged ones make of them: nothing acknowledged missing, nothing applied twice, every MULTI all or
nothing. Keys that all clients share are checked for what stays true whatever the order is: a counter,
a set and a list of unique elements, two accounts whose sum no transfer changes.

Rounds run on one store, one after the other, with small random sync intervals so that kills hit syncs
and folds too. Some rounds end with SIGTERM, some kill the server again while it recovers.
SERVER=redis-server is a control run; with SERVER_FLAGS="--appendonly no" it must fail.
"""
import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time

import resp
import server
from checks import Checks

DATABASES = 3                   # clients are spread over these, so that several namespaces are in use
KEYS_PER_TYPE = 4
FAR_FUTURE = 4102444800000      # an absolute deadline in ms that no run reaches
BIG_VALUE = 30000               # now and then a value of up to this size, so that base and tail outgrow the head
START_BALANCE = 1000000
INT_MIN, INT_MAX = -2**63, 2**63 - 1


class Model:
    """The keys of one client: {key: [value, deadline]}; apply() changes them as the server must, and returns
    the reply that the server must give. Values are bytes, int, set, list, dict."""

    def __init__(self, keys=None):
        self.keys = keys if keys is not None else {}

    def copy(self):
        def copy_value(value):
            return value.copy() if isinstance(value, (set, list, dict)) else value
        return Model({key: [copy_value(value), deadline] for key, (value, deadline) in self.keys.items()})

    def apply(self, command):
        return getattr(self, "do_" + command[0].lower())(*command[1:])

    def _value(self, key, empty):
        return self.keys.setdefault(key, [empty(), None])[0]

    def _drop_empty(self, key):
        if key in self.keys and not self.keys[key][0]:
            del self.keys[key]

    def do_set(self, key, value):
        self.keys[key] = [value, None]
        return b"OK"

    def do_append(self, key, value):
        entry = self.keys.setdefault(key, [b"", None])
        entry[0] += value
        return len(entry[0])

    def do_del(self, *keys):
        return sum(self.keys.pop(key, None) is not None for key in keys)

    def do_incrby(self, key, amount):
        entry = self.keys.setdefault(key, [0, None])
        entry[0] += amount
        return entry[0]

    def do_mulby(self, key, factor):
        return self._arithmetic(key, lambda number: number * factor)

    def do_divby(self, key, divisor):
        return self._arithmetic(key, lambda number: abs(number) // divisor * (1 if number >= 0 else -1))

    def _arithmetic(self, key, operation):
        """MULBY and DIVBY of cairn: division drops the remainder, overflow is an error that changes nothing."""
        result = operation(self.keys[key][0] if key in self.keys else 0)
        if not INT_MIN <= result <= INT_MAX:
            return "ERR "
        self.keys.setdefault(key, [0, None])[0] = result
        return result

    def do_sadd(self, key, *members):
        value = self._value(key, set)
        before = len(value)
        value.update(members)
        return len(value) - before

    def do_srem(self, key, *members):
        value = self._value(key, set)
        before = len(value)
        value.difference_update(members)
        removed = before - len(value)
        self._drop_empty(key)
        return removed

    def do_sunionstore(self, target, *sources):
        union = set().union(*(self.keys[key][0] for key in sources if key in self.keys))
        self.keys.pop(target, None)
        if union:
            self.keys[target] = [union, None]
        return len(union)

    def do_rpush(self, key, *elements):
        value = self._value(key, list)
        value.extend(elements)
        return len(value)

    def do_lpush(self, key, *elements):
        value = self._value(key, list)
        value[:0] = reversed(elements)
        return len(value)

    def do_lpop(self, key):
        return self._pop(key, 0)

    def do_rpop(self, key):
        return self._pop(key, -1)

    def _pop(self, key, index):
        if key not in self.keys:
            return None
        element = self.keys[key][0].pop(index)
        self._drop_empty(key)
        return element

    def do_lmove(self, source, target, _from, _to):
        if source not in self.keys:
            return None
        element = self.keys[source][0].pop(0)
        self._value(target, list).append(element)
        self._drop_empty(source)
        return element

    def do_ltrim(self, key, start, stop):
        if key in self.keys:
            self.keys[key][0] = self.keys[key][0][start:stop + 1]
            self._drop_empty(key)
        return b"OK"

    def do_hset(self, key, *pairs):
        value = self._value(key, dict)
        before = len(value)
        value.update(zip(pairs[::2], pairs[1::2]))
        return len(value) - before

    def do_hdel(self, key, *fields):
        value = self._value(key, dict)
        removed = sum(value.pop(field, None) is not None for field in fields)
        self._drop_empty(key)
        return removed

    def do_hincrby(self, key, field, amount):
        value = self._value(key, dict)
        value[field] = str(int(value.get(field, b"0")) + amount).encode()
        return int(value[field])

    def do_pexpireat(self, key, deadline):
        if key not in self.keys:
            return 0
        self.keys[key][1] = deadline
        return 1

    def do_persist(self, key):
        if key not in self.keys or self.keys[key][1] is None:
            return 0
        self.keys[key][1] = None
        return 1

    def do_rename(self, source, target):
        if source not in self.keys:
            return "ERR no such key"
        self.keys[target] = self.keys.pop(source)
        return b"OK"


def same_reply(got, want):
    if isinstance(got, resp.Error):
        return isinstance(want, str) and str(got).startswith(want)
    if isinstance(want, list):
        return isinstance(got, list) and len(got) == len(want) and all(map(same_reply, got, want))
    return got == want


class Shared:
    """What all clients write to together, and what of it was acknowledged or is in flight."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reset(0, set(), [])

    def reset(self, counter, members, elements):
        self.acked = {"counter": counter, "members": set(members), "elements": set(elements)}
        self.sent = {"counter": counter, "members": set(members), "elements": set(elements)}

    def note(self, book, command):
        """Enters one command into the book of the sent or of the acknowledged."""
        with self.lock:
            if command[1] == "shared:counter":
                book["counter"] += command[2]
            elif command[1] == "shared:set":
                book["members"].update(command[2:])
            elif command[1] == "shared:list":
                book["elements"].update(command[2:])


class Client(threading.Thread):
    """One round of one client; a unit is one command, or the commands of one transaction."""

    def __init__(self, number, port, model, shared, seed):
        super().__init__(daemon=True)
        self.port, self.model, self.shared = port, model, shared
        self.number = number
        self.random = random.Random(seed)
        self.in_flight = []         # units sent and not acknowledged when the round ended
        self.acked = 0
        self.mismatch = None
        self.serial = 0
        self.stopping = threading.Event()

    def run(self):
        try:
            connection = resp.Connection(self.port)
            connection.call("SELECT", self.number % DATABASES)
            while not self.stopping.is_set():
                self.run_batch(connection)
            connection.close()
        except (OSError, ValueError):
            pass                    # the server was killed

    def run_batch(self, connection):
        units = [self.make_unit() for _ in range(self.random.choice((1, 1, 1, 2, 5, 20)))]
        self.in_flight = list(units)
        for unit in units:
            for command in unit:
                self.shared.note(self.shared.sent, command)
        connection.send(b"".join(self.encode_unit(unit) for unit in units))
        for unit in units:
            self.check_unit(unit, self.read_unit(connection, unit))

    @staticmethod
    def encode_unit(unit):
        data = b"".join(resp.encode(*command) for command in unit)
        return data if len(unit) == 1 else resp.encode("MULTI") + data + resp.encode("EXEC")

    @staticmethod
    def read_unit(connection, unit):
        if len(unit) == 1:
            return [connection.read()]
        for _ in range(len(unit) + 1):
            connection.read()
        return connection.read()

    def check_unit(self, unit, replies):
        self.in_flight.pop(0)
        self.acked += 1
        if not isinstance(replies, list) or len(replies) != len(unit):
            self.mismatch = self.mismatch or f"{unit!r:.200} was answered {replies!r:.200}"
            return
        for command, reply in zip(unit, replies):
            if command[1].startswith("shared:"):
                self.shared.note(self.shared.acked, command)
                if isinstance(reply, resp.Error):
                    self.mismatch = self.mismatch or f"{command!r:.200} was answered {reply!r:.200}"
                continue
            want = self.model.apply(command)
            if not same_reply(reply, want):
                self.mismatch = self.mismatch or f"{command!r:.200} was answered {reply!r:.200}, not {want!r:.200}"

    def make_unit(self):
        dice = self.random.random()
        if dice < 0.08:             # a transfer must be all or nothing
            amount = self.random.randint(1, 100)
            return [("INCRBY", "shared:account1", -amount), ("INCRBY", "shared:account2", amount)]
        if dice < 0.25:
            return [self.own_command() for _ in range(self.random.randint(2, 6))]
        if dice < 0.5:
            return [self.shared_command()]
        return [self.own_command()]

    def unique(self):
        self.serial += 1
        return f"{self.number}:{self.random.getrandbits(48):x}:{self.serial}".encode()

    def value(self):
        if self.random.random() < 0.02:
            return self.random.randbytes(self.random.randint(1000, BIG_VALUE))
        return self.random.choice((self.unique(), b"", b"short", self.random.randbytes(20), b"\xff\x00\r\n"))

    def shared_command(self):
        return self.random.choice((
            lambda: ("INCRBY", "shared:counter", self.random.choice((1, 1, 2, 7))),
            lambda: ("SADD", "shared:set", self.unique()),
            lambda: ("RPUSH", "shared:list", self.unique()),
            lambda: ("RPUSH", "shared:list", self.unique(), self.unique(), self.unique()),
        ))()

    def own_key(self, kind):
        return f"own:{self.number}:{kind}:{self.random.randrange(KEYS_PER_TYPE)}"

    def own_command(self):
        pick, own = self.random, self.own_key
        kind = pick.choice(("string", "int", "set", "list", "hash"))
        anything = own(kind)
        small = [str(pick.randrange(30)).encode() for _ in range(pick.randint(1, 4))]
        general = (
            lambda: ("DEL", anything, own(kind)),
            lambda: ("PEXPIREAT", anything, FAR_FUTURE + pick.randrange(1000)),
            lambda: ("PERSIST", anything),
            lambda: ("RENAME", anything, own(kind)),
        )
        special = {
            "string": (lambda: ("SET", anything, self.value()), lambda: ("APPEND", anything, self.value() or b"x")),
            "int": (lambda: ("INCRBY", anything, pick.randint(-9, 99)),) + (() if server.IS_REDIS else (
                lambda: ("MULBY", anything, pick.choice((2, 3, -1))), lambda: ("DIVBY", anything, pick.choice((2, 10))))),
            "set": (lambda: ("SADD", anything, *small), lambda: ("SREM", anything, *small),
                    lambda: ("SADD", anything, self.value()),
                    lambda: ("SUNIONSTORE", anything, own(kind), own(kind))),
            "list": (lambda: ("RPUSH", anything, *small), lambda: ("LPUSH", anything, self.value(), self.value()),
                     lambda: ("LPOP", anything), lambda: ("RPOP", anything),
                     lambda: ("LMOVE", anything, own(kind), "LEFT", "RIGHT"),
                     lambda: ("LTRIM", anything, pick.randrange(3), 40)),
            "hash": (lambda: ("HSET", anything, small[0], self.value(), small[-1], self.value()),
                     lambda: ("HDEL", anything, *small),
                     lambda: ("HINCRBY", anything, b"counter", pick.randint(-5, 50))),
        }[kind]
        return pick.choice(general if pick.random() < 0.15 else special)()


def read_keys(connection, pattern):
    """The keys that match, as a Model holds them."""
    keys = sorted(key.decode() for key in connection.call("KEYS", pattern))
    types = connection.call_many([("TYPE", key) for key in keys])
    reads = {b"string": ("GET",), b"set": ("SMEMBERS",), b"list": ("LRANGE", 0, -1), b"hash": ("HGETALL",)}
    commands = [(reads[kind][0], key) + reads[kind][1:] for key, kind in zip(keys, types)]
    values = connection.call_many(commands)
    deadlines = connection.call_many([("PEXPIRETIME", key) for key in keys])
    found = {}
    for key, kind, value, deadline in zip(keys, types, values, deadlines):
        if kind == b"set":
            members, value = value, set(value)
            if len(members) != len(value):
                value = members     # a member twice: equal to no set
        elif kind == b"hash":
            value = dict(zip(value[::2], value[1::2]))
        elif ":int:" in key:
            value = int(value)
        found[key] = [value, None if deadline == -1 else deadline]
    return found


class Run(Checks):
    def __init__(self, options):
        super().__init__()
        self.options = options
        self.random = random.Random(options.seed)
        self.directory = tempfile.mkdtemp(prefix="cairn-crash-")
        self.models = [Model() for _ in range(options.clients)]
        self.shared = [Shared() for _ in range(DATABASES)]
        self.acked = self.applied_unacked = self.lost_unacked = self.kills = self.terms = 0

    def start(self):
        """A server that answers, or None; now and then one is killed while it recovers."""
        flags = server.durable_flags(self.directory, self.random.uniform(0.05, 0.2))
        while self.random.random() < 0.1:
            early = server.Server(self.directory, flags)
            time.sleep(self.random.uniform(0, 0.1))
            early.kill()
        running = server.Server(self.directory, flags)
        if running.wait_ready():
            return running
        self.check(False, f"the server does not start again:\n{running.last_log_lines()}")
        if running.process.poll() is None:
            running.kill()
        return None

    def open_accounts(self, running):
        for database in range(DATABASES):
            connection = resp.Connection(running.port)
            connection.call("SELECT", database)
            connection.call("SET", "shared:account1", START_BALANCE)
            connection.close()

    def load(self, running, round_number):
        """One round's clients, until the server is gone."""
        clients = [Client(number, running.port, self.models[number], self.shared[number % DATABASES],
                          f"{self.options.seed}/{round_number}/{number}")
                   for number in range(self.options.clients)]
        for client in clients:
            client.start()
        time.sleep(self.random.uniform(0.01, 0.4))
        if self.random.random() < 0.15:
            self.terms += 1
            status = running.terminate()
            self.check(status == 0, f"round {round_number}: SIGTERM ended with {status}")
        else:
            self.kills += 1
            running.kill()
        for client in clients:
            client.stopping.set()
            client.join(60)
            self.acked += client.acked
        return clients

    def verify(self, running, clients, round_number):
        for database in range(DATABASES):
            connection = resp.Connection(running.port)
            connection.call("SELECT", database)
            self.verify_shared(connection, self.shared[database], f"round {round_number}, db {database}")
            for client in clients[database::DATABASES]:
                self.verify_own(connection, client, f"round {round_number}, client {client.number}")
            connection.close()

    def verify_own(self, connection, client, where):
        self.check(client.mismatch is None, f"{where}: {client.mismatch}")
        found = read_keys(connection, f"own:{client.number}:*")
        candidate = self.models[client.number].copy()
        applied = 0
        while candidate.keys != found and applied < len(client.in_flight):
            for command in client.in_flight[applied]:
                if not command[1].startswith("shared:"):
                    candidate.apply(command)
            applied += 1
        good = candidate.keys == found
        self.check(good, f"{where}: no prefix of its commands gives what is there: "
                         f"{'' if good else self.difference(self.models[client.number].keys, found)}")
        self.applied_unacked += applied if good else 0
        self.lost_unacked += len(client.in_flight) - applied
        self.models[client.number] = Model(found)

    @staticmethod
    def difference(want, found):
        wrong = [key for key in sorted(set(want) | set(found)) if want.get(key) != found.get(key)]
        return "; ".join(f"{key} acknowledged {want.get(key)!r:.150}, found {found.get(key)!r:.150}" for key in wrong[:2])

    def verify_shared(self, connection, shared, where):
        counter = int(connection.call("GET", "shared:counter") or 0)
        members = connection.call("SMEMBERS", "shared:set")
        elements = connection.call("LRANGE", "shared:list", 0, -1)
        accounts = [int(value or 0) for value in connection.call("MGET", "shared:account1", "shared:account2")]
        acked, sent = shared.acked, shared.sent
        self.check(acked["counter"] <= counter <= sent["counter"],
                   f"{where}: the counter is {counter}, acknowledged {acked['counter']}, sent {sent['counter']}")
        self.check(len(members) == len(set(members)) and acked["members"] <= set(members) <= sent["members"],
                   f"{where}: the set lacks {len(acked['members'] - set(members))} members and has "
                   f"{len(set(members) - sent['members'])} that nobody sent")
        self.check(len(elements) == len(set(elements)) and acked["elements"] <= set(elements) <= sent["elements"],
                   f"{where}: the list lacks {len(acked['elements'] - set(elements))} elements, has "
                   f"{len(elements) - len(set(elements))} twice, and {len(set(elements) - sent['elements'])} that nobody sent")
        self.check(sum(accounts) == START_BALANCE, f"{where}: the accounts {accounts} do not add up to {START_BALANCE}")
        if len(elements) > 5000:    # keeps a long run from measuring the tests
            connection.call("DEL", "shared:list", "shared:set")
            members, elements = [], []
        shared.reset(counter, members, elements)

    def run(self):
        running = self.start()
        if running:
            self.open_accounts(running)
        for round_number in range(1, self.options.rounds + 1):
            if not running:
                break
            clients = self.load(running, round_number)
            running = self.start()
            if running:
                self.check(True, "the server starts again")
                self.verify(running, clients, round_number)
            if self.failed >= 20:
                print("too many failures; ending early")
                break
        if running:
            running.kill()
        print(f"{self.kills} times kill -9, {self.terms} times SIGTERM; {self.acked} units acknowledged; of those in "
              f"flight {self.applied_unacked} were there afterwards and {self.lost_unacked} were not")
        if self.failed or self.options.keep:
            print(f"SEED={self.options.seed}; the store and the server's log are kept in {self.directory}")
        else:
            shutil.rmtree(self.directory)
        return self.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED", random.SystemRandom().getrandbits(32))))
    parser.add_argument("--keep", action="store_true", help="keep the store even when all is well")
    options = parser.parse_args()
    server.require_program()
    print(f"SEED={options.seed}", flush=True)
    return Run(options).run()


if __name__ == "__main__":
    sys.exit(main())
