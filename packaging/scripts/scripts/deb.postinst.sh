# shellcheck shell=sh
set -e

stage=POST-INSTALL
case "$1" in
configure)
	had=${2:-}
	setup
	;;
abort-upgrade | abort-remove | abort-deconfigure)
	# Back to what was: the module may have gone from DKMS already.
	had=${2:-before}
	setup
	;;
esac
