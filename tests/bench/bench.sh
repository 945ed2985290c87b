#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds the bare responder and runs the side-by-side benchmark; `bench.sh --help` tells what can be set.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(mkdir -p "${BUILD:-$here/../../build}" && cd "${BUILD:-$here/../../build}" && pwd)
export BUILD
mkdir -p "$BUILD/bench"
${CC:-gcc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Werror -O2 -o "$BUILD/bench/responder" "$here/responder.c" -levent
exec python3 "$here/bench.py" "$@"
