# Sourced by the scripts of tools/: what the build needs, and how to get it on Debian 12.
#
# Sets ROOT (the workspace), PACKAGES, PACKAGING and PACKAGE_TESTS, and gives: say, die, install_packages, build, binary.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

# What each is for: docs/architecture.md, "Built from". Nothing is downloaded but these.
PACKAGES=(
  bazel-bootstrap bazel-platforms bazel-rules-java bazel-rules-proto bazel-skylib
  g++ git python3
  libabsl-dev libboost-dev libcli11-dev libcurl4-openssl-dev libgoogle-perftools-dev libgrpc++-dev libprotobuf-dev librocksdb-dev
  libssl-dev libsystemd-dev libtoml11-dev libxxhash-dev libzstd-dev prometheus-cpp-dev
  protobuf-compiler protobuf-compiler-grpc
  libbenchmark-dev libgmock-dev libgtest-dev
  openssl tzdata
)

# What tools/package needs beside them, to make packages of what is built.
PACKAGING=(debhelper dpkg-dev python3)
# What tests/package_test.py needs, to try them.
PACKAGE_TESTS=(debootstrap lintian systemd)

say() { if [[ -t 2 ]]; then printf '\033[1m==>\033[0m %s\n' "$*" >&2; else printf '==> %s\n' "$*" >&2; fi; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Installs what is missing of the given packages (without any: of PACKAGES), with a word for each thing that can stand in
# the way.
install_packages() {
  local wanted=("$@")
  (($#)) || wanted=("${PACKAGES[@]}")
  command -v dpkg-query >/dev/null || die "this is not a Debian system (no dpkg); Historian builds on Debian 12. Install these by hand: ${wanted[*]}"
  local missing=() package
  local installed
  installed="$(dpkg-query -W -f='${db:Status-Abbrev}${binary:Package}\n' 2>/dev/null | sed -n 's/^ii *//p' | sed 's/:.*//')"
  for package in "${wanted[@]}"; do
    grep -qxF -- "$package" <<<"$installed" || missing+=("$package")
  done
  ((${#missing[@]} == 0)) && return
  command -v apt-get >/dev/null || die "apt-get is missing; install these packages by hand: ${missing[*]}"
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "these packages are missing and neither root nor sudo is at hand to install them: ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq ||
    say "apt-get update failed; trying with the package lists that are here"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get could not install: ${missing[*]}. Is this Debian 12 with its main archive, and is the network there?"
}

# bazel build TARGET..., with progress on a terminal and only errors elsewhere.
build() {
  say "building $* (a first build takes some minutes, a later one seconds)"
  local args=(--ui_event_filters=-info,-stdout,-debug)
  [[ -t 2 ]] || args+=(--noshow_progress)
  (cd "$ROOT" && bazel build "${args[@]}" "$@") || die "the build failed; the messages above say where"
}

# The path of a built binary, such as "server/historiand".
binary() { printf '%s/%s' "$(cd "$ROOT" && bazel info bazel-bin 2>/dev/null)" "$1"; }
