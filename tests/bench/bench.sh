#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds the bare responder and runs the side-by-side benchmark, or with "stalls" the measurement of the slowest
# requests; `bench.sh --help` and `bench.sh stalls --help` tell what can be set.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(mkdir -p "${BUILD:-$here/../../build}" && cd "${BUILD:-$here/../../build}" && pwd)
export BUILD
mkdir -p "$BUILD/bench"
build() {
    ${CC:-gcc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Werror -O2 -o "$BUILD/bench/$1" "$here/$1.c" "${@:2}"
}

build responder -levent
build stall
if [ "${1:-}" = stalls ]; then exec python3 "$here/stall.py" "${@:2}"; fi
exec python3 "$here/bench.py" "$@"
