#!/usr/bin/env bash
# pack.sh OUT VERSION ARCH EXECUTABLE GENERATOR ASSETS: one .deb, .rpm and .tar.gz of an executable that is built already. The same input gives the same bytes.
#
#   ARCH        amd64 or arm64
#   GENERATOR   an executable of the same version that runs on this machine: it prints the manual and the completion scripts
#   ASSETS      project.assets.json of the build, for the bill of materials
#
# PACK_KINDS names fewer than the three kinds, and PACK_COMPRESSION another level than the best, 1 to 9: tests are in a hurry.
set -euo pipefail
out=$1 version=$2 arch=$3 executable=$4 generator=$5 assets=$6
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0} LC_ALL=C TZ=UTC
umask 022
case $arch in amd64) machine=x86_64 ;; arm64) machine=aarch64 ;; *) echo "pack.sh: unknown architecture $arch" >&2; exit 1 ;; esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
doc=usr/share/doc/weft

# Everything that all three kinds of package hold.
put() { install -D -m "$1" "$2" "$tree/$3"; }
put 755 "$executable" usr/bin/weft
for unit in "$root"/systemd/weft*; do put 644 "$unit" "usr/lib/systemd/system/$(basename "$unit")"; done
put 644 "$root/packaging/system/90-weft.preset" usr/lib/systemd/system-preset/90-weft.preset
put 644 "$root/packaging/system/weft.sysusers" usr/lib/sysusers.d/weft.conf
install -d -m 750 "$tree/etc/weft"
install -d -m 700 "$tree/etc/weft/credentials"
put 640 "$root/packaging/config/weft.conf" etc/weft/weft.conf
put 644 "$root/packaging/config/switch.conf" $doc/examples/switch.conf
put 644 "$root/packaging/config/10-weft.conflist" $doc/examples/10-weft.conflist
put 644 "$root/packaging/config/REFERENCE.md" $doc/REFERENCE.md
put 644 "$root/packaging/config/METRICS.md" $doc/METRICS.md
put 644 "$root/packaging/monitoring/weft-alerts.yml" $doc/examples/weft-alerts.yml
put 644 "$root/packaging/monitoring/weft-dashboard.json" $doc/examples/weft-dashboard.json
put 644 "$root/README.md" $doc/README.md
install -d "$tree"/usr/share/{man/man8,man/man5,bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
"$generator" man | gzip -9n >"$tree/usr/share/man/man8/weft.8.gz"
"$generator" man weft.conf | gzip -9n >"$tree/usr/share/man/man5/weft.conf.5.gz"
"$generator" completion bash >"$tree/usr/share/bash-completion/completions/weft"
"$generator" completion zsh >"$tree/usr/share/zsh/vendor-completions/_weft"
"$generator" completion fish >"$tree/usr/share/fish/vendor_completions.d/weft.fish"
bash "$root/packaging/sbom.sh" "$assets" "$version" "$executable" >"$tree/$doc/sbom.spdx.json"
mkdir -p "$out"
cp "$tree/$doc/sbom.spdx.json" "$out/weft_${version}_$arch.spdx.json"

settle() { find "$1" -print0 | xargs -0 touch -h -d "@$SOURCE_DATE_EPOCH"; }

tarball() {
    local name=weft-$version-linux-$arch
    cp -a "$tree" "$work/$name"
    install -m 644 "$root/LICENSE" "$work/$name/LICENSE"
    settle "$work/$name"
    tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --format=gnu -cf - "$name" | gzip -n"${PACK_COMPRESSION:-9}" >"$out/$name.tar.gz"
}

deb() {
    local package=$work/deb
    cp -a "$tree" "$package"
    gzip -9n "$package/$doc/README.md" "$package/$doc/REFERENCE.md" "$package/$doc/METRICS.md"
    install -m 644 "$root/packaging/deb/copyright" "$package/$doc/copyright"
    install -D -m 644 "$root/packaging/deb/lintian-overrides" "$package/usr/share/lintian/overrides/weft"
    printf 'weft (%s) unstable; urgency=medium\n\n  * The history is that of the repository.\n\n -- weft maintainers <maintainers@weft.invalid>  %s\n' \
        "$version" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$package/$doc/changelog.gz"
    local size
    size=$(du -sk --apparent-size "$package" | cut -f1)
    install -d "$package/DEBIAN"
    sed "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$size/" "$root/packaging/deb/control" >"$package/DEBIAN/control"
    echo /etc/weft/weft.conf >"$package/DEBIAN/conffiles"
    (cd "$package" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$package/DEBIAN/md5sums"
    local script
    for script in postinst prerm postrm; do install -m 755 "$root/packaging/deb/$script" "$package/DEBIAN/$script"; done
    settle "$package"
    dpkg-deb --root-owner-group -Zxz -z"${PACK_COMPRESSION:-9}" -b "$package" "$out/weft_${version}_$arch.deb" >/dev/null
}

rpm() {
    local package=$work/rpm-tree top=$work/rpmbuild
    cp -a "$tree" "$package"
    install -D -m 644 "$root/LICENSE" "$package/usr/share/licenses/weft/LICENSE"
    mv "$package/usr/share/zsh/vendor-completions" "$package/usr/share/zsh/site-functions"
    settle "$package"
    mkdir -p "$top"
    sed "s|@VERSION@|$version|; s|@TREE@|$package|; s|@LEVEL@|${PACK_COMPRESSION:-19}|; s|@DATE@|$(date -u -d "@$SOURCE_DATE_EPOCH" '+%a %b %d %Y')|" \
        "$root/packaging/rpm/weft.spec" >"$work/weft.spec"
    rpmbuild -bb --quiet --target "$machine" --define "_topdir $top" "$work/weft.spec" >"$work/rpm.log" 2>&1 || { cat "$work/rpm.log" >&2; exit 1; }
    cp "$top/RPMS/$machine"/*.rpm "$out/weft-$version-1.$machine.rpm"
}

for kind in ${PACK_KINDS:-tarball deb rpm}; do "$kind"; done
