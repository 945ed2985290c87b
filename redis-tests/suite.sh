#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs Redis's own Tcl suite against cairn and against Debian's redis-server, and compares them test by test.
#
#   redis-tests/suite.sh [-j N] [unit...]        all units below, or only those named (unit/type/list)
#
# CAIRN=build/cairn-server   the server under test; CAIRN=redis-server is a control run
# CAIRN_FLAGS="..."          more directives for it
# SUITE_STORE=memory         memory, or directory: a fresh directory store for each unit
# SUITE_THREADS=1            cairn's threads. With more, what two connections send without waiting may run in either
#                            order, and a few tests count on Redis's (BRPOPLPUSH with multiple blocked clients)
# SUITE_EXCUSED=FILE         tests that may be missing here, for builds that are not the product (sanitizers)
# BUILD=build                everything is fetched, unpacked and logged below $BUILD/redis-suite
#
# The suite comes from Debian's source package, over a private apt configuration; nothing outside $BUILD is
# changed, and none of it is ever committed. Each unit runs in external-server mode with a server, a copy
# of the suite and a network namespace of its own. The reference run is kept, by version and skip list.
set -uo pipefail

UNITS="unit/type/list-3 unit/type/list-2 unit/scan unit/type/list unit/type/string unit/expire unit/type/set
       unit/type/hash unit/multi unit/querybuf unit/keyspace unit/lazyfree unit/pubsub unit/replybufsize
       unit/protocol unit/quit unit/type/incr"     # the longest first, so that two at a time end together
RUNTEST_FLAGS=(--durable --timeout 90)             # without --durable the first error reply ends a run
REFERENCE_FLAGS=(--save "" --enable-protected-configs yes --enable-debug-command yes --enable-module-command yes)
TARBALL_VERSION=7.0.15
TARBALL_SHA256=4b1dc4ee                            # how the sum of that version's tarball starts
UNIT_LIMIT=900                                     # seconds

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
BUILD=$(mkdir -p "${BUILD:-$root/build}" && cd "${BUILD:-$root/build}" && pwd) || exit 1
CAIRN=${CAIRN:-$BUILD/cairn-server}
CAIRN_FLAGS=${CAIRN_FLAGS:-}
SUITE_STORE=${SUITE_STORE:-memory}
SUITE_THREADS=${SUITE_THREADS:-1}
work=${SUITE_WORK:-$BUILD/redis-suite}
jobs=2

die() { echo "suite.sh: $*" >&2; exit 2; }

# Writes a copy of the machine's apt sources with deb-src in place of deb.
write_sources() {
    local f
    mkdir -p "$1/parts" "$1/lists/partial" "$1/cache/archives/partial"
    for f in /etc/apt/sources.list.d/*.sources; do
        [ -f "$f" ] && sed 's/^Types:.*/Types: deb-src/' "$f" > "$1/parts/$(basename "$f")"
    done
    for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$f" ] && sed -n 's/^deb\(-src\)\? /deb-src /p' "$f" | sort -u > "$1/parts/$(basename "$f")"
    done
    return 0
}

