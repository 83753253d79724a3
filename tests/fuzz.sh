#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs every fuzz target for a while each (go test takes one at a time), and
# closes with their count. What a target finds is kept in its testdata.
set -u
time=${1:-5s}

# ended reports whether nothing was found, but the time was over, which go test before 1.27 now and then calls a failure
# (go.dev/issue/75804). Whatever is found is written down, and said to be.
ended() {
	echo "$1" | grep -q '^    context deadline exceeded$' && ! echo "$1" | grep -qE 'Failing input|seed corpus entry|panic:'
}

passed=0 failed=0
for file in $(grep -rl '^func Fuzz' --include='*_test.go' pkg daemon); do
	dir=$(dirname "$file")
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		if out=$(go test -toolexec "$PWD/tests/fuzztool.sh" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1x "./$dir" 2>&1) || ended "$out"; then
			passed=$((passed + 1))
			runs=$(echo "$out" | sed -n 's/.*execs: \([0-9]*\).*/\1/p' | tail -1)
			seeds=$(echo "$out" | sed -n 's/.*coverage: \([0-9]*\).*/\1/p' | tail -1)
			echo "ok   $dir $target: ${runs:-${seeds:-0} seeds and no new} runs"
		else
			failed=$((failed + 1))
			echo "$out"
			echo "FAIL $dir $target"
		fi
	done
done
echo "test-fuzz: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
