#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The linters. Go: gofmt, go vet, staticcheck. C: the kernel's own warnings as
# errors against the headers of 5.10 and 6.1, sparse, and checkpatch.pl where
# the headers bring it. Closes with a count.
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

# A warning about a file of ours is a failure; those about the kernel's own
# headers are not ours to mend. sparse only warns, so its words count, too.
silent_build() {
	copy=$(mktemp -d)
	cp -r driver/. "$copy"
	(cd "$copy" && make clean KDIR="$2" CC=gcc-12 && make "$1" KDIR="$2" CC=gcc-12 FALCO_STRICT=y) >"$copy/log" 2>&1
	status=$?
	ours=$(grep -E "^($copy/)?[a-z_/]+\\.[ch]:[0-9]+:[0-9]+: (warning|error)" "$copy/log")
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

need gcc-12 gcc-12
need make make
need sparse sparse
old=$(go run ./tests/vm/run kdir -kernel 5.10) || exit 1
new=$(go run ./tests/vm/run kdir -kernel 6.1) || exit 1
try "module on 5.10" silent_build module "$old"
try "module on 6.1, all warnings, sparse" silent_build check "$new"
if [ -x "$new/scripts/checkpatch.pl" ]; then
	try checkpatch make -s -C driver style KDIR="$new"
else
	skipped=$((skipped + 1))
	echo "SKIP checkpatch: these kernel headers do not bring it"
fi

echo "test-check: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
