#!/bin/sh
# PostgreSQL 15 of Debian: it listens on every address, and networks of a VPC may log in with a password. The
# configuration is the image's. The database is made by the first boot, on the file system: one that is made here would
# give every deployment the same system identifier. What is mounted is the directory above it, so that a database that is
# half made gets another name until it is whole. Called by install.sh.
set -eu
cluster=/etc/postgresql/15/main
[ -f "$cluster/pg_hba.conf" ] || { echo "postgresql.sh: $cluster is missing: is the package postgresql-15 installed?" >&2; exit 1; }
rm -rf /var/lib/postgresql/15/main
echo "listen_addresses = '*'" >"$cluster/conf.d/soloist.conf"
echo 'host all all 10.0.0.0/8 scram-sha-256' >>"$cluster/pg_hba.conf"
