#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A round of every command family and of every mode of redis-cli: redis_cli.sh PORT [cairn]
# Then redis-benchmark with all its tests whose commands are there, and a look at what they left.
set -uo pipefail

port=$1
kind=${2:-}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failures=0

cli() { timeout 30 redis-cli -p "$port" -n 3 "$@"; }

# equal NAME WANTED GOT
equal() {
    if [ "$2" = "$3" ]; then
        echo "ok redis-cli: $1"
    else
        echo "not ok redis-cli: $1: wanted '$2', got '$(head -c 400 <<< "$3")'"
        failures=$((failures + 1))
    fi
}

# same COMMAND... = WANTED: runs one command and compares what redis-cli prints
same() {
    local args=()
    while [ "$1" != = ]; do args+=("$1"); shift; done
    equal "${args[*]}" "$2" "$(cli "${args[@]}" 2>&1)"
}

matches() {    # NAME PATTERN GOT
    if grep -qE "$2" <<< "$3"; then equal "$1" yes yes; else equal "$1" "/$2/" "$3"; fi
}

try_families() {
    same PING = PONG
    same SET s hello EX 100 = OK
    same GET s = hello
    same TTL s = 100
    same INCRBY n 41 = 41
    same INCRBYFLOAT n 1.5 = 42.5
    same APPEND s ' world' = 11
    same GETRANGE s 0 4 = hello
    same MGET s none n = $'hello world\n\n42.5'
    same HSET h one 1 two 2 = 2
    same HGETALL h = $'one\n1\ntwo\n2'
    same HINCRBY h one 9 = 10
    same RPUSH l a b c = 3
    same LRANGE l 0 -1 = $'a\nb\nc'
    same LMOVE l l2 RIGHT LEFT = c
    same SADD set 3 1 2 = 3
    same SMEMBERS set = $'1\n2\n3'
    same SISMEMBER set 2 = 1
    same TYPE set = set
    same RENAME l2 l3 = OK
    same DEL l3 none = 1
    same GET l = 'WRONGTYPE Operation against a key holding the wrong kind of value'
    same NOSUCH = "ERR unknown command 'NOSUCH', with args beginning with: "
    same OBJECT ENCODING set = intset
    same FLUSHDB = OK
}

try_formats() {
    cli RPUSH l a 'b "c"' $'d\xff' > /dev/null
    equal --no-raw $'1) "a"\n2) "b \\"c\\""\n3) "d\\xff"' "$(cli --no-raw LRANGE l 0 -1)"
    equal '--no-raw of a number and of nothing' $'(integer) 3\n(nil)' "$(cli --no-raw LLEN l; cli --no-raw GET none)"
    equal '--no-raw of an error' '(error) ERR value is not an integer or out of range' "$(cli --no-raw SET k v EX x)"
    equal '--csv' '"a","b \"c\"","d\xff"' "$(cli --csv LRANGE l 0 -1)"
    equal '-x' $'OK\nfrom standard input' "$(printf 'from standard input' | cli -x SET in; cli GET in)"
    cli HSET h f v > /dev/null
    equal 'RESP3 with -3' $'1# "f" => "v"' "$(cli -3 --no-raw HGETALL h)"
    cli SADD set m > /dev/null
    equal 'a RESP3 set with -3' $'1~ "m"' "$(cli -3 --no-raw SMEMBERS set)"
    equal 'commands from standard input' $'OK\n2\nOK\nQUEUED\nQUEUED\n3\n3' \
        "$(printf 'SET n 1\nINCR n\nMULTI\nINCR n\nGET n\nEXEC\n' | cli)"
    equal '-r and -i' $'1\n2\n3' "$(cli -r 3 -i 0.01 INCR repeated)"
    equal 'exit status of an error with -e' 1 "$(cli -e NOSUCH > /dev/null 2>&1; echo $?)"
    matches 'the greeting of INFO' '^redis_version:' "$(cli INFO)"
    matches 'memory at the start' '^used_memory_startup:[1-9]' "$(cli INFO memory)"
    matches 'CLIENT LIST' '^id=[0-9]+ addr=.* name= .* db=3 .* cmd=client' "$(cli CLIENT LIST)"
    matches 'COMMAND DOCS' 'summary' "$(cli COMMAND DOCS get)"
}

