#!/usr/bin/env bash
# containerd.sh WEFT WORK: pods of containerd's CRI on a network of weft, as under a kubelet, on two nodes: connectivity, policy, a host port, teardown.
# Runs in network and mount namespaces of its own (unshare -n -m). Prints one line for each thing that holds, "ok ..." or "FAIL ..."; exit code 0 when all do.
set -euo pipefail
weft=$1 work=$2 here=$(cd "$(dirname "$0")" && pwd)
bad=0
check() { if [ "$2" = "$3" ]; then echo "ok   $1"; else echo "FAIL $1: \"$3\" instead of \"$2\""; bad=1; fi; }
eventually() { for _ in $(seq 100); do if "$@" >/dev/null 2>&1; then return 0; fi; sleep 0.1; done; echo "FAIL never: $*"; exit 1; }

. "$here/two-nodes.sh"

# An image by hand: a layer, its configuration, a manifest.
mkdir -p "$work/rootfs/bin" "$work/rootfs/etc" "$work/rootfs/proc" "$work/rootfs/sys" "$work/rootfs/dev" "$work/rootfs/tmp"
cp "$(command -v busybox)" "$work/rootfs/bin/busybox"
for applet in sh httpd wget mkdir echo sleep timeout cat; do ln -s busybox "$work/rootfs/bin/$applet"; done
tar -C "$work/rootfs" --owner=0 --group=0 -cf "$work/layer.tar" .
layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
cat >"$work/config.json" <<JSON
{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"],"Cmd":["sleep","100000"]},"rootfs":{"type":"layers","diff_ids":["sha256:$layer"]},"history":[{"created_by":"test"}]}
JSON
echo '[{"Config":"config.json","RepoTags":["localhost/bb:1"],"Layers":["layer.tar"]}]' >"$work/manifest.json"
tar -C "$work" -cf "$work/image.tar" manifest.json config.json layer.tar
mkdir -p "$work/plugins"
cp /usr/lib/cni/* "$work/plugins/"
cp "$work/bin/weft" "$work/bin/weft-ipam" "$work/plugins/"

for node in a b; do
    mkdir -p "$work/$node/net.d"
    sed "s/\"nodename\": \"\"/\"nodename\": \"$node\"/" "$work/$node/conflist" >"$work/$node/net.d/10-weft.conflist"
    cat >"$work/$node/containerd.toml" <<CONF
version = 2
root = "$work/$node/root"
state = "$work/$node/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
address = "$work/$node/cri.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "$work/$node/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/bb:1"
restrict_oom_score_adj = true
disable_tcp_service = true
stream_server_address = "127.0.0.1"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "$work/plugins"
conf_dir = "$work/$node/net.d"
CONF
    on $node containerd --config "$work/$node/containerd.toml" >"$work/$node/containerd.log" 2>&1 &
    daemons+=($!)
    eventually ctr -a "$work/$node/cri.sock" version
    ctr -a "$work/$node/cri.sock" -n k8s.io images import --snapshotter native "$work/image.tar" >/dev/null
done

# The caller drives CRI from here: it reads what it needs and answers when it is done.
echo "ready $node_b"
read -r server client
eventually sh -c "ip netns exec $node_b ip route get $server | grep -q 192.0.2.1"
for space in /run/netns/cni-*; do
    if nsenter --net="$space" ip -o address | grep -q " $client/"; then client_space=$space; fi
done
ask() { nsenter --net="$client_space" timeout 3 busybox wget -qO- "$1" 2>/dev/null || echo none; }
answers() { test "$(ask "$1")" = hello; }
eventually answers "http://$server:8080/"
check "pod on node b to pod on node a" hello "$(ask "http://$server:8080/")"
check "policy closes the other port" none "$(ask "http://$server:8081/")"
check "host port from another node" hello "$(ip netns exec $node_b timeout 3 busybox wget -qO- http://192.0.2.1:18081/ || echo none)"
check "closed port from another node" none "$(ip netns exec $node_b timeout 3 busybox wget -qO- http://$server:8081/ 2>/dev/null || echo none)"
echo "checked $bad"
read -r _
eventually sh -c "! ip -o link | grep -q cali"
check "no interface is left" 0 "$(ip -o link | grep -c cali || true)"
check "no address is left" 0 "$(ETCDCTL_API=3 etcdctl --endpoints "$store" get --prefix --keys-only /calico/ipam/v2/handle/podnet. | grep -c . || true)"
echo "done $bad"
exit $bad
