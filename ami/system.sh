# The operating system of the image. Everything that differs between distributions is in systems/ID.sh, where ID is the
# one of os-release(5); install.sh and verify.sh read that file here.
#
# For: install.sh, verify.sh. Guarantees: a system file that lacks a part of the seam below is refused by name before
# anything is changed; so is a system without a file, or of another version than its file is for.
# Does not: install anything.
#
# The caller defines fail(MESSAGE) and runs with `set -eu`. OS_RELEASE names another os-release file, for tests.
# shellcheck shell=sh

# What every file in systems/ defines:
#   SYSTEM_NAME            the system as people call it
#   SYSTEM_VERSION         VERSION_ID of os-release that the file was tried on
#   SYSTEM_PYTHON          Python 3.11 or newer; the fence and the agent's virtual environment use it
#   AGENT_PACKAGES         packages that the agent needs, by this system's names
#   DOWNLOADING_UNITS      systemd units that download or upgrade by themselves, '' if none; install.sh masks them
#   WATCHDOG_MODULE        kernel module that makes a watchdog device where the machine has none
SYSTEM_VARIABLES='SYSTEM_NAME SYSTEM_VERSION SYSTEM_PYTHON AGENT_PACKAGES DOWNLOADING_UNITS WATCHDOG_MODULE'
#   system_check                      fail if something here is in the way, before anything is changed
#   system_forbid_starting_services   from here on no package may start a service
#   system_allow_starting_services    undo that; safe to repeat
#   system_has_package NAME           exit code 0 if the package is installed
#   system_install NAME...            install packages from the system's own sources
#   system_install_file FILE          install one package file, with what it needs
#   system_forget_downloads           remove the package manager's downloads from the image
#   system_leave_interface            the network daemon leaves the agent's network interface, its routes and rules alone
#   system_claims                     verify.sh: one `claim` for each promise of the functions above
SYSTEM_FUNCTIONS='system_check system_forbid_starting_services system_allow_starting_services system_has_package system_install
    system_install_file system_forget_downloads system_leave_interface system_claims'

# read_system SYSTEMS: read the file of this operating system in the directory SYSTEMS.
read_system() {
    release=${OS_RELEASE:-/etc/os-release}
    # In a shell of its own: os-release also sets NAME and VERSION, which here belong to the image.
    # shellcheck disable=SC1090
    system_id=$(. "$release" && echo "${ID:-}") version_id=$(. "$release" && echo "${VERSION_ID:-}")
    known=$(cd "$1" && for file in *.sh; do printf ' %s' "${file%.sh}"; done)
    # shellcheck disable=SC2015  # both must hold
    [ -n "$system_id" ] && [ -f "$1/$system_id.sh" ] ||
        fail "this is ${system_id:-an unknown system}, and ami/systems has only:$known. Add a file for it (CONTRIBUTING.md)"
    # shellcheck disable=SC1090
    . "$1/$system_id.sh"
    for name in $SYSTEM_VARIABLES; do
        eval "[ -n \"\${$name+set}\" ]" || fail "ami/systems/$system_id.sh does not set $name; ami/system.sh says what it is"
    done
    for name in $SYSTEM_FUNCTIONS; do
        command -v "$name" >/dev/null ||
            fail "ami/systems/$system_id.sh does not define $name; ami/system.sh says what it does"
    done
    [ "$version_id" = "$SYSTEM_VERSION" ] ||
        fail "this is $system_id ${version_id:-without a version}, and ami/systems/$system_id.sh is for $SYSTEM_NAME"
}

# install_missing NAME...: install those packages that are not installed yet.
install_missing() {
    missing=''
    for package in "$@"; do
        system_has_package "$package" || missing="$missing $package"
    done
    # shellcheck disable=SC2086  # a list of words
    [ -z "$missing" ] || system_install $missing
}
