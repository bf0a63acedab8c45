#!/bin/sh
# Makes a root file system bootable as a machine of the lab. Runs inside it, after ami/install.sh; gets the directory of
# the layer as its only argument. What it adds is hardware and speed, nothing that an instance on AWS would not do too:
# kernel modules, the root shell on the second console, static addressing from the kernel command line, fewer units.
set -eu
layer=$1

install -D -m 0755 "$layer/shell" /usr/local/lib/lab/shell
install -m 0644 "$layer/lab-shell.service" /etc/systemd/system/
systemctl --root=/ --quiet enable lab-shell.service
systemctl --root=/ --quiet enable systemd-networkd.service
mkdir -p /etc/systemd/system/sysinit.target.wants
ln -sf /lib/systemd/system/systemd-network-generator.service /etc/systemd/system/sysinit.target.wants/

sed -e '/^#/d' -e '/^$/d' "$layer/masked-units" | while read -r unit; do
    rm -f "/etc/systemd/system/$unit"
    ln -s /dev/null "/etc/systemd/system/$unit"
done
# Generators for encrypted, hibernated or automatically found disks and for NFS servers: half a second of nothing.
mkdir -p /etc/systemd/system-generators
for generator in nfs-server-generator rpc-pipefs-generator systemd-cryptsetup-generator systemd-fstab-generator \
    systemd-getty-generator systemd-gpt-auto-generator systemd-hibernate-resume-generator \
    systemd-integritysetup-generator systemd-rc-local-generator systemd-system-update-generator \
    systemd-veritysetup-generator; do
    ln -sf /dev/null "/etc/systemd/system-generators/$generator"
done
ln -sf /lib/systemd/system/multi-user.target /etc/systemd/system/default.target
# The power button of a User Mode Linux machine is ctrl-alt-del.
ln -sf /lib/systemd/system/poweroff.target /etc/systemd/system/ctrl-alt-del.target

# Of all devices only disks and network interfaces matter; the hundreds of terminals cost seconds.
mkdir -p /etc/systemd/system/systemd-udev-trigger.service.d /etc/systemd/journald.conf.d
cat >/etc/systemd/system/systemd-udev-trigger.service.d/lab.conf <<'TEXT'
[Service]
ExecStart=
ExecStart=udevadm trigger --type=devices --action=add --subsystem-match=net --subsystem-match=misc
TEXT
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n' >/etc/systemd/journald.conf.d/lab.conf
# As netplan writes it from /etc/netplan/90-default.yaml of Debian's generic cloud images: it has DHCP configure each
# device that is plugged in. The primary's is static here, from the kernel command line.
cat >/etc/systemd/network/10-netplan-all.network <<'TEXT'
[Match]
Name=vec[1-9]*
[Network]
DHCP=yes
LinkLocalAddressing=ipv6
[DHCP]
RouteMetric=100
UseMTU=true
UseDomains=true
TEXT
rm -f /etc/fstab /etc/resolv.conf
# The address at which every VPC has its resolver; here the lab answers.
echo 'nameserver 169.254.169.253' >/etc/resolv.conf

if [ -d "$layer/modules" ]; then
    rm -rf /usr/lib/modules
    cp -a "$layer/modules" /usr/lib/modules
    for directory in /usr/lib/modules/*; do
        depmod "$(basename "$directory")"
    done
fi
