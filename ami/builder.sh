# The machine that becomes an image: install.sh refuses any other, before it changes anything.
#
# For: install.sh, which removes the machine's identity (machine id, SSH host keys, the keys of those who log in), masks
# its upgrades and empties /tmp. Guarantees: a root file system that is not running (a chroot) is always accepted; a
# running machine only if its name is said, it was started within a day, and no agent of soloist runs on it.
# Does not: change anything.
#
# The caller defines fail(MESSAGE) and BUILDER. Tests set BOOTED and UPTIME.
# shellcheck shell=sh

BUILDER_HOURS=24

check_builder() {
    [ -d "${BOOTED:-/run/systemd/system}" ] || return 0
    name=$(hostname)
    [ "${BUILDER:-}" = "$name" ] ||
        fail "this is the running machine $name, and it would lose its SSH host keys, its logins and its upgrades. On an instance that is made for building an image, add --builder $name"
    hours=$(($(cut -d. -f1 "${UPTIME:-/proc/uptime}") / 3600))
    [ "$hours" -lt "$BUILDER_HOURS" ] ||
        fail "$name has been running for $hours hours, so it is no fresh builder. Launch a new instance and build there"
    ! systemctl --quiet is-active soloist-agent.service ||
        fail "soloist-agent runs on $name, so it is an instance of a service. Launch a new instance and build there"
}