# Leaves the tarball in $work and its path in $tarball.
fetch_suite() {
    tarball=$(ls "$work"/redis_*.orig.tar.gz 2>/dev/null | head -1)
    if [ -z "$tarball" ]; then
        local apt=$work/apt opts
        write_sources "$apt"
        opts=(-q -o Dir::Etc::sourceparts="$apt/parts" -o Dir::Etc::sourcelist=/dev/null
              -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root)
        { apt-get "${opts[@]}" update &&
          (cd "$work" && apt-get "${opts[@]}" source --download-only --tar-only redis); } > "$apt/log" 2>&1 ||
            die "cannot fetch Debian's source package 'redis' (see $apt/log); the suite is not part of this repository.
Put redis_$TARBALL_VERSION.orig.tar.gz into $work by hand where there is no archive to fetch it from."
        tarball=$(ls "$work"/redis_*.orig.tar.gz 2>/dev/null | head -1)
        [ -n "$tarball" ] || die "apt-get left no redis_*.orig.tar.gz in $work (see $apt/log)"
    fi
    suite_version=${tarball##*/redis_}
    suite_version=${suite_version%.orig.tar.gz}
    if [ "${suite_version#*:}" = "$TARBALL_VERSION" ]; then
        [[ $(sha256sum < "$tarball") == "$TARBALL_SHA256"* ]] || die "$tarball is not Redis's own tarball: wrong sha256"
    else
        echo "suite.sh: the machine's suite is Redis $suite_version, not $TARBALL_VERSION" >&2
    fi
    suite=$work/suite-$suite_version
    if [ ! -f "$suite/.complete" ]; then
        rm -rf "$suite" && mkdir -p "$suite/src" &&
        tar -xzf "$tarball" -C "$suite" --strip-components=1 --wildcards '*/tests' '*/runtest' || die "cannot unpack $tarball"
        ln -s "$(command -v redis-cli)" "$(command -v redis-benchmark)" "$suite/src/"
        touch "$suite/.complete"
    fi
}

# The command line of one side's server in the array $server; $1 is reference or cairn, $2 port, $3 directory.
server_command() {
    local common=(--port "$2" --bind 127.0.0.1 --dir "$3/data")
    if [ "$1" = reference ]; then
        server=(redis-server "${common[@]}" "${REFERENCE_FLAGS[@]}")
    elif [[ $(basename "$CAIRN") == redis-server* ]]; then
        server=("$CAIRN" "${common[@]}" "${REFERENCE_FLAGS[@]}")
    else
        server=("$CAIRN" "${common[@]}" --save "" --threads "$SUITE_THREADS" --enable-debug-command yes
                --enable-protected-configs yes)
        case $SUITE_STORE in
            memory) server+=(--store memory) ;;
            directory) server+=(--store "$3/store") ;;
            *) die "SUITE_STORE is memory or directory" ;;
        esac
    fi
    # shellcheck disable=SC2206
    [ "$1" = cairn ] && server+=($CAIRN_FLAGS)
    return 0
}

