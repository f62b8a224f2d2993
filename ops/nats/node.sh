#!/bin/sh
# Starts one nats-server of a trial, with what credentials.sh made:
#
#   NATS_LISTEN=127.0.0.1:4222 NATS_MONITOR=127.0.0.1:8222 ops/nats/node.sh <folder> <node> one-node|cluster|region|edge
#
# The rest of the configuration's variables come from the environment: ops/nats/topologies.md lists them.
set -eu
if [ $# -ne 3 ] || [ ! -f "$(dirname "$0")/$3.conf" ]; then
  echo 'usage: ops/nats/node.sh <folder> <node> one-node|cluster|region|edge' >&2
  exit 2
fi
configuration=$(dirname "$0")/$3.conf
folder=$(cd "$1" && pwd)
if [ ! -f "$folder/$2.pem" ]; then
  echo "node.sh: there is no $folder/$2.pem; make it with ops/nats/credentials.sh" >&2
  exit 1
fi
set -a
case $3 in
  edge) . "$folder/edge.env" ;;
  *) . "$folder/servers.env" ;;
esac
NATS_NAME=$2
NATS_STORE=$folder/$2
NATS_CERTIFICATE=$folder/$2.pem
NATS_KEY=$folder/$2.key
NATS_CA=$folder/ca.pem
NATS_EDGE_CA=$folder/edge-ca.pem
# Debian puts it where only root looks.
PATH=$PATH:/usr/sbin
exec "${NATS_SERVER_BIN:-nats-server}" -c "$configuration"
