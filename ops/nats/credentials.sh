#!/bin/sh
# Makes what a trial of ops/nats needs: certificates and passwords. For production, use your own authority and secret store.
#
#   ops/nats/credentials.sh <folder> <node>[,<address>…]…      nodes of clusters and regions
#   ops/nats/credentials.sh <folder> --edge <node>[,<address>…]…   leaf nodes
#
# A node's certificate is valid for its name, for `localhost`, for 127.0.0.1 and for the addresses after it:
# n1,nats-1.example.com,10.0.0.1. What the folder holds already is kept, so you can add nodes later.
set -eu
umask 077

DAYS=365
usage() {
  echo 'usage: ops/nats/credentials.sh <folder> [--edge] <node>[,<address>...]...' >&2
  exit 2
}
[ $# -ge 2 ] || usage
case $1 in -*) usage ;; esac
folder=$1
shift
authority=ca
if [ "$1" = --edge ]; then
  authority=edge-ca
  shift
fi
[ $# -ge 1 ] || usage
command -v openssl > /dev/null || { echo 'credentials.sh: openssl is missing' >&2; exit 1; }

# Checks everything before it makes anything.
for node in "$@"; do
  for name in $(printf '%s' "$node" | tr ',' ' '); do
    case $name in
      -* | .* | *[!A-Za-z0-9.:-]* | ?????????????????????????????????????????????????????????????????*)
        echo "credentials.sh: $name: a name or an address has letters, digits, dots and hyphens, at most 64" >&2
        exit 2
        ;;
    esac
  done
  case ${node%%,*} in
    '' | ca | edge-ca)
      echo "credentials.sh: '${node%%,*}' is no name for a node" >&2
      exit 2
      ;;
  esac
done

mkdir -p "$folder"
log=$folder/openssl.log
: > "$log"
run() {
  "$@" >> "$log" 2>&1 || { echo "credentials.sh: $1 $2 failed:" >&2; cat "$log" >&2; exit 1; }
}
key() {
  run openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

# Both authorities exist in any case: the servers of a region name both.
for ca in ca edge-ca; do
  [ -f "$folder/$ca.pem" ] && continue
  key "$folder/$ca.key"
  run openssl req -x509 -new -key "$folder/$ca.key" -days "$DAYS" -subj "/CN=millrace trial $ca" -out "$folder/$ca.pem"
done

for node in "$@"; do
  name=${node%%,*}
  [ -f "$folder/$name.pem" ] && continue
  alternatives="DNS:$name,DNS:localhost,IP:127.0.0.1"
  for address in $(printf '%s' "${node#"$name"}" | tr ',' ' '); do
    case $address in
      *:* | *[0-9].[0-9]*.[0-9]*.[0-9]*) kind=IP ;;
      *) kind=DNS ;;
    esac
    alternatives="$alternatives,$kind:$address"
  done
  key "$folder/$name.key"
  run openssl req -new -key "$folder/$name.key" -subj "/CN=$name" -out "$folder/$name.csr"
  # A node is a server to clients and a client to other nodes.
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$alternatives" > "$folder/$name.ext"
  run openssl x509 -req -in "$folder/$name.csr" -CA "$folder/$authority.pem" -CAkey "$folder/$authority.key" \
    -CAcreateserial -days "$DAYS" -extfile "$folder/$name.ext" -out "$folder/$name.pem"
  rm "$folder/$name.csr" "$folder/$name.ext"
  echo "$folder/$name.pem"
done

# One line each, for NATS_PASSWORD_FILE. They begin with a letter: a server would read 1e5 as a number.
for user in gateway publisher administrator edge edge-gateway; do
  [ -f "$folder/$user.password" ] && continue
  echo "p$(openssl rand -hex 24)" > "$folder/$user.password"
done

# What the configurations read: those of clusters and regions, and that of a leaf node.
for role in gateway publisher administrator edge; do
  printf 'NATS_%s_PASSWORD=%s\n' "$(echo "$role" | tr a-z A-Z)" "$(cat "$folder/$role.password")"
done > "$folder/servers.env"
echo "NATS_GATEWAY_PASSWORD=$(cat "$folder/edge-gateway.password")" > "$folder/edge.env"
rm "$log"
