#!/usr/bin/env bash
# The verbs of this repository. Each does all of its own set-up on a fresh Debian 12 with the .NET SDK; "build.sh help" lists them.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
publish_dir="$root/artifacts/publish"
executable="$publish_dir/weft"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_UI_LANGUAGE=en
export MSBUILDDISABLENODEREUSE=1
export WEFT_EXECUTABLE="$executable"

say() { printf '%s\n' "$*" >&2; }

die() {
    say "build.sh: $*"
    exit 1
}

usage() {
    cat <<'TEXT'
usage: ./build.sh VERB [arguments]

  lab [ARGS]     publish, then run a virtual rack on this machine ("weft lab ARGS"); needs root
  test           install what the tests need, publish, run every test; needs root; last line "N passed, N failed"
  interop        only the tests beside other BGP daemons (BIRD 2 and 3, FRR, GoBGP) and hostile peers; needs root
  build          compile the solution (JIT)
  publish        make the executable artifacts/publish/weft (Native AOT, trimmed, no warnings)
  pack           artifacts/pack: .deb, .rpm and tarball for amd64 and arm64, bill of materials, checksums; checked by lintian, rpmlint and qemu; needs root
  repro          build and pack twice from scratch and compare the bytes; needs root
  bench          run the benchmarks of tests/Weft.Bench against the incumbents; needs root
  soak [MIN]     12 simulated hours of churn through a RIB, 100000 allocations (WEFT_IPAM_SOAK) by processes that are killed,
                 then churn the rack for MIN minutes (default 5): leaks, drift; needs root
  fuzz [SECS]    random and mutated input for every decoder for SECS seconds (default 300); crash inputs go to tests/vectors/bgp/crashes
  clean          remove artifacts and build output
  help           this text
TEXT
}

need_root() {
    [ "$(id -u)" = 0 ] || die "$1 needs root (network namespaces, netlink, iptables): sudo ./build.sh $1"
}

# install PACKAGE...: installs the Debian packages that are missing, all at once.
install() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || die "missing packages: ${missing[*]} (run as root to have them installed)"
    say "installing: ${missing[*]}"
    # A service must not start by being installed: the tests start their own, on addresses of their own.
    local policy=/usr/sbin/policy-rc.d made_policy=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made_policy=1
    fi
    local status=0
    {
        apt-get install -y -qq --no-install-recommends "${missing[@]}" ||
            { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; }
    } </dev/null >"${TMPDIR:-/tmp}/weft-apt.log" 2>&1 || status=$?
    [ -z "$made_policy" ] || rm -f "$policy"
    [ $status = 0 ] || { tail -20 "${TMPDIR:-/tmp}/weft-apt.log" >&2; die "apt-get install failed"; }
}

setup_toolchain() {
    command -v dotnet >/dev/null || die "the .NET 10 SDK is missing (dotnet is not on the PATH)"
    install clang lld zlib1g-dev
}

setup_runtime() { install iproute2 iptables nftables kmod; }

setup_tests() {
    install etcd-server etcd-client bird2 tshark ipset openssl procps iputils-ping conntrack gcc libc6-dev systemd
    install podman containerd runc containernetworking-plugins busybox-static # the CNI plugin under real runtimes, in chains with Debian's plugins
    setup_pack
    install debootstrap systemd-container # a real systemd, for tests/Weft.Appliance
    install zsh fish mandoc # completion and manual pages, read by what they are for
    setup_peers
}

# What packaging/pack.sh needs.
setup_pack() { install rpm jq binutils; }

# Debian's own BGP daemons, and BIRD 3 of the next suite unpacked beside the machine (its tests say why when that was not possible).
setup_peers() {
    install bird2 frr gobgpd tshark
    bash "$root/tests/Weft.Interop/fetch-peers.sh" "$root/artifacts/peers"
}

cmd_build() {
    dotnet build "$root/Appliance.sln" -c Release -v quiet --nologo "$@"
}

cmd_publish() {
    setup_toolchain
    local log="$root/artifacts/publish.log" staging="$root/artifacts/staging"
    mkdir -p "$root/artifacts"
    rm -rf "$staging"
    if ! dotnet publish "$root/src/Weft/Weft.csproj" -c Release -v minimal --nologo -o "$staging" >"$log" 2>&1; then
        grep -E 'error|warning' "$log" | sort -u | head -40 >&2
        die "publish failed; the whole log is $log"
    fi
    if grep -E 'warning (IL|NETSDK|CS|CA|NU)[0-9]+' "$log" >&2; then
        die "publish must have no warnings"
    fi
    mkdir -p "$publish_dir"
    # One file: what the linker and the SDK leave beside it is for developers. Renamed into place, since a running copy may be in use.
    cp "$staging/weft" "$executable.new"
    mv -f "$executable.new" "$executable"
    if [ -f "$staging/weft.dbg" ]; then mv -f "$staging/weft.dbg" "$root/artifacts/weft.dbg"; fi
    rm -rf "$staging"
    say "published $executable ($(stat -c %s "$executable") bytes)"
}

