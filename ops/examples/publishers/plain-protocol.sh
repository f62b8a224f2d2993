#!/usr/bin/env bash
# A publisher with nothing but a TCP connection: the NATS text protocol, by bash's /dev/tcp.
# NATS_URL (nats://host:port, no password) and SYMBOL from the environment.
set -euo pipefail
export LC_ALL=C # ${#text} counts bytes
address="${NATS_URL:-nats://127.0.0.1:4222}"
address="${address#nats://}"
symbol="${SYMBOL:-ACME}"

now_micros() { echo "${EPOCHREALTIME/[.,]/}"; } # bash 5
epoch="plain-$(now_micros)"

exec 3<>"/dev/tcp/${address%:*}/${address##*:}"

# pub <subject> <payload>
pub() { printf 'PUB %s %d\r\n%s\r\n' "$1" "${#2}" "$2" >&3; }

# hpub <subject> <payload> <header>…: sizes are of the headers, with their empty line, and of both together
hpub() {
  local subject="$1" payload="$2" headers=$'NATS/1.0\r\n'
  shift 2
  for header in "$@"; do headers+="$header"$'\r\n'; done
  headers+=$'\r\n'
  printf 'HPUB %s %d %d\r\n%s%s\r\n' "$subject" "${#headers}" "$((${#headers} + ${#payload}))" "$headers" "$payload" >&3
}

# Reads until the server answers a PING: then it has everything sent before. An error of the server ends the script.
confirmed() {
  local line
  printf 'PING\r\n' >&3
  while read -r -t 5 line <&3; do
    case "$line" in
      PONG*) return 0 ;;
      PING*) printf 'PONG\r\n' >&3 ;;
      -ERR*) echo "$line" >&2 && return 1 ;;
    esac
  done
  echo 'the server did not answer' >&2
  return 1
}

printf 'CONNECT {"verbose":false,"pedantic":false,"headers":true,"lang":"bash","version":"1"}\r\n' >&3

hpub "md.quotes.$symbol" '{"symbol":"'"$symbol"'","current_price":10.5,"bid":10.49,"ask":10.51,"volume":1200}' \
  "Ts-Event: $(now_micros)" 'Seq: 1' "Epoch: $epoch"
hpub "md.quotes.$symbol" '{"symbol":"'"$symbol"'","volume":1250,"partial":true}' \
  "Ts-Event: $(now_micros)" 'Seq: 2' "Epoch: $epoch"
pub "md.books.$symbol" '{"symbol":"'"$symbol"'","bids":[["10.49","300"]],"asks":[["10.51","200"]],"snapshot":true}'
pub "md.books.$symbol" '{"symbol":"'"$symbol"'","bids":[["10.48","150"]],"asks":[["10.51","0"],["10.52","75"]]}'
hpub "md.trades.$symbol" \
  '{"symbol":"'"$symbol"'","trade_id":8389766145050670869,"price":"10.51","quantity":"50","buyer_id":"alice","seller_id":"bob"}' \
  "Ts-Event: $(now_micros)"
pub orders.alice \
  '{"action":"filled","order_id":"A-1","symbol":"'"$symbol"'","side":"buy","status":"filled","quantity":"50","filled_quantity":"50","price":"10.51"}'
pub analytics.alerts '{"type":"alert","data":{"severity":"info","text":"'"$symbol"' is open"}}'
pub rooms.desk-7 '{"room":"desk-7","from":"alice","data":{"text":"good morning"}}'

confirmed
exec 3>&-
