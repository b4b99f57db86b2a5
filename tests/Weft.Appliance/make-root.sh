#!/usr/bin/env bash
# make-root.sh DIRECTORY: a minimal Debian with systemd as init, for systemd-nspawn. Made once; the tests boot throw-away overlays of it.
set -euo pipefail
root=$1
[ ! -e "$root/.complete" ] || exit 0
rm -rf "$root"
mkdir -p "$(dirname "$root")"
# The mirror that this machine installs from.
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m1 '/debian/\?$')
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,iproute2,iptables,ipset,nftables,iputils-ping,kmod,procps bookworm "$root" "$mirror"
rm -f "$root"/var/cache/apt/archives/*.deb
: >"$root/etc/machine-id"
# Logins and slow first-boot jobs are of no use here.
chroot "$root" systemctl mask -q console-getty.service getty@.service systemd-firstboot.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer
touch "$root/.complete"
