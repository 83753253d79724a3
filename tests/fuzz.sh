#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs every fuzz target for a while each (go test takes one at a time), and
# closes with their count. What a target finds is kept in its testdata.
set -u
time=${1:-5s}
more=60s # for those whose seeds take longer than that

# ended reports whether nothing was found, but the time was over, which go test before 1.27 now and then calls a failure
# (go.dev/issue/75804). Whatever is found is written down, and said to be.
ended() {
	echo "$1" | grep -q '^    context deadline exceeded$' && ! echo "$1" | grep -qE 'Failing input|seed corpus entry|panic:'
}

# fuzz runs a target of a directory for so long.
fuzz() {
	go test -toolexec "$PWD/tests/fuzztool.sh" -run '^$' -fuzz "^$2\$" -fuzztime "$3" -fuzzminimizetime 1x "./$1" 2>&1
}

# runs is how many there were of a target beside its seeds.
runs() { echo "$1" | sed -n 's/.*execs: \([0-9]*\).*/\1/p' | tail -1; }

passed=0 failed=0
for file in $(grep -rl '^func Fuzz' --include='*_test.go' pkg daemon); do
	dir=$(dirname "$file")
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		for t in "$time" "$more"; do
			out=$(fuzz "$dir" "$target" "$t") && ok=1 || { ended "$out" && ok=1 || ok=0; }
			[ "$ok" = 1 ] && [ -z "$(runs "$out")" ] || break # the seeds alone took all of the time
		done
		if [ "$ok" = 1 ]; then
			passed=$((passed + 1))
			echo "ok   $dir $target: $(runs "$out") runs"
		else
			failed=$((failed + 1))
			echo "$out"
			echo "FAIL $dir $target"
		fi
	done
done
echo "test-fuzz: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
