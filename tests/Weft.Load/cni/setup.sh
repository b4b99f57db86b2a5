# setup.sh WORK WEFT_DIR: the node of the CNI benchmark: an address, a datastore, a pool.
work=$1 weft=$2/weft
ip addr add 192.0.2.10/32 dev lo
"$weft" store --listen 127.0.0.1:23790 --data "$work/store.db" >"$work/store.log" 2>&1 &
echo $! >"$work/store.pid"
for _ in $(seq 100); do
    "$weft" get ippools --endpoints http://127.0.0.1:23790 >/dev/null 2>&1 && break
    sleep 0.1
done
"$weft" apply -f - --endpoints http://127.0.0.1:23790 <<YAML
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pool}
spec: {cidr: 10.244.0.0/16, blockSize: 26, natOutgoing: false}
YAML