try_modes() {
    cli FLUSHDB > /dev/null
    python3 - > "$tmp/pipe" <<'PYTHON'
import sys
def command(*args):
    out = b"*%d\r\n" % len(args)
    for arg in args:
        arg = str(arg).encode()
        out += b"$%d\r\n%s\r\n" % (len(arg), arg)
    return out
for i in range(20000):
    sys.stdout.buffer.write(command("SET", f"key:{i}", "x" * (i % 50)))
sys.stdout.buffer.write(command("RPUSH", "biglist", *range(500)))
sys.stdout.buffer.write(command("SADD", "bigset", *range(400)))
sys.stdout.buffer.write(command("HSET", "bighash", *range(600)))
sys.stdout.buffer.write(command("LPUSH", "bighash", "an error"))
PYTHON
    matches '--pipe' 'errors: 1, replies: 20004' "$(cli --pipe < "$tmp/pipe" 2>&1)"
    equal 'keys after --pipe' 20003 "$(cli DBSIZE)"
    equal '--scan' 20003 "$(cli --scan | sort -u | wc -l)"
    equal '--scan --pattern' 10 "$(cli --scan --pattern 'key:199[0-9]' | wc -l)"
    cli --bigkeys > "$tmp/bigkeys" 2>&1
    matches '--bigkeys: keys' 'Sampled 20003 keys' "$(cat "$tmp/bigkeys")"
    matches '--bigkeys: list' 'Biggest +list found .*biglist.* has 500 items' "$(cat "$tmp/bigkeys")"
    matches '--bigkeys: set' 'Biggest +set found .*bigset.* has 400 members' "$(cat "$tmp/bigkeys")"
    matches '--bigkeys: hash' 'Biggest +hash found .*bighash.* has 300 fields' "$(cat "$tmp/bigkeys")"
    matches '--memkeys' 'Sampled 20003 keys' "$(cli --memkeys 2>&1)"
    timeout 2 stdbuf -oL redis-cli -p "$port" --stat -i 0.2 > "$tmp/stat" 2>&1
    equal '--stat: ticks that show the keys' yes "$([ "$(grep -c '^20003 ' "$tmp/stat")" -ge 5 ] && echo yes || cat "$tmp/stat")"
    matches --latency '^[0-9]+ [0-9]+ [0-9.]+ [0-9]+$' "$(timeout -s INT 2 redis-cli -p "$port" --latency --raw 2>&1 | tail -1)"
    cli MONITOR > "$tmp/monitor" 2>&1 &
    local monitor=$!
    for _ in $(seq 50); do grep -q OK "$tmp/monitor" && break; sleep 0.1; done
    cli SET watched 'it "is"' > /dev/null
    for _ in $(seq 50); do grep -q watched "$tmp/monitor" && break; sleep 0.1; done
    kill $monitor && wait $monitor 2> /dev/null
    matches MONITOR '^[0-9]+\.[0-9]+ \[3 127.0.0.1:[0-9]+\] "SET" "watched" "it \\"is\\""' "$(cat "$tmp/monitor")"
}

try_waiting() {
    timeout 30 redis-cli -p "$port" --csv PSUBSCRIBE 'ne*' > "$tmp/messages" &
    local subscriber=$!
    for _ in $(seq 50); do grep -q subscribe "$tmp/messages" && break; sleep 0.1; done
    equal 'PUBLISH' 1 "$(cli PUBLISH news hello)"
    for _ in $(seq 50); do grep -q hello "$tmp/messages" && break; sleep 0.1; done
    kill $subscriber && wait $subscriber 2> /dev/null
    matches 'what PSUBSCRIBE brings' '"pmessage","ne\*","news","hello"' "$(cat "$tmp/messages")"
    cli BLPOP queue 10 > "$tmp/popped" &
    local waiter=$!
    for _ in $(seq 50); do cli CLIENT LIST | grep -q 'cmd=blpop' && break; sleep 0.1; done
    cli RPUSH queue job > /dev/null
    wait $waiter
    equal 'BLPOP over two connections' $'queue\njob' "$(cat "$tmp/popped")"
}

try_cairn() {
    equal 'SELECT by name' $'OK\nOK\nhere' "$(printf 'SELECT cli-fleet\nSET where here\nGET where\n' | cli)"
    equal 'another namespace' '' "$(cli GET where)"
    matches 'CAIRN SYNC and POSITION' $'^[0-9]+$' "$(printf 'SELECT cli-fleet\nCAIRN SYNC\nCAIRN POSITION\n' | cli | tail -1)"
    matches 'CAIRN NAMESPACES' 'cli-fleet' "$(cli CAIRN NAMESPACES)"
    matches 'CAIRN HELP' 'SYNC' "$(cli CAIRN HELP)"
    equal 'MULBY and DIVBY' $'6\n42\n21' "$(printf 'INCRBY mul 6\nMULBY mul 7\nDIVBY mul 2\n' | cli)"
    printf 'SELECT cli-fleet\nFLUSHDB\n' | cli > /dev/null
}

# benchmark NAME ARGS...: a run must not print an error and must show a rate for every test
benchmark() {
    local name=$1 tests=$2
    shift 2
    timeout 900 redis-benchmark -p "$port" --csv -n 5000 -t "$tests" "$@" > "$tmp/benchmark" 2>&1
    equal "redis-benchmark $name: status" 0 $?
    equal "redis-benchmark $name: errors" '' "$(grep -iE 'error' "$tmp/benchmark")"
    equal "redis-benchmark $name: a rate for each test" "$(tr , '\n' <<< "$tests" | wc -l)" \
        "$(grep -v '^"test"' "$tmp/benchmark" | cut -d, -f1 | sed 's/ .*//; s/_.*//; s/"//g' | sort -u | grep -c .)"
}

try_benchmark() {
    local all=ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,lrange,mset
    timeout 30 redis-cli -p "$port" FLUSHALL > /dev/null
    benchmark incr incr
    equal 'INCR of redis-benchmark' 5000 "$(timeout 30 redis-cli -p "$port" GET counter:__rand_int__)"
    benchmark rpush rpush
    equal 'RPUSH of redis-benchmark' 5000 "$(timeout 30 redis-cli -p "$port" LLEN mylist)"
    benchmark 'all tests' $all
    benchmark 'all tests, pipelined, random keys' $all -P 50 -r 10000 -c 20
    benchmark 'all tests, RESP3, two threads' $all -3 --threads 2 -d 512
    timeout 30 redis-cli -p "$port" FLUSHALL > /dev/null
}

[ "$(cli FLUSHDB)" = OK ] || { echo "not ok redis-cli: no server on port $port"; exit 1; }
try_families
try_formats
try_modes
try_waiting
[ "$kind" = cairn ] && try_cairn
cli FLUSHDB > /dev/null
try_benchmark
[ $failures = 0 ]
