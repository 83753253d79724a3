#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# sign.sh KERNEL HEADERS FILE signs a module that was just built, so that a kernel
# that asks for signatures (Secure Boot) takes it. DKMS calls it after each build;
# FILE may be compressed, and be named without .gz, .xz or .zst then.
#
# The key is, in this order: FALCO_SIGN_KEY and FALCO_SIGN_CERT, the same two in
# /etc/falco/signing.conf, the machine owner's key of Debian and Ubuntu, DKMS's own.
# Without a key nothing is signed, and that is no error. DKMS from version 3 on signs
# with the last two by itself: then there is nothing left to do here.
set -eu

kernel=$1 headers=$2 module=$3

if [ -z "${FALCO_SIGN_KEY:-}" ] && [ -r /etc/falco/signing.conf ]; then
	# shellcheck disable=SC1091 # the administrator's
	. /etc/falco/signing.conf
fi
own=${FALCO_SIGN_KEY:-}
if [ -z "$own" ]; then
	for pair in /var/lib/shim-signed/mok/MOK.priv:/var/lib/shim-signed/mok/MOK.der /var/lib/dkms/mok.key:/var/lib/dkms/mok.pub; do
		if [ -r "${pair%%:*}" ] && [ -r "${pair#*:}" ]; then
			FALCO_SIGN_KEY=${pair%%:*} FALCO_SIGN_CERT=${pair#*:}
			break
		fi
	done
fi
[ -n "${FALCO_SIGN_KEY:-}" ] || exit 0

sign_file=
for tool in "$headers/scripts/sign-file" "/usr/src/linux-headers-$kernel/scripts/sign-file" "/usr/src/kernels/$kernel/scripts/sign-file" \
	"/usr/lib/linux-kbuild-$(echo "$kernel" | cut -d. -f1-2)/scripts/sign-file"; do
	if [ -x "$tool" ]; then
		sign_file=$tool
		break
	fi
done
if [ -z "$sign_file" ]; then
	echo "falco: $module is not signed: no sign-file for $kernel" >&2
	exit 0
fi

pack=
for form in gz:gzip xz:xz zst:zstd; do
	if [ -e "$module.${form%:*}" ]; then
		pack=${form#*:}
		case $pack in
		zstd) zstd -q -d --rm "$module.zst" ;;
		*) "$pack" -d "$module.${form%:*}" ;;
		esac
	fi
done

# A signature is the last thing in the file.
if tail -c 28 "$module" | grep -q 'Module signature appended'; then
	signed=yes
else
	signed=
fi
if [ -z "$signed" ] || [ -n "$own" ]; then
	if [ -n "$signed" ]; then
		strip -g "$module" # and with it somebody else's signature
	fi
	"$sign_file" sha256 "$FALCO_SIGN_KEY" "$FALCO_SIGN_CERT" "$module"
	echo "falco: $module is signed with $FALCO_SIGN_KEY"
fi

case $pack in
gzip) gzip -9n "$module" ;;
xz) xz --check=crc32 "$module" ;; # the kernel reads no other check
zstd) zstd -q --rm "$module" ;;
esac
