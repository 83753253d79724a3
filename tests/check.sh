#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The linters. Go: gofmt, go vet, staticcheck. C: every warning of compiler,
# objtool, modpost and sparse about the module, for each kernel of the list
# (FALCO_CHECK_KERNELS=), and checkpatch.pl. Closes with a count.
set -u
passed=0 failed=0

try() {
	what=$1
	shift
	if out=$("$@" 2>&1); then
		passed=$((passed + 1))
		echo "ok   $what"
	else
		failed=$((failed + 1))
		echo "$out"
		echo "FAIL $what"
	fi
}

formatted() {
	files=$(git ls-files --cached --others --exclude-standard '*.go' | xargs gofmt -l)
	[ -z "$files" ] || { echo "gofmt -w $files"; return 1; }
}

need() {
	command -v "$1" >/dev/null && return
	echo "installing $2"
	apt-get install -y -qq --no-install-recommends "$2" >/dev/null 2>&1 ||
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2"; } >/dev/null 2>&1 ||
		{ echo "apt-get install $2: failed; the C linters need it" >&2; exit 1; }
}

try gofmt formatted
try "go vet" go vet ./...
try "go vet for other systems" env GOOS=darwin go vet ./pkg/driver
try "go vet of packaging" go -C packaging vet ./...
try "go vet of the forwarder's servers" go -C tests/forward/servers vet ./...
try staticcheck go tool staticcheck ./...

need make make
need gcc gcc
need sparse sparse
mkdir -p build
go build -o build/guest ./tests/vm/run || exit 1
# Each with the compiler of its kernel, where warnings and sparse's words are errors.
for kernel in ${FALCO_CHECK_KERNELS:-4.18 5.10 6.1 6.12 7 5.10-rt 6.1-rt 6.12-rt 7-rt 6.1-arm64}; do
	try "module on $kernel" build/guest check -kernel "$kernel"
done
checkpatch=$(build/guest checkpatch) || exit 1
try checkpatch make -s -C driver style CHECKPATCH="$checkpatch"

echo "test-check: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
