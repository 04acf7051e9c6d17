#!/usr/bin/env bash
# The fresh-machine trial: does a clone build, start and pass its tests where nothing but a shell and apt is installed?
#
#   fresh_machine.sh [--suite NAME] [--root FOLDER] [--keep] [--only build|run|test|deps] [-- argument for ./dev test...]
#
# Makes a root of the named suite (bookworm unless said otherwise) with debootstrap, puts a fresh `git clone` of this
# tree's HEAD in it, and runs `./dev build`, `./dev run` (until the server answers PING) and `./dev test` in a chroot.
# Needs root and debootstrap. The package mirror, name resolution, certificates and proxy settings are the host's own:
# a new machine at the same place would be given the same. The root is removed at the end unless --keep is given; with
# --keep the next trial starts from it and only the clone is new.
set -euo pipefail

suite=bookworm
root=
keep=no
parts="build run test"
while [ $# -gt 0 ]; do
  case "$1" in
    --suite) suite=$2; shift 2 ;;
    --root) root=$2; shift 2 ;;
    --keep) keep=yes; shift ;;
    --only) parts=$2; shift 2 ;;
    --) shift; break ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done
test_arguments=("$@")

[ "$(id -u)" = 0 ] || { echo "fresh_machine: needs root" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "fresh_machine: please install debootstrap" >&2; exit 2; }
source_tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
root=${root:-$(mktemp -d -t larder-fresh.XXXXXX)}

# The mirror the host's apt uses for its own distribution: the first deb line or URIs field.
host_mirror() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    awk '$1 == "URIs:" {print $2} $1 == "deb" {for (i = 2; i <= NF; ++i) if ($i ~ /^https?:/) {print $i; break}}' |
    grep -E '/(debian|ubuntu)/?$' | head -n 1
}

mounts=()
mount_into() { # type or --bind source, where
  local where=$root/${*: -1}
  mkdir -p "$where"
  mount "${@:1:$#-1}" "$where"
  mounts+=("$where")
}

clean_up() {
  local index
  for ((index = ${#mounts[@]} - 1; index >= 0; --index)); do umount "${mounts[index]}" || umount -l "${mounts[index]}"; done
  if [ "$keep" = no ]; then rm -rf --one-file-system "$root"; fi
}
trap clean_up EXIT

make_root() {
  if [ ! -e "$root/etc/debian_version" ]; then
    echo "== a root of $suite in $root"
    # With --variant=minbase there is a shell, apt and little else.
    debootstrap --variant=minbase "$suite" "$root" "$(host_mirror)"
  fi
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  # A site's own certificate authority and apt settings belong to the place, not to the machine.
  mkdir -p "$root/usr/local/share/ca-certificates"
  cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
  grep -rlsi 'proxy' /etc/apt/apt.conf.d | xargs -r cp -t "$root/etc/apt/apt.conf.d" || true
  mount_into -t proc proc proc
  mount_into -t sysfs sysfs sys
  mount_into --bind /dev dev
  mount_into --bind /dev/pts dev/pts
}

# Runs a command line in the root with a clean environment; proxy and certificate variables are the place's and stay.
inside() {
  local kept=()
  local name
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY NODE_EXTRA_CA_CERTS PIP_CERT \
    SSL_CERT_FILE; do
    if [ -n "${!name:-}" ]; then kept+=("$name=${!name}"); fi
  done
  chroot "$root" env -i HOME=/root TERM=dumb CI=true PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    "${kept[@]}" bash -c "$1" </dev/null
}

try_build() {
  echo "== ./dev build"
  inside 'cd /larder && ./dev build'
}

# Starts the server as README says and asks it for a PONG with nothing but bash. `./dev` becomes the server, so the process
# that was started is the one to stop, and it must then end with 0.
try_run() {
  echo "== ./dev run"
  inside 'cd /larder
    ./dev run --port 17379 & server=$!
    while kill -0 $server 2>/dev/null; do
      sleep 1
      if (exec 3<>/dev/tcp/127.0.0.1/17379 && printf "PING\r\n" >&3 && read -r -t 2 answer <&3 &&
          [[ "$answer" == +PONG* ]]) 2>/dev/null; then
        echo "the server answers"
        kill -TERM $server
        wait $server
        exit $?
      fi
    done
    echo "the server ended before it answered"
    exit 1'
}

# Everything any command of dev needs: not part of the trial, but it prepares a kept root.
try_deps() {
  inside 'cd /larder && ./dev deps'
}

try_test() {
  echo "== ./dev test"
  inside "cd /larder && ./dev test ${test_arguments[*]:-}"
}

make_root
rm -rf "$root/larder"
git -c safe.directory='*' clone -q --no-hardlinks "$source_tree" "$root/larder"
started=$SECONDS
for part in $parts; do
  "try_$part"
  echo "== $part passed, $((SECONDS - started)) s since the clone"
done
