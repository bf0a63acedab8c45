#!/bin/sh
# One step of building an image, without root: run under `fakechroot fakeroot`.
# usage: build.sh ROOT BASE.tar MATERIAL PYTHON RELATIVE_LINKS.py OWNER_SHIM.so tar|ext4 RESULT [SIZE_MIB]
# Unpacks BASE into ROOT, puts MATERIAL at /opt/build, runs /opt/build/run.sh inside, and packs the result.
set -eu
root=$1 base=$2 material=$3 python=$4 relative_links=$5 owner_shim=$6 form=$7 result=$8 size_mib=${9:-0}

mkdir -p "$root"
tar -xf "$base" -C "$root"
"$python" "$relative_links" "$root"
cp -a "$material" "$root/opt/build"
rm -f "$root/etc/resolv.conf"
cp -L /etc/resolv.conf "$root/etc/resolv.conf" || : >"$root/etc/resolv.conf"

# What a package's install script makes as another user belongs to that user.
LD_PRELOAD="$owner_shim${LD_PRELOAD:+:$LD_PRELOAD}" chroot "$root" sh /opt/build/run.sh

rm -rf "$root/opt/build"
"$python" "$relative_links" "$root"
case "$form" in
    tar) tar -cf "$result" -C "$root" . ;;
    ext4)
        rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/*.log "$root"/var/log/apt
        truncate -s "${size_mib}M" "$result"
        mke2fs -q -F -t ext4 -m 0 -J size=16 -E lazy_itable_init=0,lazy_journal_init=0 -d "$root" "$result"
        ;;
esac
