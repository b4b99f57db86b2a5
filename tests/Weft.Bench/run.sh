#!/usr/bin/env bash
# The benchmarks, each against an incumbent in the same run, since only ratios can be compared between machines.
# Prints Markdown for RESULTS.md. Called by "build.sh bench"; needs root and the published executable.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
weft="$root/artifacts/publish/weft"
rounds=${1:-60}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# median_ms COMMAND...: the median wall time of whole processes, in milliseconds.
median_ms() {
    local i start end
    for ((i = 0; i < rounds; i++)); do
        start=${EPOCHREALTIME/./}
        "$@" >/dev/null 2>&1 <"$work/stdin" || true
        end=${EPOCHREALTIME/./}
        echo $((end - start))
    done | sort -n | awk '{ v[NR] = $1 } END { printf "%.1f", v[int((NR + 1) / 2)] / 1000 }'
}

peak_kib() { /usr/bin/time -f %M "$@" 2>&1 >/dev/null <"$work/stdin" | tail -1; }

echo '{"cniVersion":"1.0.0","name":"bench","type":"weft"}' >"$work/stdin"
echo "## Start-up of the executable ($rounds runs each, medians)"
echo
echo "| process | wall ms | peak RSS KiB |"
echo "|---|---|---|"
for row in "/bin/true" "$weft version" "CNI_COMMAND=VERSION $weft" "CNI_COMMAND=VERSION /usr/lib/cni/ptp" "etcdctl version"; do
    read -ra words <<<"$row"
    if [[ ${words[0]} == CNI_COMMAND=* ]]; then words=(env "${words[@]}"); fi
    program=${words[-1]}
    [ "${words[0]}" = env ] || program=${words[0]}
    command -v "$program" >/dev/null || { echo "| $row | not installed | |"; continue; }
    label=${row/$weft/weft}
    echo "| \`$label\` | $(median_ms "${words[@]}") | $(peak_kib "${words[@]}") |"
done
echo
echo "size of the executable: $(stat -c %s "$weft") bytes"


# perf ENDPOINT: etcdctl's own small load (50 clients, 150 writes/s offered for 60 s) and what it says of it.
perf() {
    ETCDCTL_API=3 etcdctl --endpoints "$1" check perf --load=s >"$work/perf" 2>&1 || true
    grep -oE 'Throughput (is|too low:) [0-9]+ writes/s|Slowest request took( too long:)? [0-9.]+s|Stddev is [0-9.]+s' "$work/perf" | paste -sd ';' -
}

echo
echo "## Datastore: etcdctl check perf --load=s"
echo
echo "| server | result |"
echo "|---|---|"
"$weft" store --listen 127.0.0.1:23791 --data "$work/weft.db" >"$work/store.log" 2>&1 &
store=$!
etcd --data-dir "$work/etcd" --listen-client-urls http://127.0.0.1:23792 --advertise-client-urls http://127.0.0.1:23792 \
    --listen-peer-urls http://127.0.0.1:23793 --initial-advertise-peer-urls http://127.0.0.1:23793 --initial-cluster default=http://127.0.0.1:23793 >"$work/etcd.log" 2>&1 &
etcd=$!
trap 'kill $store $etcd 2>/dev/null || true; rm -rf "$work"' EXIT
sleep 2
echo "| weft store | $(perf http://127.0.0.1:23791), RSS $(awk '/VmRSS/ {print $2}' /proc/$store/status) KiB |"
echo "| etcd | $(perf http://127.0.0.1:23792), RSS $(awk '/VmRSS/ {print $2}' /proc/$etcd/status) KiB |"
