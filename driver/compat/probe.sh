#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# probe.sh OUT PROBES CC FLAGS... writes the header OUT: a FALCO_HAVE_ line for
# each PROBE_ section of the C file PROBES that compiles with CC FLAGS, and
# FALCO_FEATURES, the same as a string.
set -eu

out=$1 probes=$2
shift 2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# gcc before 14 only warns about what we want to hear. The branch that asks for
# an interface that is not there must fail for that reason and no other.
compile() {
	name=$1
	shift
	"$@" -Wno-error -Werror=implicit-function-declaration -Werror=incompatible-pointer-types \
		-Werror=int-conversion -Werror=discarded-qualifiers \
		-D"PROBE_$name" -c -o "$tmp/$name.o" "$probes" 2>"$tmp/$name.err"
}

if ! compile SANITY "$@"; then
	cat "$tmp/SANITY.err" >&2
	echo "falco: an empty file does not compile against these kernel headers (compiler output above)" >&2
	exit 1
fi

names=$(sed -n 's/^#ifdef PROBE_\([A-Z0-9_]*\).*/\1/p' "$probes" | grep -v '^SANITY$')
running=0
for name in $names; do
	compile "$name" "$@" || : &
	running=$((running + 1))
	if [ $((running % 4)) -eq 0 ]; then
		wait
	fi
done
wait

features=
for name in $names; do
	if [ -e "$tmp/$name.o" ]; then
		features="$features${features:+ }$name"
	fi
done
echo "  falco: these headers have: $features"

{
	echo '/* Written by compat/probe.sh: what these kernel headers have. */'
	for name in $features; do
		echo "#define FALCO_HAVE_$name 1"
	done
	echo "#define FALCO_FEATURES \"$features\""
} >"$out"
