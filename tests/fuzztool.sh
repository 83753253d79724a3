#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A -toolexec for fuzzing. The go command has every package of a test counted
# for the fuzzer, and the fuzzer looks through all counters after each run: with
# the SDKs of clouds among them, forty runs a second are left. This has only those
# packages counted that read what is fuzzed: ours, YAML and JSON.
tool=$1
shift
[ "${tool##*/}" = compile ] || exec "$tool" "$@"
case " $* " in
*' -V=full '*) # what the cache knows us by
	echo "$("$tool" "$@") fuzztool1"
	exit ;;
*' -p github.com/falco-go/falco/'* | *' -p gopkg.in/yaml.v3 '* | *' -p encoding/json '*) exec "$tool" "$@" ;;
esac
n=$#
while [ "$n" -gt 0 ]; do
	arg=$1
	shift
	[ "$arg" = -d=libfuzzer ] || set -- "$@" "$arg"
	n=$((n - 1))
done
exec "$tool" "$@"
