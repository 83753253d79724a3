# SPDX-License-Identifier: Apache-2.0
#
# What happens in the guest, told line by line. OLDER is installed and was booted with.

# until waits for a command to succeed, seconds that are long in a slow guest.
until_() {
	limit=$1
	shift
	for _ in $(seq "$limit"); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 1
	done
	return 1
}
active() { systemctl is-active --quiet falco.service; }
pid() { systemctl show -p MainPID --value "${1:-falco-kmod.service}"; }
alerts() { journalctl -t falco -o cat --no-pager 2>/dev/null | grep -c "Sensitive file opened for reading by non-trusted program.*$1"; }
# One that is told by the name of the file's reader: nobody could mix up two of them.
act() { cp /bin/cat "/tmp/probe$1" && "/tmp/probe$1" /etc/shadow >/dev/null; rm -f "/tmp/probe$1"; }
raised() { [ "$(alerts "probe$1")" -gt 0 ]; }

until_ 60 active && echo "boot: active" || { echo "WRONG: not active"; systemctl status falco-kmod falco-kmod-inject --no-pager; journalctl -b --no-pager | tail -50; }
echo "boot: module $(cat /sys/module/falco/version)"
echo "boot: enabled $(for u in falco-kmod falco-modern-bpf falco-custom falcoctl-artifact-follow; do [ "$(systemctl is-enabled $u 2>/dev/null)" = enabled ] && echo $u; done)"
act boot
until_ 30 raised boot && echo "boot: alert" || { echo "WRONG: no alert"; journalctl -t falco --no-pager | tail; }

# Upgrade while something raises alerts all the time, each with a number.
(
	i=0
	while [ ! -e /tmp/enough ]; do
		i=$((i + 1))
		act "load$i-"
		echo $i >/tmp/sent
	done
) &
until_ 60 raised load3-
apt-get install -y -o Dpkg::Options::=--force-confold "/root/falco-$NEWER-x86_64.deb" 2>&1
echo "upgrade: rc $?"
until_ 60 active && echo "upgrade: active"
echo "upgrade: module $(cat /sys/module/falco/version)"
echo "upgrade: daemon $(falco --version | sed -n 's/^Falco version: //p')"
act after
until_ 30 raised after && echo "upgrade: alert"
touch /tmp/enough
wait
sleep 2
sent=$(cat /tmp/sent)
seen=$(journalctl -t falco -o cat --no-pager | grep -o 'probeload[0-9]*-' | sort -u | wc -l)
echo "alerts under load: $sent acts, $seen seen, $((sent - seen)) while nobody watched"
[ "$seen" -gt 3 ] || echo "WRONG: hardly an alert under load"
tail -1 /etc/falco/falco.yaml | grep -q 'changed by hand' && echo "upgrade: falco.yaml kept"
tail -1 /etc/falco/falco_rules.yaml | grep -q 'changed by hand' || echo "upgrade: rules replaced"

before=$(pid)
systemctl reload falco && act reload && until_ 30 raised reload && [ "$(pid)" = "$before" ] && echo "reload: same pid"
kill -9 "$before"
until_ 90 sh -c "p=\$(systemctl show -p MainPID --value falco-kmod); [ \$p != 0 ] && [ \$p != $before ] && systemctl is-active --quiet falco-kmod" && echo "kill: other pid"

# Another of the units, and one of the driver's verbs.
systemctl disable --now falco-kmod 2>&1
systemctl enable --now falco-modern-bpf 2>&1
until_ 60 active && act other && until_ 30 raised other && echo "other: active" || { echo "WRONG: falco-modern-bpf"; systemctl status falco-modern-bpf --no-pager; }
falco driver status || echo "WRONG: falco driver status"

apt-get remove -y falco 2>&1
echo "remove: rc $?"
[ -e /sys/module/falco ] || echo "remove: no module"
[ -z "$(dkms status -m falco)" ] && [ ! -e /var/lib/dkms/falco ] && echo "remove: no dkms"
[ -e /etc/falco/falco.yaml ] && echo "remove: falco.yaml there"
[ -z "$(find /etc/systemd/system -name 'falco*')" ] && ! systemctl is-active --quiet falco && echo "remove: nothing enabled"
apt-get purge -y falco 2>&1
echo "purge: rc $?"
left=$(find / -xdev \( -path /proc -o -path /sys -o -path /root -o -path /tmp -o -path /var/log/journal -o -path /run/log -o -path '/usr/src/linux-*' -o -path /var/log/apt \) -prune -o -name '*falco*' -print)
[ -z "$left" ] && echo "purge: nothing" || echo "WRONG: remained $left"
systemctl --failed --plain --no-legend
