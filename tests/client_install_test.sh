#!/usr/bin/env bash
# The installed client is enough to build a program outside the tree, by pkg-config and by CMake, and that one talks to a server.
set -euo pipefail
tar_file="$1" example="$2" cmake_lists="$3" historiand="$PWD/$4"

root="$TEST_TMPDIR/prefix" outside="$TEST_TMPDIR/outside"
mkdir -p "$root" "$outside"
tar -C "$root" -xf "$tar_file"
cp "$example" "$outside/example.cc"
cp "$cmake_lists" "$outside/CMakeLists.txt"
export PKG_CONFIG_PATH="$root/lib/pkgconfig"

# Sanitized objects want the sanitizer's runtime.
flags=()
if nm "$root/lib/libhistorian_client.a" 2>/dev/null | grep -q __asan_init; then flags+=(-fsanitize=address,undefined); fi

cd "$outside"
pkg-config --print-errors --exists 'historian-client >= 0.1'
# shellcheck disable=SC2046
# Options of calls are aggregates of which one names what one means: -Wextra has g++ 12 complain of the others.
c++ -std=c++20 -Wall -Wextra -Wno-missing-field-initializers -Werror "${flags[@]}" example.cc -o by_pkg_config $(pkg-config --cflags --libs historian-client)
if command -v cmake >/dev/null; then
  cmake -S . -B build -DCMAKE_PREFIX_PATH="$root" -DCMAKE_CXX_FLAGS="${flags[*]-}" >cmake.log 2>&1 || { cat cmake.log; exit 1; }
  cmake --build build >>cmake.log 2>&1 || { cat cmake.log; exit 1; }
  program=build/example
else
  echo "cmake is not installed: only pkg-config was tried"
  program=./by_pkg_config
fi

"$historiand" --data-dir="$TEST_TMPDIR/data" --grpc-listen=127.0.0.1:0 --http-listen=127.0.0.1:0 \
  --port-file="$TEST_TMPDIR/ports" >"$TEST_TMPDIR/server.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true' EXIT
for _ in $(seq 300); do
  [[ -s $TEST_TMPDIR/ports ]] && break
  sleep 0.1
done
address="$(sed -n 's/^grpc=//p' "$TEST_TMPDIR/ports")"
for one in ./by_pkg_config "$program"; do
  "$one" --server "$address" | tee out.txt
  grep -q '^read      3600 samples' out.txt
done
