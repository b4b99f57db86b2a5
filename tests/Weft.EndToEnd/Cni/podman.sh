#!/usr/bin/env bash
# podman.sh WEFT WORK: containers of podman (its CNI backend) on a network of weft, on two nodes: connectivity both ways, policy, a published port, teardown.
# Runs in network and mount namespaces of its own (unshare -n -m). Prints one line for each thing that holds, "ok ..." or "FAIL ..."; exit code 0 when all do.
set -euo pipefail
weft=$1 work=$2 here=$(cd "$(dirname "$0")" && pwd)
bad=0
check() { if [ "$2" = "$3" ]; then echo "ok   $1"; else echo "FAIL $1: \"$3\" instead of \"$2\""; bad=1; fi; }
eventually() { for _ in $(seq 100); do if "$@" >/dev/null 2>&1; then return 0; fi; sleep 0.1; done; echo "FAIL never: $*"; exit 1; }

. "$here/two-nodes.sh"

mkdir -p "$work/rootfs/bin" "$work/rootfs/etc" "$work/rootfs/proc" "$work/rootfs/sys" "$work/rootfs/dev" "$work/rootfs/tmp"
cp "$(command -v busybox)" "$work/rootfs/bin/busybox"
for applet in sh httpd wget mkdir echo sleep timeout cat; do ln -s busybox "$work/rootfs/bin/$applet"; done
tar -C "$work/rootfs" -cf "$work/image.tar" .

# limits: as many as this process may have; a machine without CAP_SYS_RESOURCE cannot give more.
limits="--ulimit nofile=$(ulimit -Hn):$(ulimit -Hn) --ulimit nproc=4096:4096"

# podman_on NODE ARGS...: each node has storage and networks of its own.
podman_on() {
    local node=$1
    shift
    on "$node" env CONTAINERS_CONF="$work/$node/containers.conf" podman --root "$work/$node/storage" --runroot "$work/$node/run" --tmpdir "$work/$node/tmp" --storage-driver vfs "$@"
}

for node in a b; do
    mkdir -p "$work/$node/net.d"
    sed "s/\"nodename\": \"\"/\"nodename\": \"$node\"/" "$work/$node/conflist" >"$work/$node/net.d/10-weft.conflist"
    cat >"$work/$node/containers.conf" <<CONF
[network]
network_backend = "cni"
cni_plugin_dirs = ["$work/bin", "/usr/lib/cni"]
network_config_dir = "$work/$node/net.d"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
CONF
    podman_on $node import --change 'ENV PATH=/bin' "$work/image.tar" localhost/bb:1 >/dev/null 2>&1
done
trap 'podman_on a rm -fa -t 0 >/dev/null 2>&1 || true; podman_on b rm -fa -t 0 >/dev/null 2>&1 || true; stop_nodes' EXIT

serve='mkdir -p /w; echo hello > /w/index.html; httpd -p 8081 -h /w; exec httpd -f -p 8080 -h /w'
podman_on a run -d $limits --network podnet --name server -p 18080:8080 localhost/bb:1 sh -c "$serve" >/dev/null
podman_on b run -d $limits --network podnet --name client localhost/bb:1 sleep 1000 >/dev/null
server=$(podman_on a inspect server --format '{{(index .NetworkSettings.Networks "podnet").IPAddress}}')
echo "     server $server on node a"

# from NODE CONTAINER URL: asks in the container's network namespace ("podman exec" needs more of the machine's control groups than some test environments have).
from() { nsenter --net="$(podman_on "$1" inspect "$2" --format '{{.NetworkSettings.SandboxKey}}')" timeout 3 busybox wget -qO- "$3" 2>/dev/null || echo none; }
ask() { from b client "$1"; }
answers() { test "$(ask "$1")" = hello; }
eventually sh -c "ip netns exec $node_b ip route get $server | grep -q 192.0.2.1"
eventually answers "http://$server:8080/"
check "pod on node b to pod on node a" hello "$(ask "http://$server:8080/")"
check "policy closes the other port" none "$(ask "http://$server:8081/")"
check "published port from another node" hello "$(ip netns exec $node_b timeout 3 busybox wget -qO- http://192.0.2.1:18080/ || echo none)"
check "published port from a pod on another node" hello "$(ask http://192.0.2.1:18080/)"
check "hairpin: the pod by its own published port" hello "$(from a server http://192.0.2.1:18080/)"
podman_on a rm -f -t 0 server >/dev/null
podman_on b rm -f -t 0 client >/dev/null
eventually sh -c "! ip -o link | grep -q cali"
check "no interface is left" 0 "$(ip -o link | grep -c cali || true)"
check "no address is left" 0 "$(ETCDCTL_API=3 etcdctl --endpoints "$store" get --prefix --keys-only /calico/ipam/v2/handle/podnet. | grep -c . || true)"
exit $bad
