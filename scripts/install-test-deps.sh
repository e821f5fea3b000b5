#!/usr/bin/env bash
# Installs what tests and benchmarks need beside Go, and is silent when all is
# there. Arguments: any of redis, memcached, postgres, node, etcd,
# network; none is all.
#
# Uses apt, through sudo when not root. Elsewhere it says what is missing and
# goes on: tests without their counterpart say that they were skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

has() { command -v "$1" >/dev/null 2>&1; }
has_postgres() { has postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; }

wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=(redis memcached postgres node etcd network)

missing=()
for what in "${wanted[@]}"; do
  case $what in
    redis)
      has redis-server || missing+=(redis-server)
      has redis-cli && has redis-benchmark || missing+=(redis-tools) ;;
    memcached) has memcached || missing+=(memcached) ;;
    postgres) has_postgres || missing+=(postgresql) ;;
    etcd) has etcd || missing+=(etcd-server) ;;
    network)
      has ip || missing+=(iproute2)
      has nft || missing+=(nftables) ;;
    node)
      has node || missing+=(nodejs)
      has npm || missing+=(npm) ;;
    *) echo "install-test-deps: $what is none of redis, memcached, postgres, node, etcd, network" >&2; exit 2 ;;
  esac
done

if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  if ! has apt-get || { [ ${#as_root[@]} -gt 0 ] && ! has sudo; }; then
    echo "install-test-deps: missing, and cannot be installed from here: ${missing[*]} (names of Debian's packages)" >&2
  else
    echo "installing with apt: ${missing[*]}"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@" >>"$log" 2>&1; }
    if ! { apt update && apt install --no-install-recommends "${missing[@]}"; }; then
      cat "$log" >&2
      echo "install-test-deps: apt could not install ${missing[*]}; its output is above" >&2
      exit 1
    fi
  fi
fi

# The clients from npm, when the lock file is newer than what was installed.
if [[ " ${wanted[*]} " == *" node "* ]] && has npm; then
  dir=tests/clients
  if [ ! -e $dir/node_modules/.package-lock.json ] || [ $dir/package-lock.json -nt $dir/node_modules/.package-lock.json ]; then
    echo "installing with npm: ioredis, node-redis"
    (cd $dir && npm ci --loglevel=error --no-audit --no-fund --ignore-scripts >/dev/null)
    touch $dir/node_modules/.package-lock.json
  fi
fi
