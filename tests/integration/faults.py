#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""cairn-server on disks that fill up, go read-only, fail, and hand back other bytes.

What each fault may cost is in docs/guarantees.md; here each is made to happen to the real binary. Disks are small tmpfs mounts in a
mount namespace of our own (unshare), failing calls and clocks come from a shared object that is preloaded. Needs a C compiler.

  tests/integration/faults.py [NAME …]     BUILD, SERVER as in server.py; names: see FAULTS at the end
"""
import fcntl
import json
import os
import re
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time

import resp
import server
from checks import Checks
from server import info, wait_for

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REAL(result, name, ...) ((result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

/* A fault lasts as long as the file that its variable names is there. */
static int is_on(const char *variable)
{
    const char *flag = getenv(variable);
    return flag && access(flag, F_OK) == 0;
}

static int fails(const char *variable, int error)
{
    if (!is_on(variable))
        return 0;
    errno = error;
    return 1;
}

int fsync(int fd)
{
    return fails("FAULT_FSYNC", EIO) ? -1 : REAL(int, fsync, int)(fd);
}

int fdatasync(int fd)
{
    return fails("FAULT_FSYNC", EIO) ? -1 : REAL(int, fdatasync, int)(fd);
}

int openat(int directory, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if ((flags & O_ACCMODE) != O_RDONLY && fails("FAULT_READ_ONLY", EROFS))
        return -1;
    return REAL(int, openat, int, const char *, int, mode_t)(directory, path, flags, mode);
}

int renameat(int from, const char *old, int to, const char *new)
{
    if (fails("FAULT_READ_ONLY", EROFS))
        return -1;
    return REAL(int, renameat, int, const char *, int, const char *)(from, old, to, new);
}

int unlinkat(int directory, const char *path, int flags)
{
    if (strncmp(path, "journal-", 8) == 0 && fails("FAULT_JOURNAL_STAYS", EROFS))
        return -1;
    return REAL(int, unlinkat, int, const char *, int)(directory, path, flags);
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    int status = REAL(int, clock_gettime, clockid_t, struct timespec *)(id, out);
    if (id == CLOCK_REALTIME && is_on("FAULT_CLOCK"))
        out->tv_sec -= 3600;
    return status;
}
"""


class Faults(Checks):
    def __init__(self):
        super().__init__()
        self.root = tempfile.mkdtemp(prefix="cairn-faults-")
        self.running = None

    def directory(self):
        path = os.path.join(self.root, self.case)
        os.makedirs(os.path.join(path, "store"), exist_ok=True)
        return path

    def launch(self, *flags, store=None, environment=None):
        """Starts a server; True once it answers."""
        directory = self.directory()
        saved = dict(os.environ)
        os.environ.update(environment or {})
        try:
            self.running = server.Server(directory, ["--store", store or os.path.join(directory, "store"),
                                                     "--threads", "2", *flags])
        finally:
            os.environ.clear()
            os.environ.update(saved)
        return self.running.wait_ready(30)

    def start(self, *flags, **how):
        if not self.launch(*flags, **how):
            raise RuntimeError(f"no start: {self.running.last_log_lines(5)}")
        return resp.Connection(self.running.port)

    def refused_start(self, *flags, **how):
        """What a start that must fail says on its last lines."""
        answers = self.launch(*flags, **how)
        status = self.running.process.poll()
        self.check(not answers and status not in (None, 0), "the server must refuse to start", status)
        said = self.running.last_log_lines(3).split("\n+ ")[-1]
        self.kill()
        return said

    def kill(self):
        if self.running and self.running.process.poll() is None:
            self.running.kill()

    def mount(self, size):
        path = os.path.join(self.directory(), "store")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
        return path

    def expect_all(self, connection, acked, where):
        names = sorted(acked)
        found = connection.call("MGET", *names) if names else []
        lost = [name for name, value in zip(names, found) if value != acked[name]]
        self.check(not lost, f"{where}: nothing acknowledged is missing ({len(names)} keys)", lost[:5])


