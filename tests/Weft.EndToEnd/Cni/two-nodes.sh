# Sourced: two nodes of weft, a (this namespace) and b, on one wire, with a store, agents and routers; a network "podnet" and a policy that opens port 8080 only.
# Sets: store, node_b; on NODE COMMAND...; stop_nodes. Needs: weft, work, eventually.
store=http://192.0.2.1:23790
node_b=weft-$$-b
daemons=()
on() { local node=$1; shift; if [ "$node" = a ]; then "$@"; else nsenter --net="/run/netns/$node_b" "$@"; fi; } # not "ip netns exec": the mounts of a runtime must be seen by its agent
stop_nodes() {
    for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait "${daemons[@]}" 2>/dev/null || true
    ip netns delete "$node_b" 2>/dev/null || true
}
trap stop_nodes EXIT
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock /var/lib/cni
mount -t tmpfs tmpfs /var/lib/cni
# Where only an empty version 2 is mounted, the controllers are in hierarchies of version 1.
if [ -e /sys/fs/cgroup/cgroup.controllers ] && ! grep -q pids /sys/fs/cgroup/cgroup.controllers; then
    mount -t tmpfs tmpfs /sys/fs/cgroup
    awk '!/^#/ && $2 { h[$2] = h[$2] (h[$2] ? "," : "") $1 } END { for (i in h) print h[i] }' /proc/cgroups | while read -r controllers; do
        mkdir -p "/sys/fs/cgroup/$controllers"
        mount -t cgroup -o "$controllers" cgroup "/sys/fs/cgroup/$controllers"
    done
fi
ip link set lo up
ip netns add "$node_b"
ip link add wire0 type veth peer name wire0 netns "$node_b"
ip address add 192.0.2.1/24 dev wire0
ip link set wire0 up
on b ip address add 192.0.2.2/24 dev wire0
on b ip link set lo up
on b ip link set wire0 up

"$weft" store --listen 192.0.2.1:23790 --data "$work/store.db" >"$work/store.log" 2>&1 &
daemons+=($!)
eventually "$weft" get ippools --endpoints $store
"$weft" apply -f - --endpoints $store <<'YAML' >/dev/null
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pool}
spec: {cidr: 10.244.0.0/16, blockSize: 26, natOutgoing: false}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: web}
spec:
  selector: has(projectcalico.org/orchestrator)
  types: [Ingress, Egress]
  ingress: [{action: Allow, protocol: TCP, destination: {ports: [8080]}}]
  egress: [{action: Allow}]
YAML
mkdir -p "$work/bin"
"$weft" cni install --bin-dir "$work/bin" --conf-dir "$work/conf" --network podnet >/dev/null
for node in a b; do
    mkdir -p "$work/$node/run"
    address=192.0.2.1
    [ $node = a ] || address=192.0.2.2
    cat >"$work/$node/weft.conf" <<CONF
[datastore]
endpoints = $store
[node]
name = $node
ipv4-address = $address/24
[agent]
run-dir = $work/$node/run
[router]
run-dir = $work/$node/run
CONF
    cat >"$work/$node/conflist" <<CONF
{"cniVersion": "1.0.0", "name": "podnet", "plugins": [
  {"type": "weft", "agent_socket": "$work/$node/run/agent.sock", "nodename": "", "ipam": {"type": "weft-ipam"}, "capabilities": {"ips": true, "mac": true}},
  {"type": "tuning", "sysctl": {"net.core.somaxconn": "512"}},
  {"type": "bandwidth", "capabilities": {"bandwidth": true}},
  {"type": "portmap", "snat": true, "capabilities": {"portMappings": true}}]}
CONF
    on $node "$weft" agent --config "$work/$node/weft.conf" >"$work/$node/agent.log" 2>&1 &
    daemons+=($!)
    on $node "$weft" router --config "$work/$node/weft.conf" >"$work/$node/router.log" 2>&1 &
    daemons+=($!)
    eventually sh -c "echo '{\"cniVersion\":\"1.1.0\",\"name\":\"podnet\",\"type\":\"weft\",\"agent_socket\":\"$work/$node/run/agent.sock\"}' | CNI_COMMAND=STATUS $weft"
done
