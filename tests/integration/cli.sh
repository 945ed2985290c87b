#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a person at the terminal meets: help, version, the example configuration, errors that name
# the directive, file, line and remedy. Ends with `N passed, N failed`.
set -u
cd "$(dirname "$0")/../.." || exit 1
SERVER=${SERVER:-${BUILD:-build}/cairn-server}
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 "$pid"; chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
passed=0 failed=0

# NAME WANTED-STATUS PATTERN COMMAND…: the exit status, and a line of the output that matches.
check() {
    local name=$1 status=$2 pattern=$3 out got
    shift 3
    out=$(timeout 20 "$@" 2>&1 </dev/null)
    got=$?
    if [ "$got" -eq "$status" ] && grep -qE -- "$pattern" <<<"$out"; then
        passed=$((passed + 1))
        echo "ok - $name"
    else
        failed=$((failed + 1))
        printf 'not ok - %s: exit status %s, wanted %s and /%s/ in:\n%s\n' "$name" "$got" "$status" "$pattern" "$out"
    fi
}

[ -x "$SERVER" ] || { echo "no server $SERVER: run make"; echo "0 passed, 1 failed"; exit 1; }

check "--help lists the directives" 0 '^  --journal-fsync everysec' "$SERVER" --help
check "--version is one line" 0 '^cairn-server [0-9]+\.[0-9]+\.[0-9]+$' "$SERVER" --version
check "cairn.conf is what --print-config prints" 0 '^same$' \
    bash -c "diff <('$SERVER' --print-config) cairn.conf && echo same"
check "the example configuration is accepted" 1 'cannot listen on 192\.0\.2\.1' \
    "$SERVER" cairn.conf --store memory --bind 192.0.2.1 --port 29999

printf 'port 7000\n\n# a remark\nsync-intervall 5\n' >"$work/a.conf"
check "an unknown directive names file, line and remedy" 1 \
    "a\.conf:4: unknown directive 'sync-intervall' \(did you mean 'sync-interval'\?\)" "$SERVER" "$work/a.conf"
printf 'maxclients many\n' >"$work/b.conf"
check "a bad value names file and line" 1 "b\.conf:1: .*maxclients" "$SERVER" "$work/b.conf"
check "a bad value on the command line names the directive" 1 "journal-fsync" \
    "$SERVER" --journal-fsync sometimes
check "a directive without a value is an error" 1 "port" "$SERVER" --port
check "a file that is not there is named" 1 "nowhere\.conf" "$SERVER" "$work/nowhere.conf"
check "a word far from any directive gets no guess" 1 "unknown directive 'xyzzy'; " "$SERVER" --xyzzy 1
check "a directory is no configuration file" 1 "cannot read the configuration file: Is a directory" "$SERVER" "$work"
printf 'include %s/nowhere.conf\n' "$work" >"$work/c.conf"
check "an include that is not there is named with its place" 1 "c\.conf:1: include: .*nowhere\.conf: cannot open" "$SERVER" "$work/c.conf"
check "a word that is no file is told of --help" 1 "help: cannot open .*cairn-server --help" "$SERVER" help
check "an errand behind directives is told its place" 1 "export comes first" "$SERVER" --store memory --export
for place in s3:/bucket s3:bucket http://host/x ""; do
    check "'$place' is no store to serve …" 1 "'$place' is no store: memory, a directory, or s3://" "$SERVER" --port 29999 --store "$place"
    check "… nor one to read" 2 "'$place' is no store" "$SERVER" --verify "$place"
done
check "a store whose place is not there says so" 1 "the directory $work/deep/er cannot be made: .* \(make the one first" \
    "$SERVER" --port 29999 --store "$work/deep/er"
mkdir -p "$work/bad/.cairn" && echo nonsense >"$work/bad/.cairn/identity"
check "a damaged identity names its place and a remedy" 1 "$work/bad: \.cairn/identity: .*damaged.*remove it" "$SERVER" --port 29999 --store "$work/bad"
mkdir -p "$work/torn/.cairn" && head -c 200 /dev/urandom >"$work/torn/.cairn/journal-1.log"
check "so does a damaged journal" 1 "$work/torn: journal-1\.log: byte 0: .*Put a good copy back, or, to do without" "$SERVER" --port 29999 --store "$work/torn"
check "without keys for a bucket all places are told" 1 "no AWS_ACCESS_KEY_ID, no profile with keys, and http://127\.0\.0\.1:1/" \
    env -u AWS_ACCESS_KEY_ID HOME="$work" AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1 \
    "$SERVER" --export s3://bucket/x name --s3-endpoint http://127.0.0.1:1 --s3-region x
