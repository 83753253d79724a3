# SPDX-License-Identifier: Apache-2.0
#
# How each guest begins: what is installed watches after the boot. Others go on from here.

# What takes a second elsewhere may take minutes in a guest that is emulated on a busy machine: waits are long, and each is told.
now() { cut -d. -f1 /proc/uptime; }
until_() {
	limit=$1 began=$(now)
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ $(($(now) - began)) -lt "$limit" ] || return 1
		sleep 0.5
	done
	took=$(($(now) - began))
	[ "$took" -lt 3 ] || echo "waited $took s for: $*"
}
active() { systemctl is-active --quiet "${1:-falco}.service"; }
pid() { systemctl show -p MainPID --value "${1:-falco-kmod.service}"; }
# The journal as it grows: to read all of it again and again takes its time.
journalctl -t falco -o cat --no-pager -n all -f >/run/told 2>/dev/null &
follower=$!
# One that is told by the name of the file's reader: nobody could mix up two of them.
act() { cp /bin/cat "/tmp/probe$1" && "/tmp/probe$1" /etc/shadow >/dev/null; rm -f "/tmp/probe$1"; }
raised() { grep -q "Warning Sensitive file read .*process=probe$1 " /run/told; }
step() { echo "at $(now) s: $*"; }

step booted
until_ 300 active && echo "boot: active" || { echo "WRONG: not active"; systemctl status falco-kmod falco-kmod-inject --no-pager; journalctl -b --no-pager | tail -50; }
echo "boot: module $(cat /sys/module/falco/version)"
echo "boot: enabled $(for u in falco-kmod falco-modern-bpf falco-custom falcoctl-artifact-follow; do [ "$(systemctl is-enabled $u 2>/dev/null)" = enabled ] && echo $u; done)"
act boot
until_ 300 raised boot && echo "boot: alert" || { echo "WRONG: no alert"; journalctl -t falco --no-pager | tail; }
