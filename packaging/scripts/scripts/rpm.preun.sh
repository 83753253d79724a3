# shellcheck shell=sh

# Runs after the new version's post when it is an upgrade: that is none of its business.
stage=PRE-REMOVE
if [ "$1" -eq 0 ]; then
	leave
fi
true