def fill(path):
    with open(path, "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            pass


def write_until_refused(port, acked, prefix, limit=5000):
    """SETs of a KiB on connections of their own; the error that ended them, "" for a closed connection."""
    connection = resp.Connection(port)
    for number in range(limit):
        key, value = f"{prefix}{number}", os.urandom(512).hex().encode()
        connection.send(resp.encode("SET", key, value))
        try:
            reply = connection.read()
        except (ConnectionError, OSError):
            return ""
        if isinstance(reply, resp.Error):
            return str(reply)
        acked[key] = value
    return None


def try_set(port, key="probe"):
    try:
        connection = resp.Connection(port, timeout=5)
        connection.send(resp.encode("SET", key, "1"))
        reply = connection.read()
        connection.close()
        return str(reply) if isinstance(reply, resp.Error) else "OK"
    except (ConnectionError, OSError) as error:
        return f"closed: {error}"


def troubled(faults, acked, reason):
    """Writes are refused with the reason, reads go on, INFO tells."""
    port = faults.running.port
    refused = wait_for(lambda: try_set(port).startswith("MISCONF"))
    said = try_set(port)
    faults.check(refused and re.search(reason, said), "writes are refused with -MISCONF and the reason", said)
    reader = resp.Connection(port)
    faults.expect_all(reader, acked, "in trouble")
    fields = info(reader)
    faults.check(fields["writable"] == "0" and re.search(reason, fields["trouble"]), "INFO says why", fields)
    reader.close()


def healed(faults, acked, restart):
    port = faults.running.port
    resumed = wait_for(lambda: try_set(port) == "OK")
    faults.check(resumed, "writes resume", try_set(port))
    connection = resp.Connection(port)
    fields = info(connection)
    faults.check(fields["writable"] == "1" and fields["trouble"] == "", "INFO tells no trouble any more", fields)
    faults.check(connection.call("SET", "after", "v") == b"OK", "a write after it")
    acked["after"] = b"v"
    faults.expect_all(connection, acked, "after it")
    connection.close()
    faults.kill()
    connection = restart()
    faults.expect_all(connection, acked, "after kill -9")
    connection.close()


def full_disk(faults, policy):
    flags = ("--journal-fsync", policy, "--sync-interval", "0.2")
    place = faults.mount("24m")
    connection = faults.start(*flags)
    acked = {"before": b"v"}
    connection.call("SET", "before", "v")
    fill(os.path.join(place, "filler"))
    end = write_until_refused(faults.running.port, acked, "k", 30000)
    faults.check(end is not None, "a full disk is noticed", end)
    troubled(faults, acked, "No space left")
    os.unlink(os.path.join(place, "filler"))
    healed(faults, acked, lambda: faults.start(*flags))


def disk_full_always(faults):
    full_disk(faults, "always")


def disk_full_everysec(faults):
    full_disk(faults, "everysec")


def read_only(faults):
    """The kernel makes a disk read-only under open files when it fails; an administrator cannot, so calls are made to fail."""
    flag = os.path.join(faults.directory(), "read-only")
    flags = ("--journal-fsync", "always", "--sync-interval", "0.2")
    connection = faults.start(*flags, environment=faults.preload(FAULT_READ_ONLY=flag))
    acked = {"before": b"v", "during": b"v"}
    connection.call("SET", "before", "v")
    connection.call("CAIRN", "SYNC")
    open(flag, "w").close()
    connection.call("SET", "during", "v")
    troubled(faults, acked, "Read-only file system")
    os.unlink(flag)
    healed(faults, acked, lambda: faults.start(*flags))


def read_only_start(faults):
    place = faults.mount("24m")
    connection = faults.start()
    connection.call("SET", "k", "v")
    faults.running.terminate()
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    said = faults.refused_start()
    faults.check("Read-only file system" in said, "a start there says why it is none", said)
    subprocess.run(["mount", "-o", "remount,rw", place], check=True)
    connection = faults.start()
    faults.check(connection.call("GET", "k") == b"v", "writable again, all is there")


def read_back(place):
    """Namespace 0 as an export has it, what the export says, and the status of a verification."""
    done = subprocess.run([server.PROGRAM, "--export", place, "0"], capture_output=True)
    state = json.loads(done.stdout)["state"] if done.returncode == 0 else None
    verified = subprocess.run([server.PROGRAM, "--verify", place], capture_output=True)
    return state, done.stderr.decode(), verified.returncode


def read_only_reading(faults):
    """An export and a verification write nothing, so they need a place to read and no more."""
    place, other = faults.mount("24m"), os.path.join(faults.directory(), "other")
    os.mkdir(other)
    acked = journal_of_some(faults)
    everything = {key: value.decode() for key, value in acked.items()}
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    state, said, verified = read_back(place)
    faults.check((state, verified) == (everything, 0), "a read-only mount is read, journal and all", (said, verified))
    subprocess.run(["mount", "-o", "remount,rw", place], check=True)
    connection = faults.start("--sync-interval", "0")
    connection.call("CAIRN", "SYNC")
    connection.call("SET", "late", "v")
    subprocess.run(["mount", "--bind", place, other], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", other], check=True)
    state, said, verified = read_back(other)
    faults.check((state, verified) == (everything, 0), "beside a server what is committed", (said, verified))
    faults.check("is in use: only what is committed is given" in said, "which is told", said)
    faults.check(connection.call("SET", "later", "v") == b"OK", "the server goes on")
    subprocess.run(["umount", other], check=True)


def failed_fsync(faults, policy):
    flag = os.path.join(faults.directory(), "fsync-fails")
    flags = ("--journal-fsync", policy, "--sync-interval", "0.2")
    connection = faults.start(*flags, environment=faults.preload(FAULT_FSYNC=flag))
    acked = {"before": b"v"}
    connection.call("SET", "before", "v")
    open(flag, "w").close()
    write_until_refused(faults.running.port, acked, "k", 3000)
    troubled(faults, acked, "Input/output error")
    os.unlink(flag)
    healed(faults, acked, lambda: faults.start(*flags))


def fsync_error_always(faults):
    failed_fsync(faults, "always")


def fsync_error_everysec(faults):
    failed_fsync(faults, "everysec")


def until_end(connection):
    """What a connection says up to its end; None: it does not end."""
    connection.socket.settimeout(10)
    try:
        return connection.stream.read()
    except TimeoutError:
        return None
    except ConnectionError:
        return b""


def says(connection, seconds=0.5):
    """Does the connection say anything in this time?"""
    return bool(select.select([connection.socket], [], [], seconds)[0])


def blocked_clients(connection):
    return int(re.search(r"blocked_clients:(\d+)", connection.call("INFO", "clients").decode())[1])


def block(faults, commands, level="applied"):
    """Clients that wait, one a command."""
    asking = resp.Connection(faults.running.port)
    before = blocked_clients(asking)
    waiting = []
    for command in commands:
        waiting.append(resp.Connection(faults.running.port))
        waiting[-1].call("CAIRN", "DURABILITY", level)
        waiting[-1].send(resp.encode(*command))
    faults.check(wait_for(lambda: blocked_clients(asking) == before + len(commands)), "the clients wait")
    asking.close()
    return waiting


def writes_resume(faults):
    faults.check(wait_for(lambda: try_set(faults.running.port) == "OK"), "writes resume")


def blocked_fsync_error(faults, threads):
    """Who served a blocked client and whom it served are told as little: only messages leave."""
    flag = os.path.join(faults.directory(), "fsync-fails")
    # No sync: one that fails before the push comes would have it refused, which is an answer.
    flags = ("--threads", str(threads), "--journal-fsync", "always", "--sync-interval", "0", "--notify-keyspace-events", "KEA")
    commands = [("BLPOP", "a", "0"), ("BRPOP", "b", "0"), ("BLMOVE", "c", "C", "LEFT", "RIGHT", "0"),
                ("BRPOPLPUSH", "d", "D", "0"), ("BLMPOP", "0", "1", "e", "LEFT")]
    pushes = [("RPUSH", command[3] if command[0] == "BLMPOP" else command[1], "1") for command in commands]
    faults.start(*flags, environment=faults.preload(FAULT_FSYNC=flag))
    for push in [[("MULTI",), *pushes, ("EXEC",)]] + [[push] for push in pushes]:
        waiting = block(faults, [command for command in commands if push[0][0] == "MULTI" or push[0][1] in command])
        listener = resp.Connection(faults.running.port)
        listener.call("SUBSCRIBE", "__keyevent@0__:rpush")
        open(flag, "w").close()
        pusher = resp.Connection(faults.running.port)
        pusher.send(b"".join(resp.encode(*command) for command in push))
        seen = until_end(pusher)
        faults.check(seen is not None and seen.count(b"QUEUED") * 9 + (5 if seen else 0) == len(seen), "the pusher is told nothing", seen)
        for client in waiting:
            seen = until_end(client)
            faults.check(seen == b"", f"who was served by {push[0]} is told nothing", seen)
        faults.check(listener.read()[0] == b"message", "messages leave")
        os.unlink(flag)
        writes_resume(faults)
    waiting = block(faults, commands)
    pusher = resp.Connection(faults.running.port)
    for push, client in zip(pushes, waiting):
        pusher.call(*push)
        faults.check(client.read() is not None, "without a fault the answers come")


def blocked_fsync_error_one_thread(faults):
    blocked_fsync_error(faults, 1)


def blocked_fsync_error_two_threads(faults):
    blocked_fsync_error(faults, 2)


def is_written(faults):
    """A write is answered whose answer waits for an fsync."""
    connection = resp.Connection(faults.running.port)
    try:
        connection.call("CAIRN", "DURABILITY", "written")
        return connection.call("INCR", "written") > 0
    except ConnectionError:
        return False


def blocked_levels(faults):
    """A blocked client is answered at its own level, whoever serves it."""
    flag = os.path.join(faults.directory(), "fsync-fails")
    connection = faults.start("--journal-fsync", "no", "--sync-interval", "0", environment=faults.preload(FAULT_FSYNC=flag))
    connection.call("SET", "before", "v")
    connection.call("CAIRN", "SYNC")
    open(flag, "w").close()
    applied, = block(faults, [("BLPOP", "a", "0")])
    faults.check(connection.call("RPUSH", "a", "1") == 1, "the pusher is answered where nobody asked for an fsync")
    faults.check(applied.read() == [b"a", b"1"], "applied: so is the client")
    written, = block(faults, [("BLPOP", "w", "0")], "written")
    connection.send(resp.encode("RPUSH", "w", "1"))
    seen = until_end(written)
    faults.check(seen == b"", "written: no answer without the fsync", seen)
    os.unlink(flag)
    writes_resume(faults)
    connection = resp.Connection(faults.running.port)
    faults.check(not is_written(faults), "what the failed fsync may have lost is in no new file")
    connection.call("CAIRN", "SYNC")
    faults.check(wait_for(lambda: is_written(faults)), "but then in the store")
    with open(os.path.join(faults.directory(), "store", ".cairn", "swap"), "r+b") as lock:
        durable, applied = block(faults, [("BLPOP", "d", "0")], "durable") + block(faults, [("BLPOP", "e", "0")])[:1]
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection.call("RPUSH", "d", "1")
        connection.call("RPUSH", "e", "1")
        faults.check(applied.read() == [b"e", b"1"] and applied.call("WAIT", "1", "200") == 0, "WAIT waits for what it was served")
        faults.check(not says(durable), "durable: no answer before the commit")
    faults.check(durable.read() == [b"d", b"1"], "durable: the answer behind the commit")
    faults.check(applied.call("WAIT", "1", "20000") == 1, "WAIT is answered behind the commit")


def pushes_behind_a_durable_wait(faults):
    """What is published gathers behind a durable answer up to the output limit, not for as long as the store takes."""
    connection = faults.start("--sync-interval", "0", "--durable-timeout", "0", "--client-output-buffer-limit", "pubsub 1mb 0 0")
    listener = resp.Connection(faults.running.port)
    listener.call("CAIRN", "DURABILITY", "durable")
    with open(os.path.join(faults.directory(), "store", ".cairn", "swap"), "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        listener.send(resp.encode("SET", "k", "v") + resp.encode("SUBSCRIBE", "c"))
        faults.check(wait_for(lambda: connection.call("PUBLISH", "c", "x") == 1), "it listens while its write waits")
        connection.call_many([("PUBLISH", "c", "x" * 65536)] * 64)
        faults.check(until_end(listener) == b"", "past the limit it is closed")
        faults.check("output buffer limit" in faults.running.last_log_lines(5), "which the log says")


def in_doubt_behind_a_part(faults):
    """A durable answer runs out of time while the reply before it is partly sent: nothing may look like the rest of that reply."""
    connection = faults.start("--sync-interval", "0", "--durable-timeout", "1")
    value = b"x" * (32 << 20)
    connection.call("SET", "large", value)
    with open(os.path.join(faults.directory(), "store", ".cairn", "swap"), "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection.call("CAIRN", "DURABILITY", "durable")
        connection.send(resp.encode("GET", "large"))
        time.sleep(0.3)
        connection.send(resp.encode("SET", "k", "v"))
        time.sleep(0.3)
        whole = b"$%d\r\n%s\r\n" % (len(value), value)
        begin = connection.stream.read(12 << 20)  # so that the socket takes more
        time.sleep(2.5)
        seen = begin + (until_end(connection) or b"")
    faults.check(len(seen) < len(whole), "the reply had only been sent in part", len(seen))
    faults.check(whole.startswith(seen), "it ends in the midst", seen[-100:])


def second_server(faults):
    first = faults.start()
    first.call("SET", "k", "v")
    kept = faults.running
    said = faults.refused_start()
    faults.check("in use" in said or "lock" in said, "the second one says why", said)
    faults.check(first.call("GET", "k") == b"v" and first.call("SET", "k", "w") == b"OK", "the first one goes on")
    faults.running = kept


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def bytes_of(path):
    with open(path, "rb") as file:
        return file.read()


def objects(place):
    """The names of chunks and of segments that the head of namespace `big` has."""
    head = json.loads(bytes_of(os.path.join(place, "big.json")))
    return ([chunk["object"] for chunk in head["base"].get("chunks", [])],
            [entry["segment"] for entry in head["tail"] if "segment" in entry])


SMALL = ("--inline-limit", "2kb", "--chunk-size", "64kb", "--sync-interval", "0")


def make_large(faults, with_segment):
    """A namespace `big` with chunks (and a segment that is not folded yet) beside a small one, at rest."""
    place = os.path.join(faults.directory(), "store")
    for attempt in range(10):
        connection = faults.start(*SMALL)
        connection.call("SELECT", "small")
        connection.call("SET", "k", "v")
        connection.call("CAIRN", "SYNC")
        connection.call("SELECT", "big")
        for batch in range(2):
            connection.call_many([("SET", f"{attempt}:{batch}:{n}", "x" * 200) for n in range(2000)])
            connection.call("CAIRN", "SYNC")
            if batch == 0:
                wait_for(lambda: objects(place)[0] and not objects(place)[1])
        if with_segment:
            faults.kill()
        else:
            wait_for(lambda: not objects(place)[1])
            faults.check(faults.running.terminate() == 0, "SIGTERM ends with 0")
        chunks, segments = objects(place)
        if chunks and bool(segments) == with_segment:
            return place, chunks, segments
    raise RuntimeError(f"no such state came about: {chunks}, {segments}")


def refused_namespace(faults, pattern, flags=SMALL):
    """`big` cannot be used, says what is wrong with which file, and is never empty; `small` serves."""
    place = os.path.join(faults.directory(), "store")
    before = bytes_of(os.path.join(place, "big.json")) if os.path.exists(os.path.join(place, "big.json")) else None
    if not faults.launch(*flags):
        said = faults.running.last_log_lines(3)
        faults.check(re.search(pattern, said), "the refusal to start names file and place", said)
        return
    connection = resp.Connection(faults.running.port)
    connection.call("SELECT", "big")
    for command in (("DBSIZE",), ("GET", "0:0:1"), ("SET", "new", "v"), ("KEYS", "*")):
        connection.send(resp.encode(*command))
        reply = connection.read()
        faults.check(isinstance(reply, resp.Error) and re.match("CAIRNERR .*" + pattern, str(reply)),
                     f"{command[0]} is an error that names file and place", reply)
    connection.call("SELECT", "small")
    faults.check(connection.call("GET", "k") == b"v", "another namespace serves")
    faults.running.terminate()
    after = bytes_of(os.path.join(place, "big.json")) if before is not None else None
    faults.check(before == after, "the damaged namespace was not written")


def flipped_head(faults):
    place, _, _ = make_large(faults, with_segment=False)
    path = os.path.join(place, "big.json")
    flip(path, len(bytes_of(path)) // 2)
    refused_namespace(faults, r"big\.json: damaged .* its \d+ bytes")


def flipped_chunk(faults):
    place, chunks, _ = make_large(faults, with_segment=False)
    flip(os.path.join(place, "big", chunks[0]), 100)
    refused_namespace(faults, re.escape(chunks[0]))


def missing_chunk(faults):
    place, chunks, _ = make_large(faults, with_segment=False)
    os.unlink(os.path.join(place, "big", chunks[-1]))
    refused_namespace(faults, re.escape(chunks[-1]))


def short_chunk(faults):
    place, chunks, _ = make_large(faults, with_segment=False)
    path = os.path.join(place, "big", chunks[0])
    os.truncate(path, os.path.getsize(path) - 1)
    refused_namespace(faults, re.escape(chunks[0]))


def flipped_segment(faults):
    place, _, segments = make_large(faults, with_segment=True)
    flip(os.path.join(place, "big", segments[0]), 200)
    refused_namespace(faults, re.escape(segments[0]))


def missing_segment(faults):
    place, _, segments = make_large(faults, with_segment=True)
    os.unlink(os.path.join(place, "big", segments[0]))
    refused_namespace(faults, re.escape(segments[0]))


def journal_files(faults):
    place = os.path.join(faults.directory(), "store", ".cairn")
    names = sorted(name for name in os.listdir(place) if name.startswith("journal-"))
    return [os.path.join(place, name) for name in names]


def journal_of_some(faults):
    """A journal with hundred acknowledged writes that the store does not have, after kill -9."""
    connection = faults.start("--sync-interval", "0", "--journal-fsync", "always")
    acked = {}
    for number in range(100):
        acked[f"k{number:03}"] = f"value {number}".encode()
        connection.call("SET", f"k{number:03}", acked[f"k{number:03}"])
    faults.kill()
    return acked


def flipped_journal(faults):
    journal_of_some(faults)
    path = journal_files(faults)[0]
    text = bytes_of(path)
    at = text.index(b"value 50")
    flip(path, at)
    record = text.rindex(b"CREC", 0, at)
    said = faults.refused_start()
    faults.check(f"{os.path.basename(path)}: byte {record}:" in said, "the refusal names file and byte", said)
    flip(path, at)
    connection = faults.start()
    faults.check(connection.call("DBSIZE") == 100, "with the byte put right all is there")


def torn_journal(faults):
    """The last record was cut by a power failure in the midst of its write: it was promised to nobody."""
    acked = journal_of_some(faults)
    path = journal_files(faults)[-1]
    text = bytes_of(path)
    record = text.rindex(b"CREC")
    end = record + 24 + int.from_bytes(text[record + 8:record + 16], "little")
    os.truncate(path, end - 3)
    connection = faults.start()
    said = faults.running.last_log_lines(20)
    faults.check(f"{os.path.basename(path)}: the last {end - 3 - record} bytes, from byte {record} on" in said,
                 "the log says what was cut off", said)
    del acked["k099"]
    faults.expect_all(connection, acked, "before the torn record")
    faults.check(connection.call("DBSIZE") == 99, "the torn record is left out whole")


def three_journal_files(faults):
    """Each start begins a file of its own."""
    for number in range(3):
        connection = faults.start("--sync-interval", "0")
        connection.call("SET", f"k{number}", "v")
        faults.kill()
    files = journal_files(faults)
    faults.check(len(files) == 3, "each start continues in a file of its own", files)
    return files


def missing_journal(faults):
    """The middle one of three goes."""
    files = three_journal_files(faults)
    os.rename(files[1], files[1] + ".away")
    said = faults.refused_start()
    faults.check(f"{os.path.basename(files[1])} is missing" in said, "the refusal names the file", said)
    os.rename(files[1] + ".away", files[1])
    connection = faults.start()
    faults.check(connection.call("DBSIZE") == 3, "put back, all is there")


def missing_oldest_journal(faults):
    """The oldest file of three goes, the newest, all of them: what is left is not taken for the whole."""
    files = three_journal_files(faults)
    for gone in (files[:1], files[2:], files):
        for path in gone:
            os.rename(path, path + ".away")
        said = faults.refused_start()
        faults.check(f"{os.path.basename(gone[0])} is missing" in said, "the refusal names the file", said)
        for path in gone:
            os.rename(path + ".away", path)
    connection = faults.start()
    faults.check(connection.call("DBSIZE") == 3, "put back, all is there")
    connection.call("CAIRN", "SYNC")
    faults.check(wait_for(lambda: len(journal_files(faults)) == 1), "what is committed goes", journal_files(faults))
    faults.kill()
    connection = faults.start()
    faults.check(connection.call("DBSIZE") == 3, "files that went by themselves are not missing")


def journal_orphans(faults):
    """A server dies, and comes back after the others have forgotten how far it was committed."""
    place = os.path.join(faults.directory(), "store")
    mine, other = (["--shared", "yes", "--sync-interval", "0", "--inline-limit", "1kb", "--dir", os.path.join(faults.directory(), name)]
                   for name in ("mine", "other"))
    connection = faults.start(*mine, "--journal-fsync", "always")
    connection.call_many([("INCR", "n")] * 5)
    connection.call("CAIRN", "SYNC")
    connection.call_many([("INCR", "n")] * 2)
    faults.kill()
    shutil.copytree(os.path.join(faults.directory(), "mine"), os.path.join(faults.directory(), "kept"))
    connection = faults.start(*other)
    name = next(iter(json.loads(bytes_of(os.path.join(place, "0.json")))["replicas"]))
    connection.call("CONFIG", "SET", "replica-expiry", "100ms")

    def forgotten():
        connection.call("SET", "filler", os.urandom(200).hex())
        connection.call("CAIRN", "SYNC")
        return name not in json.loads(bytes_of(os.path.join(place, "0.json")))["replicas"]

    faults.check(wait_for(forgotten), "the entry goes")
    faults.check(faults.running.terminate() == 0, "the other server ends")
    said = faults.refused_start(*mine)
    faults.check("namespace 0: journal-1.log has 7 ops" in said and name in said and "--journal-orphans replay" in said,
                 "the refusal names namespace, journal, and the choice", said)
    connection = faults.start(*mine, "--journal-orphans", "drop")
    faults.check(connection.call("GET", "n") == b"5" and "7 ops of the journal" in faults.running.last_log_lines(20), "dropped, and told")
    faults.check(faults.running.terminate() == 0, "it ends")
    connection = faults.start(*mine)
    faults.check(connection.call("GET", "n") == b"5", "the next start asks nothing")
    faults.check(faults.running.terminate() == 0, "it ends")
    shutil.rmtree(mine[-1])
    shutil.copytree(os.path.join(faults.directory(), "kept"), mine[-1])
    faults.refused_start(*mine)
    connection = faults.start(*mine, "--journal-orphans", "replay")
    faults.check(connection.call("GET", "n") == b"12", "replayed: what was committed comes again")
    connection.call("CAIRN", "SYNC")
    faults.kill()
    connection = faults.start(*mine)
    faults.check(connection.call("GET", "n") == b"12", "once, over a crash")


def lost_head(faults):
    """The journal knows that the namespace had commits, the store has lost its head."""
    connection = faults.start("--sync-interval", "0")
    connection.call("SELECT", "big")
    connection.call("SET", "0:0:1", "v")
    connection.call("CAIRN", "SYNC")
    connection.call("SET", "b", "v")
    faults.kill()
    os.unlink(os.path.join(faults.directory(), "store", "big.json"))
    said = faults.refused_start()
    faults.check("big" in said, "the refusal names the namespace", said)


def noted_head(faults):
    """After a clean stop there is no journal: what .cairn/namespaces has noted is missed all the same."""
    store = os.path.join(faults.directory(), "store")
    head, notes = os.path.join(store, "big.json"), os.path.join(store, ".cairn", "namespaces")
    connection = faults.start()
    connection.call("SET", "k", "v")
    connection.call("SELECT", "big")
    connection.call("SET", "0:0:1", "v")
    faults.check(faults.running.terminate() == 0 and not journal_files(faults), "a clean stop leaves no journal")
    os.rename(head, head + ".away")
    for _ in range(2):
        said = faults.refused_start()
        faults.check("big.json is missing" in said and notes in said and "the line of big" in said, "the refusal names file and remedy", said)
    os.rename(head + ".away", head)
    connection = faults.start()
    faults.check(connection.call("GET", "k") == b"v", "put back, all is there")
    connection.call("SELECT", "big")
    faults.check(connection.call("GET", "0:0:1") == b"v", "put back, all is there")
    faults.kill()
    os.unlink(head)
    faults.refused_start()
    lines = bytes_of(notes).decode("ascii").splitlines(keepends=True)
    with open(notes, "w", encoding="ascii") as file:
        file.writelines(line for line in lines if not line.startswith("big "))
    connection = faults.start()
    faults.check(connection.call("GET", "k") == b"v", "the others are there")
    connection.call("SELECT", "big")
    faults.check(connection.call("DBSIZE") == 0, "removed on purpose, and its line too: it is empty")


def tree_of(top):
    """Every file and directory below, with its bytes and when it was changed."""
    return {path: (os.stat(path).st_mtime_ns, None if os.path.isdir(path) else bytes_of(path))
            for folder, folders, files in os.walk(top) for path in [folder] + [os.path.join(folder, name) for name in folders + files]}


def other_store(faults):
    """A journal's ops go into no store but theirs: a start with another one is refused and leaves that one alone."""
    place = faults.directory()
    own, right, wrong, absent, moved = (os.path.join(place, name) for name in ("own", "store", "wrong", "absent", "moved"))
    flags = ("--dir", own, "--journal-fsync", "always", "--sync-interval", "0")
    faults.start("--dir", os.path.join(place, "another"), store=wrong).call("SET", "k", "theirs")
    faults.check(faults.running.terminate() == 0, "there is another store")
    connection = faults.start(*flags)
    connection.call("SELECT", "fresh")
    connection.call_many([("INCR", "n")] * 5)
    faults.kill()
    before = tree_of(wrong)
    for store in (wrong, absent):
        said = faults.refused_start(*flags, store=store)
        for words in (f"{own}: its journal has 5 ops for {right},", f"this start is with {store}.", "SHUTDOWN", "another --dir", f"remove {own}/.cairn/store"):
            faults.check(words in said, f"the refusal has: {words}", said)
    faults.check(tree_of(wrong) == before and not os.path.exists(absent), "nothing is written there", tree_of(wrong).keys())
    faults.check(faults.launch("--dir", own, store="memory"), "a store in memory has nothing to do with it")
    faults.kill()
    connection = faults.start(*flags)
    connection.call("SELECT", "fresh")
    faults.check(connection.call("GET", "n") == b"5", "with the right one all is there")
    connection.call("INCR", "n")
    faults.kill()
    os.rename(right, moved)
    faults.refused_start(*flags, store=moved)
    os.unlink(os.path.join(own, ".cairn", "store"))
    connection = faults.start(*flags, store=moved)
    connection.call("SELECT", "fresh")
    faults.check(connection.call("GET", "n") == b"6", "a store that was moved is taken when the operator says so")
    faults.check(faults.running.terminate() == 0, "it ends with all in the store")
    connection = faults.start(*flags, store=wrong)
    faults.check(connection.call("GET", "k") == b"theirs", "then another one may be used")
    connection.call("SELECT", "fresh")
    faults.check(connection.call("DBSIZE") == 0, "and has nothing of the first")


def clock_goes_back(faults):
    """By an hour, while the server runs: its time goes on at half speed until the clock has caught up."""
    flag, read_only = (os.path.join(faults.directory(), name) for name in ("clock-is-behind", "read-only"))
    connection = faults.start(environment=faults.preload(FAULT_CLOCK=flag, FAULT_READ_ONLY=read_only))
    connection.call("SET", "gone", "v", "PX", "50")
    faults.check(wait_for(lambda: connection.call("GET", "gone") is None), "a key expires")
    before = int(connection.call("TIME")[0])
    open(flag, "w").close()
    connection.call("SET", "lasting", "v", "EX", "100")
    faults.check(connection.call("GET", "gone") is None, "what had expired stays away")
    faults.check(0 < connection.call("TTL", "lasting") <= 100, "new deadlines go by that time")
    connection.call("SET", "passing", "v", "PX", "50")
    faults.check(wait_for(lambda: connection.call("GET", "passing") is None), "a key expires meanwhile")
    connection.call("CAIRN", "SYNC")
    connection.call("SET", "refused", "v")
    open(read_only, "w").close()
    connection.send(resp.encode("CAIRN", "SYNC"))
    said = connection.read()
    faults.check(isinstance(said, resp.Error), "the store refuses once", said)
    os.unlink(read_only)
    writes_resume(faults)
    connection.send(resp.encode("CAIRN", "SYNC"))
    said = connection.read()
    faults.check(isinstance(said, int), "it is tried again soon", said)
    os.unlink(flag)
    faults.check(int(connection.call("TIME")[0]) >= before, "time goes on")
    faults.check(0 < connection.call("TTL", "lasting") <= 100, "deadlines are as they were")


def clock_behind_at_start(faults):
    """Time goes on from the newest change on, so nothing that expired comes back to life."""
    flag = os.path.join(faults.directory(), "clock-is-behind")
    connection = faults.start()
    connection.call("SET", "gone", "v", "PX", "50")
    connection.call("SET", "lasting", "v", "EX", "1000")
    faults.check(wait_for(lambda: connection.call("DBSIZE") == 1), "an expired key is removed")
    connection.call("MSET", "newest", "v", "deleted", "v")
    connection.call("DEL", "deleted")
    connection.call("CAIRN", "SYNC")
    faults.kill()
    open(flag, "w").close()
    connection = faults.start(environment=faults.preload(FAULT_CLOCK=flag))
    faults.check(int(time.time()) - int(connection.call("TIME")[0]) > 3000, "the second start's clock is behind")
    found = connection.call("MGET", "gone", "deleted", "newest")
    faults.check(found == [None, None, b"v"], "all is as it was", found)
    faults.check(0 < connection.call("TTL", "lasting") <= 1000, "deadlines are as they were")
    faults.check(connection.call("APPEND", "gone", "new") == 3, "a change to what had expired begins anew")
    connection.call("DEL", "newest")
    connection.call("CAIRN", "SYNC")
    faults.kill()
    connection = faults.start()
    found = connection.call("MGET", "deleted", "newest", "gone")
    faults.check(found == [None, None, b"new"], "changes made by the slow clock hold", found)
    faults.check(0 < connection.call("TTL", "lasting") <= 1000, "with the clock right again the deadline is as it was")


def clock_behind_is_one_namespaces(faults):
    """A namespace that was written by a clock ahead of this one's takes no other with it."""
    flag = os.path.join(faults.directory(), "clock-is-behind")
    connection = faults.start()
    connection.call("SET", "ahead", "v")
    connection.call("CAIRN", "SYNC")
    faults.kill()
    open(flag, "w").close()
    connection = faults.start("--threads", "1", environment=faults.preload(FAULT_CLOCK=flag))
    connection.call_many([("SELECT", "2"), ("SET", "x", "v", "EX", "1800")])
    found = connection.call_many([("SELECT", "0"), ("GET", "ahead"), ("SELECT", "2"), ("EXISTS", "x"), ("TTL", "x")])
    faults.check(found[1] == b"v" and found[3] == 1 and 0 < found[4] <= 1800, "in one turn each has its time", found)
    connection.call_many([("SELECT", "0"), ("SET", "ahead", "w"), ("SELECT", "3"), ("SET", "x", "v", "EX", "1800")])
    deadline, now = connection.call("EXPIRETIME", "x"), int(connection.call("TIME")[0])
    faults.check(deadline <= now + 1801, "a write behind one there goes by the clock", (deadline, now))
    connection.call("SET", "soon", "v", "PX", "1")
    faults.check(wait_for(lambda: connection.call("DBSIZE") == 1), "keys expire by themselves")
    time.sleep(0.5)  # some cycles more
    faults.check(connection.call("EXISTS", "x") == 1, "but none that would by the other's time")


def timeouts_behind_a_later_change(faults):
    """A client waits as long as it said, where the namespace's newest change is an hour later than the clock."""
    flag = os.path.join(faults.directory(), "clock-is-behind")
    connection = faults.start("--sync-interval", "0")
    connection.call("SET", "ahead", "v")
    connection.call("CAIRN", "SYNC")
    faults.kill()
    open(flag, "w").close()
    connection = faults.start("--threads", "1", "--sync-interval", "0", environment=faults.preload(FAULT_CLOCK=flag))
    connection.call("SET", "ahead", "w")
    for command in (("BLPOP", "k", "0.1"), ("WAIT", "1", "100"), ("WAITAOF", "0", "1", "100"), ("CAIRN", "WAITPOSITION", "99", "100")):
        asking = resp.Connection(faults.running.port)
        asking.send(resp.encode(*command))
        faults.check(says(asking, 20), f"{command} comes to its end")
        asking.close()
    # In one turn, so that the pause begins under the namespace's lock.
    connection.send(resp.encode("GET", "ahead") + resp.encode("CLIENT", "PAUSE", "100") + resp.encode("GET", "ahead"))
    replies = [connection.read() for _ in range(2)]
    faults.check(says(connection, 20) and connection.read() == b"w", "CLIENT PAUSE comes to its end", replies)
    connection.send(resp.encode("GET", "ahead") + resp.encode("CLIENT", "INFO"))
    replies = [connection.read() for _ in range(2)]
    age = int(re.search(rb" age=(-?\d+)", replies[1])[1])
    faults.check(age < 1800, "CLIENT INFO goes by the clock", age)


def timeout_is_for_the_idle(faults):
    """The clock goes forward by an hour: who waits for the server is not idle, nor is who is sent something."""
    flag = os.path.join(faults.directory(), "clock-is-behind")
    open(flag, "w").close()
    admin = faults.start("--threads", "1", "--timeout", "600", environment=faults.preload(FAULT_CLOCK=flag))
    idle, listener, paused = (resp.Connection(faults.running.port) for _ in range(3))
    listener.call("SUBSCRIBE", "c")
    blocked, = block(faults, [("BLPOP", "k", "0")])
    admin.call("CLIENT", "PAUSE", "36000000")
    paused.send(resp.encode("GET", "k"))
    faults.check(not says(paused), "the pause holds")
    os.unlink(flag)
    faults.check(until_end(idle) == b"", "an idle client is closed")
    admin = resp.Connection(faults.running.port)
    admin.call("CLIENT", "UNPAUSE")
    faults.check(paused.read() is None, "a paused one is not")
    admin.call("PUBLISH", "c", "m")
    faults.check(listener.read() == [b"message", b"c", b"m"], "nor one that listens")
    seconds = int(re.search(rb" idle=(\d+)", admin.call("CLIENT", "LIST", "TYPE", "pubsub"))[1])
    faults.check(seconds < 1800, "which is not idle when it is told something", seconds)
    admin.call("RPUSH", "k", "1")
    faults.check(blocked.read() == [b"k", b"1"], "nor one that is blocked")
    time.sleep(0.5)  # so that the loop sees its clients
    faults.check(blocked.call("PING") == b"PONG" and paused.call("PING") == b"PONG", "nor are they behind their answers")


def out_of_memory(faults):
    connection = faults.start("--sync-interval", "0", "--journal-fsync", "always")
    # Of what can be written to: address space alone is reserved ahead (server/mem_ahead.c).
    with open(f"/proc/{faults.running.process.pid}/status", encoding="ascii") as file:
        writable = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:"))
    limit = writable + 64 * 1024 * 1024
    resource.prlimit(faults.running.process.pid, resource.RLIMIT_DATA, (limit, limit))
    value, count = "x" * (512 * 1024), 0
    try:
        while count < 1000:
            connection.call("SET", f"k{count}", value)
            count += 1
    except (ConnectionError, OSError):
        pass
    faults.check(wait_for(lambda: faults.running.process.poll() is not None, 5), "the server ends", count)
    said = faults.running.last_log_lines(2)
    # The second text is that of a build with sanitizers, whose allocator gives up by itself.
    faults.check(re.search("out of memory|Failed to mmap", said, re.IGNORECASE), "it says why", said)
    connection = faults.start()
    lengths = [connection.call("STRLEN", f"k{number}") for number in range(count)]
    faults.check(count > 10 and set(lengths) == {len(value)}, f"all {count} acknowledged are there", lengths)


def pending_limit(faults):
    """A store that neither takes nor refuses: somebody holds the lock that its commits take."""
    connection = faults.start("--pending-limit", "16kb", "--sync-interval", "0.2")
    acked = {"before": b"v"}
    connection.call("SET", "before", "v")
    connection.call("CAIRN", "SYNC")
    with open(os.path.join(faults.directory(), "store", ".cairn", "swap"), "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = write_until_refused(faults.running.port, acked, "k")
        faults.check(16 < len(acked) < 200, "writes are taken up to the limit", len(acked))
        faults.check(said and said.startswith("MISCONF"), "past it they are refused", said)
        troubled(faults, acked, "over the limit")
    healed(faults, acked, faults.start)


def terminated(faults):
    connection = faults.start("--sync-interval", "0")
    for number in range(100):
        connection.call("SET", f"k{number}", "v")
    faults.check(faults.running.terminate() == 0, "SIGTERM ends with 0")
    faults.check(journal_files(faults) == [], "all is in the store, the journal is gone", journal_files(faults))
    connection = faults.start()
    faults.check(connection.call("DBSIZE") == 100, "all is there")


def ends_with_loss(faults, acked, store, journal):
    """Neither store nor journal takes what is pending: SHUTDOWN is refused, SIGTERM ends the server, which says so."""
    connection = resp.Connection(faults.running.port)
    connection.send(resp.encode("SHUTDOWN"))
    said = connection.read()
    faults.check(isinstance(said, resp.Error) and "Errors trying to SHUTDOWN" in str(said), "SHUTDOWN is refused", said)
    faults.expect_all(connection, acked, "the server stays")
    faults.check(faults.running.terminate() == 1, "SIGTERM ends it with 1")
    said = faults.running.last_log_lines(1)
    wanted = rf"warning: \d+ ops may be lost: neither store nor journal could take them: .*0\.json: {store}; the journal cannot be .*: {journal}$"
    faults.check(re.search(wanted, said.strip()), "its last line says what and why", said)


def disk_full_at_exit(faults):
    """The journal's disk is full, and that of the store, another one, so that no store makes room for the journal, read-only."""
    flag, own = os.path.join(faults.directory(), "read-only"), faults.mount("24m")
    where = os.path.join(faults.directory(), "elsewhere")
    flags = ("--dir", own, "--journal-fsync", "always", "--sync-interval", "0")
    connection = faults.start(*flags, store=where, environment=faults.preload(FAULT_READ_ONLY=flag))
    acked = {"before": b"v"}
    connection.call("SET", "before", "v")
    fill(os.path.join(own, "filler"))
    write_until_refused(faults.running.port, acked, "k", 30000)
    troubled(faults, acked, "No space left")
    open(flag, "w").close()
    ends_with_loss(faults, acked, "Read-only file system", "(No space left on device|Read-only file system)")
    os.unlink(os.path.join(own, "filler"))
    faults.expect_all(faults.start(*flags, store=where), acked, "after it")


def fsync_error_at_exit(faults):
    """Without `always` nobody notices before the end: what the system has written is there, but a power cut might have taken it."""
    flag = os.path.join(faults.directory(), "fsync-fails")
    flags = ("--journal-fsync", "no", "--sync-interval", "0")
    connection, acked = faults.start(*flags, environment=faults.preload(FAULT_FSYNC=flag)), {"before": b"v"}
    connection.call("SET", "before", "v")
    open(flag, "w").close()
    faults.check(write_until_refused(faults.running.port, acked, "k", 30) is None, "writes are taken")
    ends_with_loss(faults, acked, "Input/output error", "Input/output error")
    os.unlink(flag)
    faults.expect_all(faults.start(*flags), acked, "after it")


def journal_stays_at_exit(faults):
    """All is in the store, only the journal's files cannot be removed: nothing is lost, which a warning says."""
    flag = os.path.join(faults.directory(), "journal-stays")
    connection = faults.start("--sync-interval", "0", environment=faults.preload(FAULT_JOURNAL_STAYS=flag))
    connection.call_many([("INCR", "n")] * 5)
    open(flag, "w").close()
    faults.check(faults.running.terminate() == 0 and journal_files(faults), "SIGTERM ends with 0", journal_files(faults))
    said = faults.running.last_log_lines(2)
    faults.check(re.search("warning: everything is in the store, but the files of the journal in .*store/.cairn cannot be removed", said), "it is told", said)
    faults.check("lost" not in said, "nothing is called lost", said)
    os.unlink(flag)
    connection = faults.start()
    faults.check(connection.call("GET", "n") == b"5", "the next start has each op once")
    faults.check(faults.running.terminate() == 0 and journal_files(faults) == [], "and removes what stayed", journal_files(faults))


def shutdown_nosave(faults):
    """It does not commit, and says what becomes of what is pending."""
    for journal, wanted, found in (("yes", "notice: .*: 3 ops stay in the journal", b"3"), ("no", "warning: .*: 3 ops are lost$", None)):
        connection = faults.start("--journal", journal, "--sync-interval", "0")
        connection.call("FLUSHALL")
        connection.call("CAIRN", "SYNC")
        connection.call_many([("INCR", "n")] * 3)
        connection.send(resp.encode("SHUTDOWN", "NOSAVE"))
        faults.check(faults.running.process.wait(20) == 0, "it ends with 0")
        said = faults.running.last_log_lines(1).strip()
        faults.check(re.search(wanted, said), "it says what becomes of them", said)
        faults.check(faults.start("--journal", journal, "--sync-interval", "0").call("GET", "n") == found, f"journal {journal}: so it is")
        faults.kill()


FAULTS = [disk_full_always, disk_full_everysec, read_only, read_only_start, read_only_reading, fsync_error_always, fsync_error_everysec,
          blocked_fsync_error_one_thread, blocked_fsync_error_two_threads, blocked_levels, pushes_behind_a_durable_wait, in_doubt_behind_a_part, second_server,
          flipped_head, flipped_chunk, missing_chunk, short_chunk, flipped_segment, missing_segment, flipped_journal,
          torn_journal, missing_journal, missing_oldest_journal, journal_orphans, lost_head, noted_head, other_store, clock_goes_back, clock_behind_at_start,
          clock_behind_is_one_namespaces, timeouts_behind_a_later_change,
          timeout_is_for_the_idle, out_of_memory, pending_limit, terminated,
          disk_full_at_exit, fsync_error_at_exit, journal_stays_at_exit, shutdown_nosave]


def build_shim(faults):
    source, library = os.path.join(faults.root, "shim.c"), os.path.join(faults.root, "shim.so")
    with open(source, "w", encoding="ascii") as file:
        file.write(SHIM)
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    faults.preload = lambda **settings: {"LD_PRELOAD": library, "ASAN_OPTIONS": "verify_asan_link_order=0", **settings}


def main():
    server.require_program()
    if "CAIRN_FAULTS_INSIDE" not in os.environ:
        inside = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
        os.execvpe(inside[0], inside + [sys.executable, os.path.abspath(__file__)] + sys.argv[1:],
                   dict(os.environ, CAIRN_FAULTS_INSIDE="1"))
    faults = Faults()
    try:
        build_shim(faults)
        for fault in FAULTS:
            if sys.argv[1:] and fault.__name__ not in sys.argv[1:]:
                continue
            faults.case = fault.__name__
            begun = time.monotonic()
            try:
                fault(faults)
            except (RuntimeError, OSError, ConnectionError, resp.Error, subprocess.SubprocessError, IndexError, ValueError) as error:
                faults.check(False, f"{type(error).__name__}", error)
            faults.kill()
            subprocess.run(["umount", "-l", os.path.join(faults.root, faults.case, "store")], stderr=subprocess.DEVNULL)
            print(f"{fault.__name__} {time.monotonic() - begun:.1f} s", flush=True)
    finally:
        faults.kill()
        shutil.rmtree(faults.root, ignore_errors=True)
    sys.exit(faults.end())


if __name__ == "__main__":
    main()
