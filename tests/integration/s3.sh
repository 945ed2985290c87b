#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# cairn-server on a real S3 server: what was set is there after a restart without the local
# directory, after kill -9 with it, and bad places are refused with a sentence.
#
# In the end several servers share a place in it, with a proxy before it that loses and delays.
#
#   tests/integration/s3.sh         SERVER, BUILD as in server.py; S3_ENDPOINT: another server than Ceph's
#                                   S3_SOAK_SECONDS=20, SEED as in sharing.py
set -u
cd "$(dirname "$0")/../.." || exit 1
export SERVER=${SERVER:-${BUILD:-build}/cairn-server}
work=$(mktemp -d /tmp/cairn-s3.XXXXXX)
passed=0 failed=0 pid=

cleanup() {
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
    tests/support/ceph.sh stop "$work/ceph"
    rm -rf "$work"
}
trap cleanup EXIT

settings=$(tests/support/ceph.sh start "$work/ceph") || { echo "0 passed, 1 failed"; exit 1; }
eval "$settings"
export AWS_REGION=us-east-1
place="s3://$S3_BUCKET/e2e-$$-$RANDOM/a b%+=ü"
port=$(/usr/bin/python3 tests/integration/ports.py)

# check WHAT EXPECTED GOT
check() {
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'not ok: %s\n  expected: %s\n  got:      %s\n' "$1" "$2" "$3"
        tail -n 5 "$work/log"
    fi
}

cli() { timeout 20 redis-cli -p "$port" "$@"; }

# start DIRECTORY [directive …]: returns when it answers, or has ended.
start() {
    local dir=$1
    shift
    mkdir -p "$dir"
    "$SERVER" --port "$port" --bind 127.0.0.1 --store "$place" --dir "$dir" \
        --s3-endpoint "$S3_ENDPOINT" --sync-interval 0.2 "$@" >"$work/log" 2>&1 </dev/null &
    pid=$!
    for _ in $(seq 200); do
        [ "$(cli ping 2>/dev/null)" = PONG ] && return
        kill -0 "$pid" 2>/dev/null || { pid=; return; }
        sleep 0.05
    done
}

stop() { # SIGNAL
    [ -n "$pid" ] || return
    kill "-$1" "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    pid=
}

everything() {
    cli get name
    cli hgetall etags | paste -sd' '
    cli smembers seen | sort | paste -sd' '
    cli lrange jobs 0 -1 | paste -sd' '
    cli get hits
    cli -n 3 get other
    cli get big | md5sum
}

pending() { cli info cairn | tr -d '\r' | sed -n 's/^pending_ops://p'; }

start "$work/one"
cli set name cairn >/dev/null
cli hset etags a.tar 9f3c b.tar 77 >/dev/null
cli sadd seen eu us >/dev/null
cli rpush jobs 1 2 3 >/dev/null
cli incrby hits 42 >/dev/null
cli -n 3 set other x >/dev/null
head -c 700000 /dev/urandom | base64 | cli -x set big >/dev/null
before=$(everything)
check "a sync is answered" 1 "$(cli cairn sync >/dev/null && cli waitaof 0 1 10000 | head -n 2 | tail -n 1)"
check "CAIRN PROBE passes" OK "$(cli cairn probe)"
check "INFO counts requests" yes "$(cli info cairn | grep -q '^s3_put_ok:[1-9]' && echo yes)"
check "INFO estimates the cost" yes "$(cli info cairn | grep -q '^s3_requests_dollars_a_month:' && echo yes)"
stop TERM
start "$work/two"
check "same answers without the local directory" "$before" "$(everything)"
check "it writes on" 43 "$(cli incr hits)"
before=$(everything)
cli cairn sync >/dev/null
cli waitaof 0 1 10000 >/dev/null
stop KILL
start "$work/three"
check "durable is durable after kill -9" "$before" "$(everything)"
stop TERM

start "$work/two" --sync-interval 0 --journal-fsync always
cli incr hits >/dev/null
before=$(everything)
stop KILL
start "$work/two" --sync-interval 0 --journal-fsync always
check "the journal keeps what the bucket has not yet" "$before" "$(everything)"
stop TERM
start "$work/four"
check "and the last commit brings it there" "$before" "$(everything)"
stop TERM
check "export reads the bucket" 44 "$("$SERVER" --export "$place" 0 --s3-endpoint "$S3_ENDPOINT" 2>>"$work/log" | jq -r '.state.hits // .base.state.hits' 2>>"$work/log")"

