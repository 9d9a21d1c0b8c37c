#!/usr/bin/env bash
# Builds the C++ tests with CMake under AddressSanitizer and UndefinedBehaviorSanitizer and runs them. Arguments go to
# cmake: scripts/test-native.sh -DWITH_OPENBLAS=OFF; OUT names the build folder, CXX the compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-out/sanitize}
cmake -S . -B "$out" -DSANITIZE=ON "$@" >/dev/null
cmake --build "$out" --parallel "$(nproc)" --target native_tests
# A report of a leak, an overrun or an overflow ends the run with a status other than 0.
ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 "$out/native_tests"
