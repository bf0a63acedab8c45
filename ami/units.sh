# The systemd units of the service: refuses every unit that is not the process of the service itself, and says which is.
#
# For: install.sh. The fence ends what runs in the units' control groups. A unit without a process of its own would leave
# the real process outside of them, where nothing guards it. Guarantees: an alias, a masked unit, a unit of another kind
# and a wrapper are refused, with the unit to use where it can be found; template instances, static units and units that
# systemd generates from an init script are accepted. Does not: change anything.
# Sources: systemd.unit(5) "Unit File Load Path" and "Alias="; systemd.service(5) Type=oneshot;
# unix.stackexchange.com/questions/436802 (Debian's postgresql.service is a wrapper).
#
# The caller defines fail(MESSAGE). Tests set UNIT_PATH and INIT_SCRIPTS.
# shellcheck shell=sh

UNIT_PATH=${UNIT_PATH:-/etc/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system}

# template_of UNIT: print the template of an instance; of any other unit, its own name.
template_of() {
    echo "$1" | sed 's/@.*\.service$/@.service/'
}

# unit_file UNIT: print the file that defines it, or its template; nothing where there is none.
unit_file() {
    for name in "$1" "$(template_of "$1")"; do
        for directory in $UNIT_PATH; do
            if [ -e "$directory/$name" ] || [ -L "$directory/$name" ]; then
                echo "$directory/$name"
                return 0
            fi
        done
    done
}

# setting UNIT FILE KEY: print the value of KEY, as the file and the unit's drop-ins set it last.
setting() {
    {
        cat "$2"
        for directory in $UNIT_PATH; do
            ls "$directory/$1.d" "$directory/$(template_of "$1").d" 2>/dev/null || true
        done | grep '\.conf$' | sort -u | while read -r name; do
            for directory in $UNIT_PATH; do
                for file in "$directory/$1.d/$name" "$directory/$(template_of "$1").d/$name"; do
                    if [ -e "$file" ]; then cat "$file" && break 2; fi
                done
            done
        done
    } | sed -n "s/^[[:space:]]*$3[[:space:]]*=[[:space:]]*//p" | tr -d '\r' | tail -n 1
}

# units_of UNIT: print the units that stop with it, which are what a wrapper wraps.
units_of() {
    for directory in $UNIT_PATH; do
        grep -lsE "^(PartOf|BindsTo)=(.* )?$1( |$)" "$directory"/*.service || true
    done | sed 's|.*/||' | sort -u | tr '\n' ' '
}

# check_unit UNIT: fail unless it is a service with a process of its own.
check_unit() {
    case "$1" in
        *.service) ;;
        *.timer | *.socket | *.path) fail "unit $1 has no process: use ${1%.*}.service, or the unit that its Unit= or Service= names" ;;
        *) fail "unit $1 has no process: use the services that it starts" ;;
    esac
    file=$(unit_file "$1")
    if [ -z "$file" ]; then
        # systemd makes a unit of it at boot (systemd-sysv-generator(8)).
        [ -x "${INIT_SCRIPTS:-/etc/init.d}/${1%.service}" ] || fail "unit $1 does not exist: which package brings it?"
        return 0
    fi
    if [ -L "$file" ]; then
        target=$(readlink "$file")
        [ "$target" != /dev/null ] || fail "unit $1 is masked: it can never start"
        case "$(basename "$target")" in
            "$(basename "$file")" | "$(template_of "$1")") ;;
            *) fail "unit $1 is another name of $(basename "$target"): use that, because disabling a unit removes its other names" ;;
        esac
    fi
    [ -s "$file" ] || fail "unit $1 is masked: it can never start"
    if [ "$(setting "$1" "$file" Type)" = oneshot ] || [ -z "$(setting "$1" "$file" ExecStart)" ]; then
        wrapped=$(units_of "$1")
        fail "unit $1 is only a wrapper: its own process ends at once, and what it starts would run outside the fence. Use the unit of the process itself${wrapped:+, an instance of: $wrapped}"
    fi
}
