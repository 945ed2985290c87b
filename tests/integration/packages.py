#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Debian's package index of this machine, as Redis commands and as what the server must answer afterwards.

  packages.py commands LIST... > pipe      the commands, for redis-cli --pipe
  packages.py check PORT NAMESPACE LIST... queries a server that was loaded; prints ok and not ok lines
  packages.py summary LIST...              "packages=N sections=M" for the shell script

A LIST is a Packages file as apt keeps it below its lists directory, compressed or not. Knows the format of
these files and the Redis protocol, nothing of the server.
"""
import collections
import subprocess
import sys

import resp

APT_HELPER = "/usr/lib/apt/apt-helper"


def read_packages(paths):
    """Yields a dict of fields per package; the same name may occur more than once, in several versions."""
    for path in paths:
        with subprocess.Popen([APT_HELPER, "cat-file", path], stdout=subprocess.PIPE) as cat:
            fields = {}
            for line in cat.stdout:
                line = line.rstrip(b"\n")
                if not line:
                    if b"Package" in fields:
                        yield fields
                    fields = {}
                elif line[:1] not in (b" ", b"\t"):
                    name, _, value = line.partition(b":")
                    fields[name] = value.strip()
            if b"Package" in fields:
                yield fields
        if cat.returncode:
            sys.exit(f"{APT_HELPER} cat-file {path} ended with {cat.returncode}")


def commands_of(package):
    name, section = package[b"Package"], package.get(b"Section", b"unknown")
    fields = []
    for key in (b"Version", b"SHA256", b"Size", b"Installed-Size", b"Architecture", b"Maintainer", b"Depends", b"Filename"):
        if key in package:
            fields += [key.lower(), package[key]]
    yield (b"HSET", b"pkg:" + name, *fields)
    yield (b"HSET", b"etags", package[b"Filename"], package[b"SHA256"])
    yield (b"HINCRBY", b"stats", section, 1)
    yield (b"SADD", b"section:" + section, name)
    yield (b"RPUSH", b"log", b"add " + name + b" " + package[b"Version"])


class Expected:
    """What the server must hold: the plain outcome of the commands."""

    def __init__(self, packages):
        self.hashes = {}
        self.etags = {}
        self.stats = collections.Counter()
        self.sections = collections.defaultdict(set)
        self.log = []
        for package in packages:
            hset, etag, _, sadd, rpush = commands_of(package)
            self.hashes.setdefault(hset[1], {}).update(zip(hset[2::2], hset[3::2]))
            self.etags[etag[2]] = etag[3]
            self.stats[package.get(b"Section", b"unknown")] += 1
            self.sections[sadd[1]].add(sadd[2])
            self.log.append(rpush[2])


class Checker:
    def __init__(self):
        self.failed = 0

    def equal(self, name, got, want):
        if got == want:
            print(f"ok packages: {name}")
        else:
            self.failed += 1
            print(f"not ok packages: {name}: wanted {want!r:.200}, got {got!r:.200}")


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def check(port, namespace, packages):
    expected, checker = Expected(packages), Checker()
    server = resp.Connection(port, timeout=120)
    server.call("SELECT", namespace)
    checker.equal("number of keys", server.call("DBSIZE"), len(expected.hashes) + len(expected.sections) + 3)
    names = sorted(expected.hashes)
    for start in range(0, len(names), 5000):
        part = names[start:start + 5000]
        replies = server.call_many([("HGETALL", name) for name in part])
        checker.equal(f"packages {start} to {start + len(part)}", [pairs(reply) for reply in replies],
                      [expected.hashes[name] for name in part])
    checker.equal("one field", server.call("HGET", names[0], "version"), expected.hashes[names[0]][b"version"])
    checker.equal("etags", pairs(server.call("HGETALL", "etags")), expected.etags)
    checker.equal("stats", pairs(server.call("HGETALL", "stats")),
                  {section: str(count).encode() for section, count in expected.stats.items()})
    keys = sorted(expected.sections)
    for key, members, size in zip(keys, server.call_many([("SMEMBERS", key) for key in keys]),
                                  server.call_many([("SCARD", key) for key in keys])):
        checker.equal(key.decode(), (sorted(members), size), (sorted(expected.sections[key]), len(expected.sections[key])))
    checker.equal("log", server.call("LRANGE", "log", 0, -1), expected.log)
    checker.equal("end of the log", server.call("LINDEX", "log", -1), expected.log[-1])
    found, cursor = set(), b"0"
    while True:
        cursor, part = server.call("SCAN", cursor, "MATCH", "pkg:lib*", "COUNT", 5000)
        found.update(part)
        if cursor == b"0":
            break
    checker.equal("scan of pkg:lib*", found, {name for name in names if name.startswith(b"pkg:lib")})
    checker.equal("types", server.call_many([("TYPE", key) for key in ("etags", "log", keys[0])]), [b"hash", b"list", b"set"])
    return checker.failed


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("commands", "check", "summary"):
        sys.exit(__doc__)
    if sys.argv[1] == "commands":
        for package in read_packages(sys.argv[2:]):
            sys.stdout.buffer.write(b"".join(resp.encode(*command) for command in commands_of(package)))
        return 0
    if sys.argv[1] == "summary":
        expected = Expected(read_packages(sys.argv[2:]))
        print(f"packages={len(expected.hashes)} etags={len(expected.etags)} sections={len(expected.sections)} "
              f"entries={len(expected.log)}")
        return 0
    return 1 if check(int(sys.argv[2]), sys.argv[3], read_packages(sys.argv[4:])) else 0


if __name__ == "__main__":
    sys.exit(main())