# A bucket that stalls: served on from memory, committed when it answers again; and if the server
# goes down before that, the journal has what is missing, whatever of it lands late.
if [ -f "$work/ceph/rgw.pid" ]; then
    gateway=$(cat "$work/ceph/rgw.pid")
    start "$work/four" --s3-first-byte-timeout 1
    cli get hits >/dev/null # loads the namespace
    kill -STOP "$gateway"
    check "writes are served while the bucket stalls" 45 "$(cli incr hits)"
    sleep 1.5
    check "and wait for it" yes "$([ "$(pending)" -gt 0 ] && echo yes)"
    kill -CONT "$gateway"
    for _ in $(seq 100); do [ "$(pending)" = 0 ] && break; sleep 0.1; done
    check "and are committed once it answers" 0 "$(pending)"
    kill -STOP "$gateway"
    cli incr hits >/dev/null
    sleep 0.5
    stop TERM
    kill -CONT "$gateway"
    start "$work/four"
    check "what was on the wire is applied once" 46 "$(cli get hits)"
    check "CAIRN VERIFY finds it sound" namespace "$(cli cairn verify | head -n 1)"
    check "CAIRN HISTORY tells the newest commit first" "$(cli cairn position)" "$(cli cairn history | sed -n 2p)"
    stop TERM
fi

# verify: the exit status of --verify; what it said is in $work/verify.
verify() { "$SERVER" --verify "$place" --s3-endpoint "$S3_ENDPOINT" "$@" >"$work/verify" 2>&1; echo $?; }

check "after all that the bucket verifies" 0 "$(verify --s3-region us-east-1)"
check "both its namespaces do" 2 "$(grep -c ': sound: position' "$work/verify")"
check "a directive that is wrong is told" 2 "$(verify --s3-path-style sometimes)"
check "an endpoint that is not there is no verdict" 2 "$(verify --s3-endpoint http://127.0.0.1:1)"

# The same objects by another way, or put otherwise. `served WHAT` checks that a server begun so reads and writes them.
served() {
    local wanted
    wanted=$(($(cli get hits) + 1))
    check "$1: it reads and writes" "$wanted" "$(cli incr hits)"
    check "$1: the bucket takes it" 1 "$(cli wait 1 10000)"
    stop TERM
}
start "$work/six" --s3-storage-class STANDARD
served "a storage class"
if [ -f "$work/ceph/rgw.pid" ]; then
    start "$work/six" --s3-endpoint "http://localhost:${S3_ENDPOINT##*:}" --s3-path-style no
    served "the bucket in the host's name"
    start "$work/six" --s3-endpoint "$S3_TLS_ENDPOINT" --s3-ca-file "$S3_CA_FILE"
    served "TLS"
    start "$work/six" --s3-endpoint "$S3_TLS_ENDPOINT" --s3-ca-file "$S3_CA_FILE" --s3-path-style no
    served "TLS, the bucket in the host's name"
    start "$work/six" --s3-endpoint "$S3_TLS_ENDPOINT"
    check "an authority that nobody named is not trusted" yes "$(grep -q 'cannot be probed: .*certificate' "$work/log" && echo yes)"
    start "$work/six" --s3-storage-class NONE_SUCH
    check "a storage class that the server does not have is named" yes "$(grep -q 'InvalidArgument (is s3-storage-class .NONE_SUCH. one that it has?)' "$work/log" && echo yes)"
    start "$work/six" --s3-sse AES256
    check "so is an encryption that it does not take" yes "$(grep -q 'InvalidRequest (does it take s3-sse .AES256. on this connection?)' "$work/log" && echo yes)"
fi

good=$place
place=s3://no-such-bucket-$$/x
start "$work/five"
check "a bucket that is not there is refused" yes "$(grep -q NoSuchBucket "$work/log" && echo yes)"
place=$good
AWS_SECRET_ACCESS_KEY=wrong start "$work/five"
check "a wrong key is refused" yes "$(grep -q SignatureDoesNotMatch "$work/log" && echo yes)"
place=s3://_/x
start "$work/five" --s3-endpoint nonsense
check "a bad endpoint is refused" yes "$(grep -q "s3-endpoint 'nonsense'" "$work/log" && echo yes)"

/usr/bin/python3 tests/integration/sharing.py --servers 4 --clients 8 \
    --seconds "${S3_SOAK_SECONDS:-20}" --store "s3://$S3_BUCKET/soak-$$-$RANDOM" \
    --endpoint "$S3_ENDPOINT" 2>&1 | tee "$work/soak"
read -r p _ f _ < <(grep -E '^[0-9]+ passed, [0-9]+ failed' "$work/soak" || echo "0 passed, 1 failed")
passed=$((passed + p)) failed=$((failed + f))

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
