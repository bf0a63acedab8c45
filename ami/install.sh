#!/bin/sh
# Turns the plain root file system of a system in systems/ (Debian 12) into a soloist image. Run it as root INSIDE that
# root file system: in a chroot, or on a builder instance, which it wants to be named (builder.sh). All options are
# checked before anything is changed.
#
# Guarantees: the image holds everything an instance needs, and nothing is downloaded or upgraded at boot or later (the
# system's units for that are masked); the agent is enabled, the service is not, and the service cannot start without
# the agent, the fence, the lease or its mounted directories; no service starts during the build; the image carries no
# identity (machine id, SSH host keys, cloud-init state).
# Does not: know the AWS account, the stack, or anything else an instance is told at boot; know the distribution, which
# systems/ does (see system.sh).
#
# Steps (--steps, all by default): packages  the system's packages and fixed user ids
#                                  python    the agent's virtual environment, offline, from --wheels
#                                  agent     the agent's code, systemd units, image.json, clean-up
set -eu

usage() {
    cat <<'TEXT'
usage: install.sh --service NAME --units "a.service b.service" --directories "/var/lib/a /etc/a" --version V
                  --agent-source DIR --wheels DIR
                  [--packages "p1 p2"] [--system-users "name:uid ..."] [--name NAME] [--built-from HASH]
                  [--transport efs-tls|nfs] [--efs-utils FILE] [--steps "packages python agent"] [--builder HOSTNAME]

  --service, --units, --directories   as in the service file: name, service.units, file_system.directories (targets)
  --agent-source                      the directory bootstrap of a release of soloist
  --wheels                            filled by: pip download -r ami/requirements.txt
  --transport                         as file_system.transport: efs-tls, which is the default, or nfs
  --efs-utils                         the package file of amazon-efs-utils, for the transport efs-tls
  --builder                           the name of this machine, if it is running: it becomes an image
TEXT
}

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

SERVICE='' UNITS='' DIRECTORIES='' PACKAGES='' SYSTEM_USERS='' VERSION='' NAME='' BUILT_FROM='' AGENT_SOURCE='' WHEELS=''
EFS_UTILS='' BUILDER='' TRANSPORT='efs-tls' STEPS='packages python agent'
HERE=$(cd "$(dirname "$0")" && pwd)
HOME_DIRECTORY=/opt/soloist
# shellcheck source=ami/system.sh
. "$HERE/system.sh"
# shellcheck source=ami/builder.sh
. "$HERE/builder.sh"
# shellcheck source=ami/units.sh
. "$HERE/units.sh"

while [ $# -gt 0 ]; do
    case "$1" in -h | --help) usage; exit 0 ;; esac
    [ $# -ge 2 ] || { usage >&2; fail "$1 needs a value"; }
    case "$1" in
        --service) SERVICE=$2 ;;
        --units) UNITS=$2 ;;
        --directories) DIRECTORIES=$2 ;;
        --packages) PACKAGES=$2 ;;
        --system-users) SYSTEM_USERS=$2 ;;
        --version) VERSION=$2 ;;
        --name) NAME=$2 ;;
        --built-from) BUILT_FROM=$2 ;;
        --agent-source) AGENT_SOURCE=$2 ;;
        --wheels) WHEELS=$2 ;;
        --efs-utils) EFS_UTILS=$2 ;;
        --steps) STEPS=$2 ;;
        --builder) BUILDER=$2 ;;
        --transport) TRANSPORT=$2 ;;
        *) usage >&2; fail "unknown option $1" ;;
    esac
    shift 2
done

