# SPDX-License-Identifier: BSD-3-Clause
"""Starts and ends the server under test: cairn-server, or redis-server for a control run.

SERVER names the program, else it is BUILD's cairn-server (build/ of this tree), which is the rule for all tests here and for
tests/bench. SERVER_FLAGS adds directives to those a test asks for.
"""
import os
import shlex
import signal
import subprocess
import sys
import time

import ports
import resp

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD") or os.path.join(ROOT, "build")
PROGRAM = os.environ.get("SERVER") or os.path.join(BUILD, "cairn-server")
IS_REDIS = os.path.basename(PROGRAM).startswith("redis-server")


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def info(connection, section="persistence"):
    lines = connection.call("INFO", section).decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def durable_flags(directory, sync_interval):
    """Directives under which an acknowledged write survives kill -9."""
    if IS_REDIS:
        return ["--dir", directory, "--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    own = os.path.join(directory, "own")
    os.makedirs(own, exist_ok=True)
    return ["--store", os.path.join(directory, "store"), "--dir", own,
            "--journal-fsync", "always", "--sync-interval", f"{sync_interval:.3f}"]


class Server:
    """One running server; start() returns once it answers."""

    def __init__(self, directory, flags):
        self.port = ports.free_port()
        self.log = os.path.join(directory, "server.log")
        os.makedirs(directory, exist_ok=True)
        if not IS_REDIS:
            os.makedirs(os.path.join(directory, "store"), exist_ok=True)
        extra = shlex.split(os.environ.get("SERVER_FLAGS", ""))
        command = [PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1"] + flags + extra
        with open(self.log, "ab") as log:
            log.write(("+ " + shlex.join(command) + "\n").encode())
            log.flush()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_ready(self, timeout=60):
        """True once PING is answered; False if the server ended or did not answer in time."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                connection = resp.Connection(self.port, timeout=5)
                try:
                    if connection.call("PING") == b"PONG":
                        return True
                finally:
                    connection.close()
            except (OSError, resp.Error):
                pass
            time.sleep(0.01)
        return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self, timeout=30):
        """SIGTERM; returns the exit status, or None if the server had to be killed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def last_log_lines(self, count=15):
        with open(self.log, "rb") as log:
            return b"".join(log.readlines()[-count:]).decode("utf-8", "replace")


def require_program():
    if not any(os.access(os.path.join(d, PROGRAM), os.X_OK) for d in [""] + os.environ["PATH"].split(":")):
        sys.exit(f"there is no server {PROGRAM}; run make, or name one in SERVER")
