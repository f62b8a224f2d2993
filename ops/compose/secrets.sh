#!/bin/sh
# Writes the secrets of ../compose.yaml that are missing into the folder `secrets` beside this file; it changes none that is there.
#
# Each image reads them as a user of its own, so the files are readable; the folder lets only you in.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets
cd secrets

random() {
  [ -e "$1" ] || (umask 022 && openssl rand -hex 32 >"$1.new" && mv "$1.new" "$1" && echo "wrote ops/compose/secrets/$1")
}
random jwt-secret
random admin-token
random nats-password
random grafana-password

# What Alertmanager sends alerts with comes from elsewhere; until then, it cannot send any.
mkdir -p alertmanager
chmod 755 alertmanager
for name in pagerduty-key slack-url; do
  [ -e "alertmanager/$name" ] || {
    (umask 022 && : >"alertmanager/$name")
    echo "wrote ops/compose/secrets/alertmanager/$name, empty: put yours there (ops/alertmanager/alertmanager.yml)"
  }
done