check_arguments() {
    [ -n "$SERVICE" ] || fail "--service is missing: the name of the service, as in its service file"
    case "$SERVICE" in *[!a-z0-9-]*) fail "--service $SERVICE: only lower case letters, digits and '-'" ;; esac
    [ -n "$UNITS" ] || fail "--units is missing: the systemd units of the service, in start order"
    [ -n "$DIRECTORIES" ] || fail "--directories is missing: where the service's data are mounted"
    [ -n "$VERSION" ] || fail "--version is missing: the version of the image"
    case "$VERSION" in *[!A-Za-z0-9._-]*) fail "--version $VERSION: only letters, digits, '.', '_' and '-'" ;; esac
    for directory in $DIRECTORIES; do
        case "$directory" in /*) ;; *) fail "--directories: $directory is not an absolute path" ;; esac
        check_directory "$directory"
    done
    for step in $STEPS; do
        case "$step" in
            packages) ;;
            python) [ -d "$WHEELS" ] || fail "--wheels ${WHEELS:-is missing:} must be a directory: fill it with 'pip download -r ami/requirements.txt'" ;;
            agent) [ -f "$AGENT_SOURCE/__main__.py" ] || fail "--agent-source ${AGENT_SOURCE:-is missing:} must be the directory bootstrap, and holds no __main__.py" ;;
            *) fail "--steps: unknown step $step" ;;
        esac
    done
    [ -z "$EFS_UTILS" ] || [ -f "$EFS_UTILS" ] ||
        fail "--efs-utils $EFS_UTILS is not a file: give the package file of amazon-efs-utils"
    # The package manager takes a file without a directory for a name, and the cleaning of /tmp compares whole paths.
    AGENT_SOURCE=${AGENT_SOURCE:+$(realpath -m "$AGENT_SOURCE")}
    WHEELS=${WHEELS:+$(realpath -m "$WHEELS")}
    EFS_UTILS=${EFS_UTILS:+$(realpath -m "$EFS_UTILS")}
    read_system "$HERE/systems"
    case "$TRANSPORT" in
        nfs) ;;
        efs-tls)
            case "$STEPS" in
                *packages*)
                    [ -n "$EFS_UTILS" ] || system_has_package amazon-efs-utils ||
                        fail "--efs-utils is missing: the transport efs-tls needs amazon-efs-utils, which $SYSTEM_NAME does not have"
                    ;;
            esac
            ;;
        *) fail "--transport $TRANSPORT: only efs-tls and nfs" ;;
    esac
    [ "$(id -u)" = 0 ] || fail "must run as root inside the root file system"
    check_builder
    system_check
}

# check_directory DIRECTORY: fail unless it is a directory, or free to become one, by its only name. What is mounted shows
# under the name without symbolic links, and a link that is moved as the package's content leads elsewhere or nowhere
# (geerlingguy/ansible-role-mysql#244: /var/lib/mysql as a link).
check_directory() {
    real=$(realpath -m "$1")
    [ "$real" = "$1" ] ||
        fail "--directories: $1 is another name of $real, by a symbolic link or as it is written: use $real, here and in the service file"
    [ -d "$1" ] || [ ! -e "$1" ] || fail "--directories: $1 is not a directory"
}

# Files on the shared file system belong to user ids, not to names. The ids are fixed, so that version 2 of an image owns
# what version 1 wrote.
create_system_users() {
    for entry in $SYSTEM_USERS; do
        user=${entry%%:*} id=${entry##*:}
        getent passwd "$user" >/dev/null && continue
        groupadd --system --gid "$id" "$user"
        useradd --system --uid "$id" --gid "$id" --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
    done
}

install_packages() {
    # shellcheck disable=SC2086  # lists of words
    install_missing $AGENT_PACKAGES $PACKAGES
    # amazon-efs-utils is built from its source release where the system has no package of it.
    [ -z "$EFS_UTILS" ] || system_install_file "$EFS_UTILS"
    system_forget_downloads
}

install_python() {
    rm -rf "$HOME_DIRECTORY/venv"
    mkdir -p "$HOME_DIRECTORY"
    "$SYSTEM_PYTHON" -m venv --symlinks "$HOME_DIRECTORY/venv"
    python="$HOME_DIRECTORY/venv/bin/python"
    "$python" -m pip --isolated --disable-pip-version-check install --quiet --no-index --no-deps --no-compile \
        --find-links "$WHEELS" -r "$HERE/requirements.txt"
    "$python" -m pip --isolated --disable-pip-version-check check
    # An image without pip cannot be changed by accident at boot.
    "$python" -m pip --isolated --disable-pip-version-check uninstall --quiet --yes setuptools pip
    "$python" -m compileall -q -j 1 "$HOME_DIRECTORY/venv/lib" >/dev/null
}

install_agent() {
    rm -rf "${HOME_DIRECTORY:?}/lib"
    mkdir -p "$HOME_DIRECTORY/lib/bootstrap"
    (cd "$AGENT_SOURCE" && find . -name '*.py' -print) | while read -r file; do
        install -D -m 0644 "$AGENT_SOURCE/$file" "$HOME_DIRECTORY/lib/bootstrap/$file"
    done
    "$HOME_DIRECTORY/venv/bin/python" -m compileall -q -j 1 "$HOME_DIRECTORY/lib" >/dev/null
    # botocore brings the models of some 400 services, and thousands of operations that the agent never calls.
    "$HOME_DIRECTORY/venv/bin/python" "$HERE/trim_botocore.py" "$HOME_DIRECTORY/lib/bootstrap"

    mkdir -p /srv/soloist/data /srv/soloist/lease /etc/soloist
    chmod 0755 /srv/soloist
    chmod 0555 /srv/soloist/data /srv/soloist/lease
    mkdir -p /etc/tmpfiles.d
    # systemd-tmpfiles sets it at boot, before anything is mounted: an image that is built without root cannot carry it.
    for directory in /srv/soloist/data /srv/soloist/lease $DIRECTORIES; do
        echo "h $directory - - - - +i"
    done >/etc/tmpfiles.d/soloist.conf
    cat >/etc/soloist/image.json <<TEXT
{"name": "${NAME:-soloist-$SERVICE-$VERSION}", "version": "$VERSION", "service": "$SERVICE", "built_from": "$BUILT_FROM"}
TEXT
    # The fence runs on the system's own Python, and loads the watchdog module of this system by one name.
    ln -sfn "$SYSTEM_PYTHON" "$HOME_DIRECTORY/python"
    mkdir -p /etc/modprobe.d
    # nowayout=0: when the fence ends in good order, the device lets go instead of resetting the machine.
    printf 'alias soloist-watchdog %s\noptions %s nowayout=0\n' "$WATCHDOG_MODULE" "$WATCHDOG_MODULE" \
        >/etc/modprobe.d/soloist.conf
    system_leave_interface
    echo "soloist image: service $SERVICE, version $VERSION" >/etc/motd
    printf 'Debian 12, soloist image %s version %s \\n \\l\n' "$SERVICE" "$VERSION" >/etc/issue
}

install_units() {
    for unit in "$HERE"/units/*; do
        [ -f "$unit" ] || fail "ami/units holds no unit files"
        install -m 0644 "$unit" "/etc/systemd/system/$(basename "$unit")"
    done
    # Packages and the service's own script may have made links since the options were checked.
    for directory in $DIRECTORIES; do
        check_directory "$directory"
    done
    for directory in $DIRECTORIES; do
        empty_mount_point "$directory"
    done
    for unit in $UNITS; do
        check_unit "$unit"
        write_drop_in "$unit"
        systemctl --root=/ --quiet disable "$unit"
    done
    systemctl --root=/ --quiet enable soloist-agent.service soloist-fence.service
}

# The content that a package put into a data directory (defaults, an empty database) is kept as a template. The mount
# point itself is empty, read-only by mode and, from boot on, immutable, so that even root cannot write there by mistake.
empty_mount_point() {
    if [ -d "$1" ] && [ -n "$(ls -A "$1")" ]; then
        mkdir -p "$HOME_DIRECTORY/defaults$(dirname "$1")"
        rm -rf "$HOME_DIRECTORY/defaults$1"
        mv "$1" "$HOME_DIRECTORY/defaults$1"
    fi
    mkdir -p "$1"
    chown 0:0 "$1"
    chmod 0555 "$1"
}

# BindsTo without After: when the agent or the fence ends in any way, systemd stops the service. An After= would wait for
# the agent, which is still "activating" when it starts the service: a deadlock. Assert, not Condition: a start without
# the lease or the mount fails loudly and is not skipped in silence; so does an automatic restart after the fence has
# stopped the service. The slice is the control group that the fence stops.
write_drop_in() {
    mkdir -p "/etc/systemd/system/$1.d"
    {
        echo '# Written by ami/install.sh.'
        echo '[Unit]'
        echo 'BindsTo=soloist-agent.service soloist-fence.service'
        echo 'AssertPathExists=/run/soloist/granted'
        for directory in $DIRECTORIES; do
            echo "AssertPathIsMountPoint=$directory"
        done
        echo '[Service]'
        echo 'Slice=soloist.slice'
        echo 'EnvironmentFile=/run/soloist/generation.env'
    } >"/etc/systemd/system/$1.d/50-soloist.conf"
    chmod 0644 "/etc/systemd/system/$1.d/50-soloist.conf"
}

configure_service() {
    if [ -f "$HERE/services/$SERVICE.sh" ]; then
        sh -eu "$HERE/services/$SERVICE.sh"
    fi
}

# What runs is what was baked and verified. A unit is masked even if it is absent: a package may bring it later.
mask_downloads() {
    # shellcheck disable=SC2086  # a list of words
    [ -z "$DOWNLOADING_UNITS" ] || systemctl --root=/ --quiet mask $DOWNLOADING_UNITS
}

# EC2 gives each instance its name and identity at first boot. Two instances with one identity confuse NFS and journald.
# Whoever could log in on the builder could otherwise log in on every instance.
remove_identity() {
    : >/etc/machine-id
    rm -f /var/lib/dbus/machine-id /etc/hostname /var/lib/systemd/random-seed /etc/ssh/ssh_host_*
    rm -f /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys
    rm -rf /var/lib/cloud /var/log/journal/*
    empty_but_the_kit /tmp
    empty_but_the_kit /var/tmp
    system_allow_starting_services
}

# What the options name may be there, verify.sh among it.
empty_but_the_kit() {
    for entry in "$1"/* "$1"/.[!.]*; do
        for kept in "$HERE" "$AGENT_SOURCE" "$WHEELS" "$EFS_UTILS"; do
            case "$kept/" in "$entry"/*) continue 2 ;; esac
        done
        rm -rf "$entry"
    done
}

check_arguments
for step in $STEPS; do
    echo "install.sh: $step"
    case "$step" in
        packages)
            system_forbid_starting_services
            trap system_allow_starting_services EXIT
            create_system_users
            install_packages
            system_allow_starting_services
            trap - EXIT
            ;;
        python) install_python ;;
        agent)
            install_agent
            configure_service
            install_units
            mask_downloads
            remove_identity
            ;;
    esac
done
echo "install.sh: done"