# The version of the packages: the tag, with the commits since then, and without a tag 0.1.0~git, which sorts below 0.1.0.
version() {
    local described count commit
    if described=$(git -C "$root" describe --tags --match 'v[0-9]*' --long --abbrev=8 2>/dev/null); then
        commit=${described##*-g} described=${described%-g*}
        count=${described##*-} described=${described%-*}
        described=${described#v}
        [ "$count" = 0 ] && echo "$described" || echo "$described+git$count.$commit"
    elif count=$(git -C "$root" rev-list --count HEAD 2>/dev/null); then
        echo "0.1.0~git$count.$(git -C "$root" rev-parse --short=8 HEAD)"
    else
        echo '0.1.0~git'
    fi
}

# publish_for RID DIRECTORY: the executable of another architecture (or anew, elsewhere), without warnings.
publish_for() {
    local log="$root/artifacts/publish-$1.log"
    dotnet publish "$root/src/Weft/Weft.csproj" -c Release -r "$1" -v minimal --nologo -o "$2" >"$log" 2>&1 || { tail -20 "$log" >&2; die "publish for $1 failed; the whole log is $log"; }
    ! grep -E 'warning (IL|NETSDK|CS|CA|NU)[0-9]+' "$log" >&2 || die "publish must have no warnings"
    cp "$root/src/Weft/obj/project.assets.json" "$2.assets.json"
}

cmd_pack() {
    need_root pack
    setup_toolchain
    setup_pack
    install lintian rpmlint gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
    local out="$root/artifacts/pack" build="$root/artifacts/build" rid
    rm -rf "$out" "$build"
    mkdir -p "$out" "$build"
    for rid in linux-x64 linux-arm64; do publish_for $rid "$build/$rid"; done
    run_arm64 "$build/linux-arm64/weft"
    bash "$root/packaging/pack.sh" "$out" "$WEFT_VERSION" amd64 "$build/linux-x64/weft" "$build/linux-x64/weft" "$build/linux-x64.assets.json"
    bash "$root/packaging/pack.sh" "$out" "$WEFT_VERSION" arm64 "$build/linux-arm64/weft" "$build/linux-x64/weft" "$build/linux-arm64.assets.json"
    (cd "$out" && sha256sum -- weft* >SHA256SUMS)
    lintian --allow-root --fail-on error "$out"/*.deb >&2 || die "lintian has found errors"
    rpmlint --config "$root/packaging/rpm/rpmlint.toml" "$out"/*.rpm >&2 || die "rpmlint has found errors"
    ls -l "$out" >&2
}

# The arm64 executable under emulation: it starts, and answers as a CNI plugin.
run_arm64() {
    local arm64=(qemu-aarch64-static -L /usr/aarch64-linux-gnu "$1")
    "${arm64[@]}" version | grep -qF "weft $WEFT_VERSION" || die "the arm64 executable does not say its version"
    echo '{"cniVersion":"1.0.0"}' | CNI_COMMAND=VERSION "${arm64[@]}" | grep -q '"supportedVersions":\[.*"1.1.0"' || die "the arm64 executable does not answer CNI VERSION"
    "${arm64[@]}" config check "$root/packaging/config/switch.conf" >/dev/null || die "the arm64 executable does not read the example settings"
}

cmd_repro() {
    need_root repro
    local first="$root/artifacts/pack-first"
    rm -rf "$first"
    cmd_pack
    mv "$root/artifacts/pack" "$first"
    find "$root/src" -type d \( -name bin -o -name obj \) -prune -exec rm -rf {} +
    cmd_pack
    diff "$first/SHA256SUMS" "$root/artifacts/pack/SHA256SUMS" || die "two builds differ"
    say "two builds gave the same bytes"
}

cmd_lab() {
    need_root lab
    setup_runtime
    local argument
    for argument in "$@"; do
        if [ "$argument" = bird ]; then install bird2; fi
    done
    cmd_publish
    exec "$executable" lab "$@"
}

# run_suite NAME COMMAND...: runs one test program, keeps its log, adds its counts.
run_suite() {
    local name=$1 log="$root/artifacts/test-logs/$1.log" status=0 summary
    shift
    say "== $name"
    timeout --kill-after=10 1500 "$@" >"$log" 2>&1 </dev/null || status=$?
    summary=$(grep -oE 'Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+, Skipped: [0-9]+' "$log" | tail -1 || true)
    local total=0 errors=0 bad=0 skipped=0 ok
    if [ -n "$summary" ]; then
        read -r total errors bad skipped <<<"$(tr -dc '0-9 ' <<<"$summary")"
    fi
    bad=$((bad + errors))
    ok=$((total - bad - skipped))
    passed=$((passed + ok))
    failed=$((failed + bad))
    if [ $status -ne 0 ]; then
        # A program that dies without a count is a failure too.
        if [ "$bad" = 0 ]; then failed=$((failed + 1)); fi
        say "-- $name failed (exit $status); the end of $log:"
        tail -60 "$log" >&2
    else
        say "   $ok passed"
    fi
}

cmd_test() {
    need_root test
    setup_runtime
    setup_tests
    cmd_publish
    mkdir -p "$root/artifacts/test-logs"
    passed=0 failed=0
    local project name filter=${1:-}
    say "building the tests"
    dotnet build "$root/Appliance.sln" -c Release -v quiet --nologo >"$root/artifacts/test-logs/build.log" 2>&1 || {
        grep -E 'error' "$root/artifacts/test-logs/build.log" | sort -u | head -20 >&2
        say "the solution does not build"
        echo "0 passed, 1 failed"
        return 1
    }
    for project in "$root"/tests/*/*.csproj; do
        name=$(basename "$project" .csproj)
        [ -z "$filter" ] || [[ $name == *"$filter"* ]] || continue
        local program
        program=$(dirname "$project")/bin/Release/net10.0/$name
        if [ -x "$program" ] && [ -e "$(dirname "$program")/xunit.v3.core.dll" ]; then
            run_suite "$name" "$program" -noColor -noLogo
        fi
    done
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}

cmd_interop() { cmd_test Weft.Interop; }

cmd_bench() {
    need_root bench
    setup_runtime
    install etcd-server etcd-client containernetworking-plugins time python3
    cmd_publish
    say "the calculation graph at scale"
    dotnet build "$root/tests/Weft.Bench" -c Release -v quiet --nologo
    (cd "$root/artifacts" && "$root/tests/Weft.Bench/bin/Release/net10.0/Weft.Bench")
    exec bash "$root/tests/Weft.Bench/run.sh" "$@"
}

cmd_soak() {
    need_root soak
    setup_runtime
    install jq procps
    cmd_publish
    say "twelve simulated hours of churn through a RIB"
    dotnet build "$root/tests/Weft.Bgp.Tests" -c Release -v quiet --nologo
    WEFT_SOAK_HOURS=12 "$root/tests/Weft.Bgp.Tests/bin/Release/net10.0/Weft.Bgp.Tests" -noColor -noLogo -showLiveOutput -class '*ChurnTests'
    say "address allocators, killed at their datastore operations"
    dotnet build "$root/tests/Weft.Ipam.Tests" -c Release -v quiet --nologo
    "$root/tests/Weft.Ipam.Tests/bin/Release/net10.0/Weft.Ipam.Tests" soak "${WEFT_IPAM_SOAK:-100000}"
    exec bash "$root/tests/Weft.Soak/run.sh" "${1:-5}"
}

# Decoders in a copy of the program get a counter behind every branch, so that inputs that reach something new are kept (tests/Weft.Fuzz/BranchMap.cs).
cmd_fuzz() {
    command -v dotnet >/dev/null || die "the .NET 10 SDK is missing (dotnet is not on the PATH)"
    dotnet build "$root/tests/Weft.Fuzz" -c Release -v quiet --nologo
    local program="$root/artifacts/fuzz" tools="$root/artifacts/tools" assembly
    rm -rf "$program"
    mkdir -p "$root/artifacts"
    cp -r "$root/tests/Weft.Fuzz/bin/Release/net10.0" "$program"
    [ -x "$tools/sharpfuzz" ] || dotnet tool install SharpFuzz.CommandLine --version 2.3.0 --tool-path "$tools" >/dev/null
    for assembly in Bgp Hosting Model Node Primitives; do
        "$tools/sharpfuzz" "$program/Weft.$assembly.dll" >/dev/null
    done
    WEFT_FUZZ_SECONDS=${1:-300} exec "$program/Weft.Fuzz" -noColor -noLogo
}

cmd_clean() {
    rm -rf "$root/artifacts"
    find "$root/src" "$root/tests" -type d \( -name bin -o -name obj \) -prune -exec rm -rf {} +
}

# Compiled in (src/Directory.Build.props), and the time stamp of everything in a package.
WEFT_VERSION=${WEFT_VERSION:-$(version)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
export WEFT_VERSION SOURCE_DATE_EPOCH

verb=${1:-help}
[ $# -eq 0 ] || shift
case $verb in
    build | publish | pack | repro | test | interop | lab | bench | soak | fuzz | clean) "cmd_$verb" "$@" ;;
    help | -h | --help) usage ;;
    *)
        usage >&2
        die "unknown verb \"$verb\""
        ;;
esac
