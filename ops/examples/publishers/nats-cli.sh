#!/usr/bin/env bash
# A publisher with the NATS command line (https://github.com/nats-io/natscli). NATS_URL and SYMBOL from the environment.
set -euo pipefail
export NATS_URL="${NATS_URL:-nats://127.0.0.1:4222}"
symbol="${SYMBOL:-ACME}"
now_micros() { echo "${EPOCHREALTIME/[.,]/}"; } # bash 5
epoch="cli-$(now_micros)"

# A whole quote, with the headers that Millrace reads: when it happened (µs), and the publisher's own numbering.
nats pub "md.quotes.$symbol" \
  '{"symbol":"'"$symbol"'","current_price":10.5,"bid":10.49,"ask":10.51,"volume":1200}' \
  -H "Ts-Event:$(now_micros)" -H "Seq:1" -H "Epoch:$epoch"
nats pub "md.quotes.$symbol" '{"symbol":"'"$symbol"'","volume":1250,"partial":true}' \
  -H "Ts-Event:$(now_micros)" -H "Seq:2" -H "Epoch:$epoch"

# A whole book, then levels that changed; quantity 0 removes one. Headers are optional.
nats pub "md.books.$symbol" '{"symbol":"'"$symbol"'","bids":[["10.49","300"]],"asks":[["10.51","200"]],"snapshot":true}'
nats pub "md.books.$symbol" '{"symbol":"'"$symbol"'","bids":[["10.48","150"]],"asks":[["10.51","0"],["10.52","75"]]}'

nats pub "md.trades.$symbol" \
  '{"symbol":"'"$symbol"'","trade_id":8389766145050670869,"price":"10.51","quantity":"50","buyer_id":"alice","seller_id":"bob"}' \
  -H "Ts-Event:$(now_micros)"

nats pub orders.alice \
  '{"action":"filled","order_id":"A-1","symbol":"'"$symbol"'","side":"buy","status":"filled","quantity":"50","filled_quantity":"50","price":"10.51"}'
nats pub analytics.alerts '{"type":"alert","data":{"severity":"info","text":"'"$symbol"' is open"}}'
nats pub rooms.desk-7 '{"room":"desk-7","from":"alice","data":{"text":"good morning"}}'
