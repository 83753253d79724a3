#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The linters. Go: gofmt, go vet, staticcheck. C: the kernel's own warnings as
# errors and sparse, against the headers of the guest's kernel; checkpatch.pl
# where those headers bring it. Closes with a count.
set -u
passed=0 failed=0 skipped=0

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

# sparse only warns: whatever is said about a file of ours is a failure. Warnings
# about the kernel's own headers are not ours to mend.
silent_build() {
	copy=$(mktemp -d)
	cp -r driver/. "$copy"
	(cd "$copy" && make clean KDIR="$1" && make check KDIR="$1") >"$copy/log" 2>&1
	status=$?
	ours=$(grep -E "^($copy/)?[a-z_/]+\.[ch]:[0-9]+:[0-9]+: (warning|error)" "$copy/log")
	[ $status = 0 ] || tail -30 "$copy/log"
	echo "$ours"
	rm -rf "$copy"
	[ $status = 0 ] && [ -z "$ours" ]
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
try staticcheck go tool staticcheck ./...

need gcc gcc
need make make
need sparse sparse
kdir=$(go run ./tests/vm/run kdir) || exit 1
try "module, all warnings, sparse" silent_build "$kdir"
if [ -x "$kdir/scripts/checkpatch.pl" ]; then
	try checkpatch make -s -C driver style KDIR="$kdir"
else
	skipped=$((skipped + 1))
	echo "SKIP checkpatch: these kernel headers do not bring it"
fi

echo "test-check: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
