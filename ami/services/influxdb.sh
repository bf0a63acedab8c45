#!/bin/sh
# InfluxDB 1.6 of Debian: an acknowledged write is on disk (Debian's default gathers writes for no time, said here so that
# it stays so), and nothing is reported to anybody. Called by install.sh.
set -eu
config=/etc/influxdb/influxdb.conf
[ -f "$config" ] || { echo "influxdb.sh: $config is missing: is the package influxdb installed?" >&2; exit 1; }

# set_option SECTION NAME VALUE: replaces the (possibly commented) option within its section.
set_option() {
    sed -i -E "/^\[$1\]/,/^\[/ s|^[# ]*$2 *=.*|  $2 = $3|" "$config"
    grep -Eq "^ *$2 = $3" "$config" || { echo "influxdb.sh: no option $2 in section $1 of $config" >&2; exit 1; }
}

sed -i -E "s|^[# ]*reporting-enabled *=.*|reporting-enabled = false|" "$config"
grep -q "^reporting-enabled = false" "$config" || { echo "influxdb.sh: no reporting-enabled in $config" >&2; exit 1; }
set_option data wal-fsync-delay '"0s"'
set_option data query-log-enabled false
# A line for every write would bury the journal of everything else, and influxd's statistics of itself are writes, too.
set_option http log-enabled false
set_option monitor store-enabled false
