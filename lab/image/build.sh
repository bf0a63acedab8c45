#!/bin/sh
# One step of building an image, without root: run under `fakechroot fakeroot`.
# usage: build.sh ROOT BASE.tar MATERIAL PYTHON RELATIVE_LINKS.py tar|ext4 RESULT [SIZE_MIB]
# Unpacks BASE into ROOT, puts MATERIAL at /opt/build, runs /opt/build/run.sh inside, and packs the result.
set -eu
root=$1 base=$2 material=$3 python=$4 relative_links=$5 form=$6 result=$7 size_mib=${8:-0}

mkdir -p "$root"
tar -xf "$base" -C "$root"
"$python" "$relative_links" "$root"
cp -a "$material" "$root/opt/build"
rm -f "$root/etc/resolv.conf"
cp -L /etc/resolv.conf "$root/etc/resolv.conf" || : >"$root/etc/resolv.conf"

chroot "$root" sh /opt/build/run.sh

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
