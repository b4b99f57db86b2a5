#!/usr/bin/env bash
# Unpacks newer daemons from Debian's next suite beside the machine, without installing them and without touching its apt configuration: each package with all it
# depends on, down to libc, goes to TARGET/PACKAGE and is run through that tree's own loader.
#   usage: fetch-peers.sh TARGET [PACKAGE...]        default: bird3
# Where it cannot, TARGET/reason says why and the tests that need the daemon say the same; it never fails.
set -uo pipefail

suite=trixie
target=$1
shift
[ $# -gt 0 ] || set -- bird3
mkdir -p "$target"
rm -f "$target/reason"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

give_up() {
    echo "$*" >"$target/reason"
    echo "fetch-peers: $*" >&2
    exit 0
}

missing=()
for package in "$@"; do [ -e "$target/$package/.version" ] || missing+=("$package"); done
[ ${#missing[@]} -gt 0 ] || exit 0

# The mirror the machine itself uses, asked for one suite more.
site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m1 '/debian/*$') || give_up "apt knows no Debian mirror here"
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/empty"
: >"$work/status"
keys=$(find /usr/share/keyrings /etc/apt/trusted.gpg.d -name 'debian-archive*' 2>/dev/null | grep -m1 "$suite.*stable") || keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $site $suite main" >"$work/sources.list"
apt=(apt-get -qq -y -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts="$work/empty" -o Dir::Etc::PreferencesParts="$work/empty"
    -o Dir::State::Lists="$work/lists" -o Dir::State::Status="$work/status" -o Dir::Cache::Archives="$work/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Acquire::Languages=none -o Acquire::http::Timeout=20 -o Acquire::Retries=1)
timeout 120 "${apt[@]}" update >"$work/log" 2>&1 || give_up "apt-get update for $suite at $site: $(tail -1 "$work/log")"

for package in "${missing[@]}"; do
    rm -rf "$work/archives"/*.deb "$target/$package"
    timeout 120 "${apt[@]}" --download-only --no-install-recommends install "$package" >"$work/log" 2>&1 || give_up "download $package of $suite: $(tail -1 "$work/log")"
    # One /usr first, so that /lib/... and /usr/lib/... land in one place.
    mkdir -p "$target/$package"/usr/{bin,sbin,lib,lib64}
    for folder in bin sbin lib lib64; do ln -sfn "usr/$folder" "$target/$package/$folder"; done
    for deb in "$work/archives"/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -C "$target/$package" -xf - --keep-directory-symlink --no-same-owner || give_up "unpack ${deb##*/}"
    done
    dpkg-deb -f "$work/archives/$package"_*.deb Version >"$target/$package/.version"
    echo "fetch-peers: $package $(cat "$target/$package/.version")" >&2
done
