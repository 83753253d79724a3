# shellcheck shell=sh

stage=POST-INSTALL
if [ "$1" -ge 1 ]; then
	had=
	if [ "$1" -ge 2 ]; then
		had=before
	fi
	setup
fi
true
