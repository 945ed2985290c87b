#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A real S3 server for tests: Ceph's RADOS Gateway from Debian's packages, in memory, on loopback,
# as any user. It verifies signatures, and its conditional writes hold under races.
#
#   tests/support/ceph.sh start DIR   starts it, makes bucket `cairn`, and prints what `eval` takes:
#                                     S3_ENDPOINT AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY S3_BUCKET
#                                     S3_TLS_ENDPOINT S3_CA_FILE (the same server over TLS)
#   tests/support/ceph.sh stop DIR    stops the processes it started, and removes DIR
#
# With S3_ENDPOINT set (and the two keys, and S3_BUCKET: a bucket that is there), `start` prints
# these and starts nothing: so the same tests run against any other server. Missing packages are
# installed when that is possible.
set -eu

packages="radosgw ceph-mon ceph-osd"
fail() { echo "ceph.sh: $*" >&2; exit 1; }

install_packages() {
    local sudo='' missing=''
    for p in $packages; do
        dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=" $p"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || fail "needs the packages$missing, and there is no apt-get here"
    if [ "$(id -u)" != 0 ]; then
        sudo='sudo -n'
        $sudo true 2>/dev/null || fail "needs the packages$missing: install them, or allow sudo"
    fi
    { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing; } >"$dir/install.log" 2>&1 ||
        fail "cannot install$missing: $(tail -n 3 "$dir/install.log")"
}

# A port P such that nothing listens on P to P+3; below those that the kernel gives to connections.
free_port() {
    local p
    for _ in $(seq 50); do
        p=$((21000 + RANDOM % 11000))
        if ! { ss -Htln 2>/dev/null || true; } | grep -qE "[:.]($p|$((p + 1))|$((p + 2))|$((p + 3))) "; then
            echo "$p"
            return
        fi
    done
    fail "no free port"
}

write_config() {
    cat >"$dir/ceph.conf" <<END
[global]
fsid = $fsid
mon_host = [v2:127.0.0.1:$((port + 1)),v1:127.0.0.1:$((port + 2))]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
ms_bind_port_min = $((port + 10))
ms_bind_port_max = $((port + 300))
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
run_dir = $dir
admin_socket = $dir/\$name.\$pid.asok
log_file = $dir/\$name.log
crash_dir = $dir
keyring = $dir/keyring
mon_data = $dir/mon
osd_data = $dir/osd
rgw_data = $dir/rgw
mon_allow_pool_size_one = true
mon_data_avail_crit = 1
mon_data_avail_warn = 1
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_objectstore = memstore
memstore_device_bytes = 1073741824
osd_class_load_list = *
osd_class_default_list = *
paxos_propose_interval = 0.05
rgw_frontends = beast endpoint=127.0.0.1:$port ssl_endpoint=127.0.0.1:$((port + 3)) ssl_certificate=$dir/cert.pem ssl_private_key=$dir/key.pem tcp_nodelay=1
rgw_dns_name = localhost
END
}

# Signed by nobody but itself: who is given it as authority trusts it, and nobody else does. Every
# name below localhost is this host, so that the bucket can be in the host's name.
make_certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
        -addext "subjectAltName=DNS:localhost,DNS:$bucket.localhost,IP:127.0.0.1" \
        -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>"$dir/openssl.out" ||
        fail "openssl makes no certificate: $(tail -n 3 "$dir/openssl.out")"
}

# launch NAME COMMAND…: in the background, its process id kept for `stop`.
launch() {
    local name=$1
    shift
    setsid "$@" </dev/null >"$dir/$name.out" 2>&1 &
    echo $! >"$dir/$name.pid"
}