check "a document that is none is called so" 1 "not what --export prints: expected a value at byte 0" "$SERVER" --import "$work/bad" name
check "an export of what is not there is an error" 1 "there is no namespace nothing; there is none$" "$SERVER" --export "$work" nothing
check "an export of a bad name is an error" 1 "\.\./x" "$SERVER" --export "$work" ../x
check "an export takes the endpoint that is given" 1 "s3-endpoint 'nonsense'" \
    "$SERVER" --export s3://bucket/x name --s3-endpoint nonsense --s3-region eu-x-1
check "an errand's directives are checked" 1 "unknown directive 's3-endpiont'" \
    "$SERVER" --export "$work" name --s3-endpiont http://127.0.0.1:1
check "an export wants a namespace" 1 "usage: --export STORE NAMESPACE" "$SERVER" --export "$work" --s3-region x

mkdir "$work/store"
for name in one two; do
    printf '{"namespace":"%s","position":0,"state":{"a":1,"b":"x"}}' $name | "$SERVER" --import "$work/store" $name
done
check "an empty store is sound" 0 '^0 namespaces' "$SERVER" --verify "$work"
check "a sound namespace is" 0 '^one: sound: position 0, .* 2 keys' "$SERVER" --verify "$work/store" one
check "so is a sound store" 0 '^2 namespaces, 2 sound' "$SERVER" --verify "$work/store"
printf x | dd of="$work/store/two.json" bs=1 seek=200 conv=notrunc status=none
check "a damaged head is not, and is named" 1 '^  two\.json: damaged' "$SERVER" --verify "$work/store" two
check "nor is its store" 1 '^2 namespaces, 1 sound, 1 not sound' "$SERVER" --verify "$work/store"
check "the others in it are" 0 '^one: sound' "$SERVER" --verify "$work/store" one
cp -r "$work/store" "$work/copy" && rm -r "$work/copy/.cairn"
check "a copy without a journal is verified …" 0 '^one: sound' "$SERVER" --verify "$work/copy" one
check "… exported …" 0 '"b":"x"' "$SERVER" --export "$work/copy" one
check "… and left as it is" 0 '^one.json two.json$' bash -c "ls -A '$work/copy' | paste -sd' '"
for errand in --verify --export; do
    check "$errand of a namespace that is not there tells which are" 1 'there is no namespace three; there are .one., .two.$' "$SERVER" $errand "$work/store" three
done
for ((i = 100; i < 125; i++)); do printf '{"namespace":"n","position":0,"state":{}}' | "$SERVER" --import "$work/many" n$i; done
check "… or some of them" 1 "there are 'n100', 'n101', .*, 'n119' and 5 more$" "$SERVER" --verify "$work/many" three
check "a store that is not there cannot be verified" 2 "$work/nowhere: No such file or directory" "$SERVER" --verify "$work/nowhere"
check "nor one namespace of it" 2 "$work/nowhere: No such file or directory" "$SERVER" --verify "$work/nowhere" three
check "nor exported" 1 "$work/nowhere: No such file or directory" "$SERVER" --export "$work/nowhere" three
check "nor can a bucket out of reach" 2 's3://bucket/x/: LIST' env AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b \
    "$SERVER" --verify s3://bucket/x --s3-endpoint http://127.0.0.1:1
check "nor one namespace of it" 2 '^name: NOT READ' env AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b \
    "$SERVER" --verify s3://bucket/x name --s3-endpoint http://127.0.0.1:1
check "--verify wants a store" 2 "usage: --verify STORE \[NAMESPACE\]" "$SERVER" --verify

# Who only reads needs no permission to write. No mode binds root, so root asks as somebody else.
umask 022
chmod 755 "$work"
cp "$SERVER" "$work/cairn-server"
other=(env)
[ "$(id -u)" -ne 0 ] || other=(setpriv --reuid=65534 --regid=65534 --clear-groups)
reader=("${other[@]}" "$work/cairn-server")
live=$work/live

# NAME PATTERN STORE: what jq makes of its namespace 0 as the reader exports it.
check_state() {
    check "$1" 0 "$2" bash -o pipefail -c '"$@" 2>/dev/null | jq -c .state' - "${reader[@]}" --export "$3" 0
}

