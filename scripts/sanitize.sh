#!/usr/bin/env bash
# Runs tests with the add-on under AddressSanitizer: scripts/sanitize.sh [test files, default: the native parts]
# Works on a copy in a temporary folder, so that the ordinary build stays as it is. Needs gcc with libasan.
set -euo pipefail
cd "$(dirname "$0")/.."

root="$PWD"
copy="$(mktemp -d)"
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -cf - -T - | tar -xf - -C "$copy"
ln -s "$root/node_modules" "$copy/node_modules"
cd "$copy"

# libtorch and V8 are not instrumented: their own leaks at exit are not what is looked for.
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1
flags='-fsanitize=address -fno-omit-frame-pointer -g1'
# The build ends by loading the add-on, which cannot work before libasan is preloaded: below it is.
CXXFLAGS="$flags" LDFLAGS="$flags" CCACHE_DISABLE=1 node scripts/build.js || test -f build/Release/dyconv.node

[ $# -gt 0 ] || set -- test/ops test/nn test/optim test/data/augment.test.ts test/napi/native.test.ts test/tensor
LD_PRELOAD="$(gcc -print-file-name=libasan.so)" npx vitest run "$@"