# Runs one unit against one side's server; leaves the suite's output in $work/logs/<side>/<unit>.log.
run_unit() {
    local side=$1 unit=$2 name=${2//\//_} dir log port=7777 pid i status
    dir=$work/run/$side/$name
    log=$work/logs/$side/$name
    rm -rf "$dir" && mkdir -p "$dir/data" "$dir/store" "$work/logs/$side"
    cp -r "$suite" "$dir/suite"
    if [ -n "${SUITE_NAMESPACE:-}" ]; then ip link set lo up || return 1; else port=$(python3 "$root/tests/integration/ports.py"); fi
    server_command "$side" "$port" "$dir"
    "${server[@]}" > "$log.server" 2>&1 &
    pid=$!
    for ((i = 0; i < 100; i++)); do
        [ "$(redis-cli -p "$port" PING 2>/dev/null)" = PONG ] && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.1
    done
    { echo "server: ${server[*]}"
      cd "$dir/suite" &&
      TERM=dumb timeout $UNIT_LIMIT ./runtest --host 127.0.0.1 --port "$port" --single "$unit" \
          --skipfile "$work/skip/$name" "${RUNTEST_FLAGS[@]}" < /dev/null
      status=$?
      echo "runtest ended with $status"; } > "$log.log" 2>&1
    if kill -0 $pid 2>/dev/null; then kill $pid; else echo "the server did not live to the end of the unit" >> "$log.log"; fi
    for ((i = 0; i < 100; i++)); do kill -0 $pid 2>/dev/null || break; sleep 0.1; done
    kill -9 $pid 2>/dev/null && echo "the server did not end within 10 s of SIGTERM" >> "$log.log"
    wait $pid 2>/dev/null
    rm -rf "$dir"
}

# The same in a network namespace, since tests look up host names and move ports about.
run_isolated() {
    local isolate=(unshare -n)
    [ "$(id -u)" = 0 ] || isolate=(unshare -rn)
    if "${isolate[@]}" true 2>/dev/null; then
        SUITE_NAMESPACE=1 "${isolate[@]}" "$here/suite.sh" --one "$1" "$2"
    else
        echo "suite.sh: no network namespaces here; $2 runs in the machine's own" >&2
        "$here/suite.sh" --one "$1" "$2"
    fi
}

# A reference result is good for one version of suite and server and one skip list of the unit.
reference_key() {
    { echo "$suite_version"; redis-server --version; cat "$work/skip/${1//\//_}"; echo "${RUNTEST_FLAGS[*]} ${REFERENCE_FLAGS[*]}"; } |
        sha256sum | cut -c1-16
}

run_side_of_unit() {
    local side=$1 unit=$2 name=${2//\//_} kept try
    if [ "$side" = cairn ]; then run_isolated cairn "$unit"; return; fi
    kept=$work/reference/$name.$(reference_key "$unit")
    if [ ! -f "$kept" ]; then
        for try in 1 2 3; do    # a test that watches the clock may fail once on a busy machine
            run_isolated reference "$unit"
            grep -q '^\[err\]' "$work/logs/reference/$name.log" || break
        done
        mkdir -p "$work/reference" && rm -f "$work/reference/$name".*
        cp "$work/logs/reference/$name.log" "$kept"
    fi
    ln -sfn "$(basename "$kept")" "$work/reference/$name"
}

check_tools() {
    local tool
    for tool in redis-server redis-cli redis-benchmark tclsh8.6 python3 unshare ip ps; do
        command -v $tool > /dev/null || die "$tool is missing; redis-tests/packages.txt lists the packages"
    done
    [ -x "$(command -v "$CAIRN")" ] || die "there is no server $CAIRN; run make, or name one in CAIRN"
    CAIRN=$(command -v "$CAIRN")
    CAIRN=$(cd "$(dirname "$CAIRN")" && pwd)/$(basename "$CAIRN")
}

main() {
    local units=() unit side
    while [ $# -gt 0 ]; do
        case $1 in
            -j) jobs=$2; shift ;;
            -h | --help) sed -n '3,/^set/{/^set/d;s/^# \?//;p}' "$0"; exit 0 ;;
            -*) die "unknown option $1" ;;
            *) units+=("$1") ;;
        esac
        shift
    done
    # shellcheck disable=SC2206
    [ ${#units[@]} -gt 0 ] || units=($UNITS)
    check_tools
    mkdir -p "$work/skip" "$work/logs"
    exec 9> "$work/lock"
    flock -n 9 || die "another run is using $work"
    fetch_suite
    for unit in "${units[@]}"; do
        [ -f "$suite/tests/$unit.tcl" ] || die "the suite has no unit $unit"
        python3 "$here/suite_score.py" --skips "$here/skip.txt" "$unit" > "$work/skip/${unit//\//_}" || exit 2
        rm -f "$work/logs/cairn/${unit//\//_}".*
    done
    export BUILD CAIRN CAIRN_FLAGS SUITE_STORE SUITE_THREADS
    for side in reference cairn; do printf '%s\n' "${units[@]/#/$side }"; done |
        xargs -P "$jobs" -L 1 "$here/suite.sh" --side 9>&-
    python3 "$here/suite_score.py" --work "$work" --skip-list "$here/skip.txt" \
        ${SUITE_EXCUSED:+--excused "$SUITE_EXCUSED"} "${units[@]}"
}

case ${1:-} in
    --one) fetch_suite && run_unit "$2" "$3" ;;
    --side) fetch_suite && run_side_of_unit "$2" "$3" ;;
    *) main "$@" ;;
esac
