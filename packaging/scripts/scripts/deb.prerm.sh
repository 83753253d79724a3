# shellcheck shell=sh
set -e

stage=PRE-REMOVE
case "$1" in
remove | deconfigure)
	leave
	;;
upgrade)
	# Falco goes on watching until the new one is ready. The sources are about to go,
	# and DKMS must not be left with a version without them.
	falcoctl driver cleanup --keep-loaded --version "@VERSION@" || true
	;;
esac
