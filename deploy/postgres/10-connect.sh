#!/bin/sh
# Runs once, when PostgreSQL's volume is empty: makes the database and its owner, who is no superuser. The roles that
# services and reports log in as are made by the job `migrate` (`connect db roles`), in a volume of any age.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set password `cat "$CONNECT_OWNER_PASSWORD_FILE"`
SET password_encryption = 'scram-sha-256';
CREATE ROLE connect LOGIN CREATEROLE NOSUPERUSER PASSWORD :'password';
GRANT pg_monitor TO connect WITH ADMIN OPTION;
CREATE DATABASE connect OWNER connect;
SQL
