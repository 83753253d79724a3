# shellcheck shell=sh

stage=POST-REMOVE
if [ "$1" -eq 0 ]; then
	forget
fi
true
