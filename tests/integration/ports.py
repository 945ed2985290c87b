# SPDX-License-Identifier: BSD-3-Clause
"""A free port for a server of a test. As a script: prints one.

Below those that the kernel gives to connections (ip_local_port_range begins at 32768), so that a server that is
killed finds its port free when it starts again, and below those that tests/support/ceph.sh takes."""
import random
import socket

FIRST, LAST = 10000, 20999
chosen = random.SystemRandom()  # a test's seed must not make two tests choose alike
given = set()


def free_port():
    while True:
        port = chosen.randint(FIRST, LAST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in given:
            given.add(port)
            return port


if __name__ == "__main__":
    print(free_port())
