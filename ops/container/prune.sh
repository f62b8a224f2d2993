#!/bin/sh
# Removes from a node_modules folder what no container of this platform runs: uWebSockets' binaries for other platforms and
# versions of Node, the second of its two packages, binaries for musl, declarations, source maps, documents and tests.
# Licences stay.
#
#   prune.sh node_modules
set -eu
cd "$1"

# As src/gateway/native/uws-packages.ts chooses: the first package that has a binary for this Node.
binary=uws_$(node -p '`${process.platform}_${process.arch}_${process.versions.modules}`').node
if [ -e "@btc-vision/uwebsockets.js/$binary" ]; then
  find uWebSockets.js -name 'uws_*.node' -delete
fi
find . -name 'uws_*.node' ! -name "$binary" -delete

find . -type d -name 'musl_*' -prune -exec rm -r {} +
find . -name '*.musl.node' -delete
find . -type f ! -iname '*licen[cs]e*' ! -iname '*notice*' \( \
  -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.md' -o -name '*.markdown' \
  -o -name '*.tsbuildinfo' -o -name '*.flow' \) -delete
# A package's own tests stand at its top.
rm -rf -- */test */tests */benchmark */benchmarks @*/*/test @*/*/tests @*/*/benchmark @*/*/benchmarks
find . -type d -empty -delete
