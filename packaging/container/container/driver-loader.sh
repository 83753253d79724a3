#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What the driver-loader image does: build the module for the host's kernel and load it.
set -eu

usage() {
	cat <<'U'
Usage: driver-loader [auto|kmod|modern_ebpf] [OPTION...]
Options:
  --clean                 unload the module and remove it
  --compile               build only
  --download              fetch only, from the repository that is configured
  --http-insecure         believe any certificate
  --kernel-release VALUE  another kernel than the one that runs
  --kernel-version VALUE  ... and its version
  --print-env             print what would be built
  -h, --help              print this
U
}

host=${HOST_ROOT:-/host}
# Trees of kernel headers name each other by where they are on the host.
for tree in "$host"/usr/src/* "$host"/usr/lib/linux-kbuild-*; do
	if [ -e "$tree" ] && [ ! -e "${tree#"$host"}" ]; then
		ln -s "$tree" "${tree#"$host"}"
	fi
done

driver='' verb=install compile='' download='' options=''
while [ $# -gt 0 ]; do
	case $1 in
	auto | kmod | modern_ebpf)
		if [ -n "$driver" ]; then
			echo "Only one driver per invocation" >&2
			usage >&2
			exit 1
		fi
		driver=$1
		;;
	-h | --help)
		usage
		exit 0
		;;
	--clean) verb=cleanup ;;
	--print-env) verb=printenv ;;
	--compile) compile=yes ;;
	--download) download=yes ;;
	--http-insecure) options="$options --http-insecure" ;;
	--kernel-release | --kernel-version)
		if [ $# -lt 2 ]; then
			echo "Option $1 needs a value" >&2
			exit 1
		fi
		name=$(echo "$1" | sed 's/kernel-/kernel/')
		# Versions of kernels have blanks in them.
		if [ "$name" = --kernelrelease ]; then release=$2; else version=$2; fi
		shift
		;;
	-*)
		echo "Unknown option: $1" >&2
		usage >&2
		exit 1
		;;
	*)
		echo "Unknown driver: $1" >&2
		usage >&2
		exit 1
		;;
	esac
	shift
done

if [ -n "${SKIP_DRIVER_LOADER:-}${SKIP_MODULE_LOAD:-}" ]; then
	echo "The driver is not touched: SKIP_DRIVER_LOADER is set"
	exit 0
fi
# None given: both.
if [ -n "$compile" ] && [ -z "$download" ]; then options="$options --download=false"; fi
if [ -n "$download" ] && [ -z "$compile" ]; then options="$options --compile=false"; fi
# shellcheck disable=SC2086 # words
exec falco driver "$verb" --host-root "$host" --type "${driver:-auto}" $options \
	${release:+--kernelrelease "$release"} ${version:+--kernelversion "$version"}
