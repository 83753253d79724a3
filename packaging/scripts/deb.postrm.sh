# shellcheck shell=sh
set -e

stage=POST-REMOVE
case "$1" in
remove)
	forget
	;;
purge)
	ctl unmask falcoctl-artifact-follow.service
	rm -f /etc/falco/config.d/engine-kind-falcoctl.yaml
	rm -rf /var/lib/falco /var/log/falco /run/falco /root/.falco
	rm -rf /var/lib/falcosidekick /var/lib/private/falcosidekick
	rm -f /etc/falco/falcosidekick.yaml /etc/falco/falcosidekick.env
	for dir in /etc/falco/config.d /etc/falco/rules.d /etc/falco /etc/falcoctl /usr/share/falco/plugins /usr/share/falco; do
		rmdir "$dir" 2>/dev/null || true
	done
	if command -v groupdel >/dev/null; then
		groupdel falco 2>/dev/null || true
	fi
	;;
esac
