#!/usr/bin/env bash
# Churns a rack for some minutes and checks what must not change: memory of the roles stays flat, and at the end every node's kernel is what it was at the beginning.
# Called by "build.sh soak MINUTES"; needs root and the published executable.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
weft="$root/artifacts/publish/weft"
minutes=${1:-5}

status() { "$weft" lab status -o json; }
at() { "$weft" lab exec "$1" -- /bin/sh -c "$2"; }
kernel() { # kernel NODE: what a node's kernel holds, without counters.
    at "$1" "iptables-save | grep -v '^#' | sed 's/\[[0-9]*:[0-9]*\]//'; ipset save | sort; ip route | sort; ip -br link | cut -d@ -f1 | sort"
}
resident() { # resident PATTERN: sum of resident KiB of the rack's processes of one role.
    local pid total=0 kib
    for pid in $(pgrep -f "$1"); do
        kib=$(awk '/VmRSS/ {print $2}' "/proc/$pid/status" 2>/dev/null || echo 0)
        total=$((total + kib))
    done
    echo "$total"
}
policy() {
    cat <<YAML
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: churn-$1, namespace: demo}
spec:
  selector: app == 'backend'
  types: [Ingress]
  ingress:
  - {action: Allow, protocol: TCP, source: {selector: "app == 'frontend'"}, destination: {ports: [$((1000 + $1))]}}
YAML
}

"$weft" lab down >/dev/null
"$weft" lab --keep --nodes 4 --pods 3 >/dev/null
trap '"$weft" lab down >/dev/null' EXIT
nodes=$(status | jq -r '.members[] | select(.kind == "node") | .name')
declare -A before
for node in $nodes; do before[$node]=$(kernel "$node"); done

round=0
end=$(($(date +%s) + minutes * 60))
first_agents='' first_routers=''
while [ "$(date +%s)" -lt $end ]; do
    round=$((round + 1))
    for i in 1 2 3 4 5; do policy $i | "$weft" lab exec store -- weft apply -f - >/dev/null; done
    for i in 1 2 3 4 5; do "$weft" lab exec store -- weft delete networkpolicy "churn-$i" -n demo >/dev/null; done
    at tor2 'ip link set rack down; sleep 1; ip link set rack up'
    if [ $round = 5 ]; then first_agents=$(resident 'weft agent --config'); first_routers=$(resident 'weft router --config'); fi
    printf 'round %d: agents %d KiB, routers %d KiB\n' $round "$(resident 'weft agent --config')" "$(resident 'weft router --config')"
done

failed=0
for attempt in $(seq 1 60); do
    failed=0
    for node in $nodes; do [ "$(kernel "$node")" = "${before[$node]}" ] || failed=1; done
    [ $failed = 1 ] || break
    sleep 1
done
[ $failed = 0 ] || { echo "soak: the kernel of a node is not what it was after $attempt s"; for node in $nodes; do diff <(echo "${before[$node]}") <(kernel "$node") || true; done; }
if [ -n "$first_agents" ]; then
    agents=$(resident 'weft agent --config') routers=$(resident 'weft router --config')
    echo "agents $first_agents -> $agents KiB, routers $first_routers -> $routers KiB after $round rounds"
    if [ "$agents" -gt $((first_agents * 13 / 10)) ] || [ "$routers" -gt $((first_routers * 13 / 10)) ]; then
        echo "soak: memory grew by more than 30 %"
        failed=1
    fi
fi
[ $failed = 0 ] && echo "soak: $round rounds, nothing drifted"
exit $failed
