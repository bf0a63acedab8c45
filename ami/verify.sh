#!/bin/sh
# Checks inside the finished image that what install.sh claims is true. Same options as install.sh (--service, --units,
# --directories, --transport). Prints every claim that does not hold; exit code 0 only if all do.
# shellcheck disable=SC2317  # claim calls the functions
set -eu
SERVICE='' UNITS='' DIRECTORIES='' TRANSPORT='efs-tls' FAILED=0
HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=ami/system.sh
. "$HERE/system.sh"
while [ $# -ge 2 ]; do
    case "$1" in
        --service) SERVICE=$2 ;;
        --units) UNITS=$2 ;;
        --directories) DIRECTORIES=$2 ;;
        --transport) TRANSPORT=$2 ;;
    esac
    shift 2
done
fail() {
    echo "verify.sh: $1" >&2
    exit 2
}
[ -n "$SERVICE" ] || fail "--service is missing"
read_system "$HERE/systems"

claim() { # claim SENTENCE COMMAND...
    sentence=$1
    shift
    if ! "$@" >/dev/null 2>&1; then
        echo "verify.sh: not true: $sentence"
        FAILED=1
    fi
}
not() { ! "$@"; }
enabled() { case "$(systemctl --root=/ is-enabled "$1")" in enabled | enabled-runtime | alias) ;; *) return 1 ;; esac; }
masked() { [ "$(systemctl --root=/ is-enabled "$1")" = masked ]; }
wanted_by_anything() { find /etc/systemd/system /usr/lib/systemd/system -path "*.wants/$1" -o -path "*.requires/$1" | grep -q .; }
drop_in_says() { grep -qx "$2" "/etc/systemd/system/$1.d/50-soloist.conf"; }
empty() { [ ! -s "$1" ]; }
mode_is() { [ "$(stat -c %a "$1")" = "$2" ]; }
complete() { program=$(command -v "$1") && ! ldd "$program" | grep -q 'not found'; }
no_files() { for file in "$@"; do [ ! -e "$file" ] || return 1; done; }

python=/opt/soloist/venv/bin/python
claim "the agent is enabled" enabled soloist-agent.service
claim "the fence is enabled" enabled soloist-fence.service
claim "the fence runs on the standard library alone" sh -c "cd / && PYTHONPATH=/opt/soloist/lib /opt/soloist/python -S -c 'import bootstrap.fence.__main__'"
claim "systemd watches the agent" grep -q '^WatchdogSec=' /etc/systemd/system/soloist-agent.service
claim "the agent's packages import" "$python" -c 'import boto3, requests, pyroute2'
claim "the agent's code compiles" "$python" -m compileall -q /opt/soloist/lib/bootstrap
claim "the agent's code is there" test -f /opt/soloist/lib/bootstrap/__main__.py
claim "the image cannot install Python packages by itself" not "$python" -m pip --version
for unit in $DOWNLOADING_UNITS; do
    claim "nothing is downloaded by $unit (it is masked)" masked "$unit"
done
for model in ec2 autoscaling route53 ssm sns cloudwatch logs; do
    claim "botocore knows what the agent calls of $model" "$python" -c \
        "import botocore.session as s; s.get_session().get_service_model('$model').operation_names[0]"
done
claim "image.json names the service" grep -q "\"service\": \"$SERVICE\"" /etc/soloist/image.json
claim "there is something to check: --units" test -n "$UNITS"
claim "there is something to check: --directories" test -n "$DIRECTORIES"
for unit in $UNITS; do
    claim "$unit is not enabled" not enabled "$unit"
    claim "nothing pulls $unit in" not wanted_by_anything "$unit"
    claim "$unit ends with agent and fence" drop_in_says "$unit" 'BindsTo=soloist-agent.service soloist-fence.service'
    claim "$unit needs the lease" drop_in_says "$unit" AssertPathExists=/run/soloist/granted
    claim "$unit runs where the fence strikes" drop_in_says "$unit" Slice=soloist.slice
    claim "$unit is told its generation" drop_in_says "$unit" EnvironmentFile=/run/soloist/generation.env
    claim "$unit does not wait for the agent" not grep -q After= "/etc/systemd/system/$unit.d/50-soloist.conf"
    for directory in $DIRECTORIES; do
        claim "$unit needs $directory to be mounted" drop_in_says "$unit" "AssertPathIsMountPoint=$directory"
    done
done
for directory in $DIRECTORIES; do
    claim "$directory is a directory, and no symbolic link leads to it" test -d "$directory" -a "$(realpath -m "$directory")" = "$directory"
    claim "$directory is empty" test -z "$(ls -A "$directory")"
    claim "$directory cannot be written to before it is mounted" mode_is "$directory" 555
    claim "$directory is made immutable at boot" grep -qx "h $directory - - - - +i" /etc/tmpfiles.d/soloist.conf
done
claim "/srv/soloist/data and lease exist" test -d /srv/soloist/data -a -d /srv/soloist/lease
claim "the NFS mount helper is there" test -x /sbin/mount.nfs4
if [ "$TRANSPORT" = efs-tls ]; then
    claim "the EFS mount helper is there (install.sh --efs-utils)" test -x /sbin/mount.efs
    claim "the EFS proxy has all its libraries" complete efs-proxy
fi
claim "nobody can log in by a key of the builder" no_files /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys
claim "the machine has no identity" empty /etc/machine-id
claim "there are no SSH host keys" no_files /etc/ssh/ssh_host_*
claim "the fence finds a watchdog module" grep -qx "alias soloist-watchdog $WATCHDOG_MODULE" /etc/modprobe.d/soloist.conf
system_claims
[ "$FAILED" = 0 ] && echo "verify.sh: all claims hold for $SERVICE"
exit "$FAILED"