# wait_until SECONDS WHAT COMMAND…
wait_until() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $deadline ]; then
            tail -n 5 "$dir"/*.out "$dir"/*.log >&2 2>/dev/null || true
            fail "$what did not come up; see above"
        fi
        sleep 0.1
    done
}

osd_is_up() { timeout 5 ceph -c "$dir/ceph.conf" osd stat | grep -q '1 up'; }
gateway_answers() { curl -s -o "$dir/hello" "http://127.0.0.1:$port/"; }

start_daemons() {
    local conf="-c $dir/ceph.conf" osd
    mkdir -p "$dir"/{mon,osd,rgw}
    : >"$dir/keyring"
    monmaptool --create --fsid "$fsid" --addv a \
        "[v2:127.0.0.1:$((port + 1)),v1:127.0.0.1:$((port + 2))]" "$dir/monmap" >/dev/null
    ceph-mon $conf -i a --mkfs --monmap "$dir/monmap" --mon-data "$dir/mon" >"$dir/mkfs.out" 2>&1
    launch mon ceph-mon $conf -i a -f --mon-data "$dir/mon"
    osd=$(cat /proc/sys/kernel/random/uuid)
    wait_until 30 "the monitor" timeout 10 ceph $conf osd new "$osd" 0
    ceph-osd $conf -i 0 --mkfs --osd-uuid "$osd" --osd-data "$dir/osd" >>"$dir/mkfs.out" 2>&1
    launch osd ceph-osd $conf -i 0 -f --osd-data "$dir/osd"
    wait_until 30 "the OSD" osd_is_up
    launch rgw radosgw $conf -n client.rgw -f
    wait_until 60 "the gateway" gateway_answers
}

start() {
    if [ -n "${S3_ENDPOINT:-}" ]; then
        : "${AWS_ACCESS_KEY_ID:?S3_ENDPOINT is set: so must be the keys}" "${AWS_SECRET_ACCESS_KEY:?}"
        secret=$AWS_SECRET_ACCESS_KEY access=$AWS_ACCESS_KEY_ID bucket=${S3_BUCKET:-cairn}
        endpoint=$S3_ENDPOINT tls=${S3_TLS_ENDPOINT:-}
    else
        install_packages
        fsid=$(cat /proc/sys/kernel/random/uuid)
        port=$(free_port)
        access=AKIACAIRNTEST0000001 bucket=cairn
        secret=$(head -c 24 /dev/urandom | base64)
        endpoint=http://127.0.0.1:$port
        tls=https://localhost:$((port + 3))
        write_config
        make_certificate
        start_daemons
        timeout 60 radosgw-admin -c "$dir/ceph.conf" -n client.rgw user create --uid=cairn \
            --display-name=cairn --access-key="$access" --secret-key="$secret" >"$dir/user.out" 2>&1 ||
            fail "no user: $(tail -n 3 "$dir/user.out")"
        curl -s -f -X PUT --aws-sigv4 aws:amz:us-east-1:s3 --user "$access:$secret" \
            -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" "$endpoint/$bucket" >/dev/null ||
            fail "cannot make the bucket"
    fi
    printf 'export S3_ENDPOINT=%q AWS_ACCESS_KEY_ID=%q AWS_SECRET_ACCESS_KEY=%q S3_BUCKET=%q\n' \
        "$endpoint" "$access" "$secret" "$bucket"
    printf 'export S3_TLS_ENDPOINT=%q S3_CA_FILE=%q\n' "$tls" "${S3_CA_FILE:-$dir/cert.pem}"
}

stop() {
    local name pid
    for name in rgw osd mon; do
        [ -f "$dir/$name.pid" ] || continue
        pid=$(cat "$dir/$name.pid")
        kill -9 "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do
            sleep 0.05
        done
    done
    [ ! -f "$dir/ceph.conf" ] && [ ! -f "$dir/install.log" ] || rm -rf "$dir"
}

[ $# -eq 2 ] || fail "usage: ceph.sh start|stop DIR"
mkdir -p "$2"
dir=$(cd "$2" && pwd)
case $1 in
start) trap '[ $? -eq 0 ] || stop' EXIT; start ;;
stop) stop ;;
*) fail "usage: ceph.sh start|stop DIR" ;;
esac
