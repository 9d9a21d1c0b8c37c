#!/usr/bin/env bash
# Builds the C++ tests for arm64 with a cross compiler and runs them under an emulator: the NEON kernels on a machine that
# has none. Debian: g++-aarch64-linux-gnu, qemu-user-static.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-out/arm64}
cmake -S . -B "$out" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DWITH_OPENBLAS=OFF \
  -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_EXE_LINKER_FLAGS=-static -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$out" --parallel "$(nproc)" --target native_tests
qemu-aarch64-static "$out/native_tests"
