# Debian 12 as the system of an image; ami/system.sh says what each part is for.
# shellcheck shell=sh disable=SC2034  # install.sh and verify.sh use the variables

SYSTEM_NAME='Debian 12'
SYSTEM_VERSION=12
SYSTEM_PYTHON=/usr/bin/python3
AGENT_PACKAGES='python3 python3-venv nfs-common iproute2 ca-certificates kmod'
# Debian's own downloads and upgrades: at boot, by the clock and at shutdown.
DOWNLOADING_UNITS='apt-daily.timer apt-daily.service apt-daily-upgrade.timer apt-daily-upgrade.service
    unattended-upgrades.service'
WATCHDOG_MODULE=softdog
POLICY=/usr/sbin/policy-rc.d
NETWORKD=/etc/systemd/networkd.conf.d/soloist.conf

system_check() {
    [ ! -e "$POLICY" ] || fail "$POLICY exists: somebody forbids starting services here. Remove it if it is left over"
}

# While this file exists, Debian's maintainer scripts start nothing (policy-rc.d(8)).
system_forbid_starting_services() {
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
}

system_allow_starting_services() {
    rm -f "$POLICY"
}

system_has_package() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

system_install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confold install "$@"
}

system_install_file() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q -y --no-install-recommends install "$1"
}

system_forget_downloads() {
    apt-get -q clean
}

# systemd-networkd would otherwise remove the agent's rules and routes when it restarts (networkd.conf(5)).
system_leave_interface() {
    mkdir -p "$(dirname "$NETWORKD")"
    printf '[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n' >"$NETWORKD"
}

system_claims() {
    claim "services may start (no policy-rc.d left over)" test ! -e "$POLICY"
    claim "networkd leaves the agent's rules alone" grep -qx ManageForeignRoutingPolicyRules=no "$NETWORKD"
    claim "networkd leaves the agent's routes alone" grep -qx ManageForeignRoutes=no "$NETWORKD"
}
