# SPDX-License-Identifier: Apache-2.0
#
# What acts and bypasses have in common.

actor=/files/actor
actor32=/files/actor32
stage=/tmp/stage
id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
container=/sys/fs/cgroup/docker/$id
privileged=/sys/fs/cgroup/docker/f${id#0}
status=0

# step NAME COMMAND …: a file of that name is opened before, one called end after.
step() {
	echo >"/tmp/steps/${1//\//:}"
	echo "$1: ${*:2}"
	"${@:2}" </dev/null || { echo "this step did not come off: $1: ${*:2}"; status=1; }
	echo >/tmp/steps/end
}

# may COMMAND …: that it is attempted is enough.
may() { "$@" || true; }

# in_container PROG …: in a control group of the shape that docker makes. PROG is a path.
in_container() { "$actor" enter "$container" "$@"; }
in_privileged() { "$actor" enter "$privileged" "$@"; }

# web PATH: asks the web server, without tidying the path.
web() { curl -s --path-as-is -o /dev/null "http://127.0.0.1:8080$1"; }

python() { python3 -c "$1" "${@:2}"; }
