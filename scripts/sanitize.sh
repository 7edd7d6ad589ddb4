#!/usr/bin/env bash
# Looks for errors of memory in the add-on. Needs gcc with libasan, or valgrind.
#   scripts/sanitize.sh [test files]          the native-heavy tests, or those named, under AddressSanitizer
#   scripts/sanitize.sh --fuzz [options]      scripts/fuzz.js under AddressSanitizer
#   scripts/sanitize.sh --valgrind [files]    every test, or those named, of the ordinary build under valgrind's memcheck
#   scripts/sanitize.sh --valgrind --smoke    scripts/sanitize/smoke.js alone
# The instrumented add-on is built in a copy (DYCONV_SANITIZE_DIR, default a folder in the folder of temporary files, kept for the
# next run), so that the ordinary build stays as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
root="$PWD"

if [ "${1:-}" = --valgrind ]; then
  # Half a minute, and what runs before everything else: a program of a little of everything, its end included.
  log="$(mktemp)"
  trap 'rm -f "$log"' EXIT
  OMP_NUM_THREADS=1 valgrind --smc-check=all-non-file --num-callers=40 --log-file="$log" --error-exitcode=9 \
    --suppressions=scripts/sanitize/valgrind.supp node --single-threaded --no-opt scripts/sanitize/smoke.js ||
    { sed 's/^==[0-9]*== //' "$log"; exit 1; }
  grep 'ERROR SUMMARY' "$log"
  [ "${2:-}" = --smoke ] || node scripts/sanitize/memcheck.js "${@:2}"
  exit
fi

copy="${DYCONV_SANITIZE_DIR:-${TMPDIR:-/tmp}/dyconv-sanitize}"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -cf - -T - | tar -xf - -C "$copy"
ln -sfn "$root/node_modules" "$copy/node_modules"
cd "$copy"

# V8 and libtorch are not instrumented: their own leaks at exit are not what is looked for, and memory that one allocates and
# the other frees goes through different forms of operator new. V8 handles signals of its own.
export ASAN_OPTIONS="detect_leaks=0:alloc_dealloc_mismatch=0:detect_odr_violation=0:allow_user_segv_handler=1:abort_on_error=1"
flags='-fsanitize=address -fno-omit-frame-pointer -g1'
# The build ends by loading the add-on, which cannot work before libasan is preloaded: below it is.
CXXFLAGS="$flags" LDFLAGS="$flags" CCACHE_DISABLE=1 node scripts/build.js || test -f build/Release/dyconv.node
npx tsc -p tsconfig.json
npx tsc -p lib/report/browser

# libasan comes first; libstdc++ with it, or it does not find the exceptions to intercept.
export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so.6)"
export OMP_NUM_THREADS=1
if [ "${1:-}" = --fuzz ]; then
  exec node scripts/fuzz.js --hang 120 "${@:2}"
fi
[ $# -gt 0 ] || set -- test/ops test/nn test/optim test/data/augment.test.ts test/napi test/tensor test/memory.test.ts
npx vitest run --test-timeout 600000 "$@"