"$SERVER" --store "$live" --port 0 --unixsocket "$work/socket" --sync-interval 0 --journal-fsync always --threads 2 >"$work/log" 2>&1 </dev/null &
pid=$!
for ((i = 0; i < 200; i++)); do
    redis-cli -s "$work/socket" set committed 1 2>/dev/null | grep -q OK && break
    sleep 0.05
done
check "a store to be read by another user" 0 '^1$' redis-cli -s "$work/socket" cairn sync
check "has what only its journal has" 0 '^OK$' redis-cli -s "$work/socket" set pending 1
check "beside its server an export says what it gives …" 0 'in use: only what is committed is given$' "${reader[@]}" --export "$live" 0
check_state "… and gives that" '^\{"committed":1\}$' "$live"
check "it is verified" 0 '^1 namespace, 1 sound' "${reader[@]}" --verify "$live"
check "a second server is told how to share" 1 "$live is in use by another server \(process [0-9]+\); servers may share a store, with --shared yes" \
    "$SERVER" --port 29999 --store "$live"
check "its threads have names" 0 '^syncer worker journal lazyfree memory-watch loop-1 $' \
    bash -c "for name in syncer worker journal lazyfree memory-watch loop-1; do ps -T -o comm= -p $pid | grep -xm1 \$name; done | tr '\n' ' '"
kill -9 "$pid"
wait "$pid" 2>/dev/null # it was killed
pid=
check_state "beside no server an export has the journal's ops" '^\{"committed":1,"pending":1\}$' "$live"
cp -r "$live" "$work/frozen"
chmod -R a-w "$work/frozen"
sums() { (cd "$work/frozen" && find . -type f -exec sha256sum {} + | sort); }
before=$(sums)
check "a copy that may not be written …" 1 'Permission denied' "${other[@]}" touch "$work/frozen/x"
check_state "… is exported, journal and all …" '^\{"committed":1,"pending":1\}$' "$work/frozen"
check "… verified …" 0 '^1 namespace, 1 sound' "${reader[@]}" --verify "$work/frozen"
check "… and left as it is" 0 '' [ "$(sums)" = "$before" ]
chmod -R u+w "$work/frozen"
rm -r "$work/frozen/.cairn"
chmod -R a-w "$work/frozen"
check_state "without its journal it is exported too" '^\{"committed":1\}$' "$work/frozen"
chmod 700 "$live/.cairn"
[ "$(id -u)" -eq 0 ] || chmod 0 "$live/.cairn"
check "a journal that may not be read is not left out" 1 'live/\.cairn: Permission denied' "${reader[@]}" --export "$live" 0

daemon=("$SERVER" --store "$work/daemon" --port 0 --unixsocket "$work/daemon.sock" --daemonize yes --logfile "$work/daemon.log")
check "in the background it serves once the parent has left" 0 '^PONG$' \
    bash -c '"${@:2}" && redis-cli -s "$1" ping' - "$work/daemon.sock" "${daemon[@]}" --pidfile "$work/daemon.pid"
pid=$(cat "$work/daemon.pid")
check "its process is the one in the pid file" 0 "^process_id:$pid"$'\r?$' redis-cli -s "$work/daemon.sock" info server
check "a start in the background that fails is told at the terminal" 1 "$work/daemon is in use by another server \(process $pid\)" \
    "${daemon[@]}" --pidfile "$work/daemon.pid" --unixsocket "$work/other.sock"
check "… and leaves the pid file of the one that runs" 0 "^$pid\$" cat "$work/daemon.pid"
check "the one that runs ends" 0 '' redis-cli -s "$work/daemon.sock" shutdown
for ((i = 0; i < 200; i++)); do [ -e "$work/daemon.pid" ] || break; sleep 0.05; done
check "… and takes its pid file along" 1 '' [ -e "$work/daemon.pid" ]
pid=
check "without a pid file that can be written it serves all the same" 0 '^PONG$' \
    bash -c '"${@:2}" && redis-cli -s "$1" ping && redis-cli -s "$1" shutdown' - "$work/daemon.sock" "${daemon[@]}" --pidfile "$work/no/daemon.pid"
check "… and says so in its log" 0 "warning: pidfile $work/no/daemon.pid: No such file" cat "$work/daemon.log"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
