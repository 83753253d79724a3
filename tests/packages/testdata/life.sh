# SPDX-License-Identifier: Apache-2.0
#
# What happens in the guest after boot.sh, told line by line. OLDER is installed and was booted with.

# Falco hands its alerts to falcosidekick by the socket in root's folder, and falcosidekick says each. It is nobody's
# account: what root gave it to read it has by its group.
step "forwarder"
systemctl start falcosidekick # says nothing and does nothing: nobody has told it anything yet
active falcosidekick && echo "WRONG: falcosidekick runs without a configuration"
install -m 0640 -g falco /usr/share/falco/falcosidekick.yaml /etc/falco/
echo "debug: true" >>/etc/falco/falcosidekick.yaml
systemctl enable --now falcosidekick 2>&1
echo "sidekick: $(stat -L -c '%a %U:%G' /run/falco/sidekick.sock), in $(stat -c '%a %U:%G' /run/falcosidekick/), linked in $(stat -c '%a %U:%G' /run/falco/)"
printf 'json_output: true\nhttp_output: {enabled: true, url: "unix:///run/falco/sidekick.sock"}\n' >/etc/falco/config.d/sidekick.yaml
systemctl reload falco
# systemctl does not wait until the daemon has read its configuration again.
forwarded() { act aside && sleep 1 && journalctl -u falcosidekick -o cat --no-pager -n 20 | grep -q "process=probeaside "; }
until_ 300 forwarded && echo "sidekick: alert" || { echo "WRONG: not forwarded"; systemctl status falco falcosidekick --no-pager; }
# From here on it only runs: what goes to two places takes an emulated machine twice as long.
rm /etc/falco/config.d/sidekick.yaml
systemctl reload falco
sed -i '/^debug/d' /etc/falco/falcosidekick.yaml
runs=$(pid falcosidekick.service)
systemctl reload falcosidekick && [ "$(pid falcosidekick.service)" = "$runs" ] && echo "sidekick: reload"

# Upgrade while something raises alerts all the time, each with a number.
(
	i=0
	while [ ! -e /tmp/enough ]; do
		i=$((i + 1))
		act "load$i-"
		echo $i >/tmp/sent
		sleep 0.3
	done
) &
load=$!
until_ 300 raised load3-
step "upgrade begins"
apt-get install -y -o Dpkg::Options::=--force-confold "/root/falco-$NEWER-x86_64.deb" 2>&1
echo "upgrade: rc $?"
until_ 300 active && echo "upgrade: active"
echo "upgrade: module $(cat /sys/module/falco/version)"
echo "upgrade: daemon $(falco --version | sed -n 's/^Falco version: //p')"
act after
until_ 300 raised after && echo "upgrade: alert"
touch /tmp/enough
wait $load
sent=$(cat /tmp/sent)
act last
until_ 300 raised last # and so all that came before
seen=$(grep -o 'process=probeload[0-9]*-' /run/told | sort -u | wc -l)
step "upgraded"
echo "alerts under load: $sent acts, $seen seen, $((sent - seen)) while nobody watched"
[ "$seen" -gt 3 ] || echo "WRONG: hardly an alert under load"
readlink "/proc/$(pid falcosidekick.service)/exe" | grep -qx /usr/bin/falcosidekick && echo "upgrade: falcosidekick"
tail -1 /etc/falco/falco.yaml | grep -q 'changed by hand' && echo "upgrade: falco.yaml kept"
tail -1 /etc/falco/falco_rules.yaml | grep -q 'changed by hand' || echo "upgrade: rules replaced"

before=$(pid)
systemctl reload falco && act reload && until_ 300 raised reload && [ "$(pid)" = "$before" ] && echo "reload: same pid"
kill -9 "$before"
until_ 300 sh -c "p=\$(systemctl show -p MainPID --value falco-kmod); [ \$p != 0 ] && [ \$p != $before ] && systemctl is-active --quiet falco-kmod" && echo "kill: other pid"

# Another of the units, and one of the driver's verbs.
systemctl disable --now falco-kmod 2>&1
systemctl enable --now falco-modern-bpf 2>&1
until_ 300 active falco-modern-bpf && act other && until_ 300 raised other && echo "other: active" || { echo "WRONG: falco-modern-bpf"; systemctl status falco-modern-bpf --no-pager; }
falco driver status || echo "WRONG: falco driver status"

kill $follower
step "removal begins"
apt-get remove -y falco 2>&1
echo "remove: rc $?"
[ -e /sys/module/falco ] || echo "remove: no module"
[ -z "$(dkms status -m falco)" ] && [ ! -e /var/lib/dkms/falco ] && echo "remove: no dkms"
[ -e /etc/falco/falco.yaml ] && echo "remove: falco.yaml there"
[ -z "$(find /etc/systemd/system -name 'falco*')" ] && ! systemctl is-active --quiet falco && ! systemctl is-active --quiet falcosidekick && echo "remove: nothing enabled"
apt-get purge -y falco 2>&1
echo "purge: rc $?"
left=$(find / -xdev \( -path /proc -o -path /sys -o -path /root -o -path /tmp -o -path /var/log/journal -o -path /run/log -o -path '/usr/src/linux-*' -o -path /var/log/apt \) -prune -o -name '*falco*' -print)
left="$left$(grep ^falco /etc/group)"
[ -z "$left" ] && echo "purge: nothing" || echo "WRONG: remained $left"
step end
systemctl --failed --plain --no-legend
