# shellcheck shell=sh
# shellcheck disable=SC2154 # stage and had are set by whoever this is put together with

fragment=/etc/falco/config.d/engine-kind-falcoctl.yaml

# ask TITLE TEXT ENTRIES... prints which entry was chosen, if somebody is there to
# choose: on a terminal, with dialog, and not told to be quiet.
ask() {
	if [ "${FALCO_FRONTEND:-}" = noninteractive ] || ! command -v dialog >/dev/null || ! (: </dev/tty) 2>/dev/null; then
		return 0
	fi
	dialog --keep-window --erase-on-exit --stdout --backtitle "Falco" --title "$1" --menu "$2" 14 76 4 \
		"$3" "$4" "$5" "$6" ${7:+"$7"} ${8:+"$8"} ${9:+"$9"} ${10:+"${10}"} </dev/tty 2>/dev/tty || true
}

# choose sets driver, to nothing if nobody shall watch, and unit.
choose() {
	driver=auto
	case "${FALCO_DRIVER_CHOICE:-}" in
	none) choice=1 ;;
	kmod) choice=3 ;;
	modern_ebpf) choice=4 ;;
	ebpf)
		say "FALCO_DRIVER_CHOICE=ebpf is modern_ebpf today"
		choice=4
		;;
	*) choice= ;;
	esac
	# An upgrade asks nothing: what was decided once stays.
	if [ -z "$choice" ] && [ -n "$had" ]; then
		unit=$(enabled_unit)
		case "$unit" in
		falco-kmod) driver=kmod ;;
		falco-modern-bpf) driver=modern_ebpf ;;
		falco-custom) driver=custom ;;
		*) if [ -e "$fragment" ]; then driver=auto; else driver=; fi ;;
		esac
	else
		if [ -z "$choice" ]; then
			choice=$(ask "Falco drivers" "Choose a driver:" 1 "Manual configuration (no unit is started)" \
				2 "Automatic selection" 3 "Kmod" 4 "Modern eBPF (the kernel module under that name)")
		fi
		case "$choice" in
		1) driver= ;;
		3) driver=kmod ;;
		4) driver=modern_ebpf ;;
		esac
	fi
	case "$driver" in
	auto | kmod) unit=falco-kmod ;;
	modern_ebpf) unit=falco-modern-bpf ;;
	custom) unit=falco-custom ;;
	*) unit= ;;
	esac
}

# follow_rules masks the unit that would follow rules if somebody wants that. It does
# nothing but say that rules come with the package.
follow_rules() {
	ctl unmask falcoctl-artifact-follow.service
	answer=${FALCOCTL_ENABLED:-}
	if [ -z "$answer" ] && [ -z "$had" ] && [ -n "$driver" ] &&
		[ "$(ask "Falcoctl" "Rules come with the package. Keep the unit that follows them?" 1 "Yes" 2 "No")" = 2 ]; then
		answer=no
	fi
	if [ "$answer" = no ] && [ -n "$driver" ]; then
		ctl mask falcoctl-artifact-follow.service
	fi
}

# now prints a time in hundredths of a second.
now() { tr -d . </proc/uptime 2>/dev/null | cut -d' ' -f1; }

# watch starts the unit, and tells for how long nobody watched if somebody did before.
watch() {
	was=
	for old in $units; do
		if systemctl --system is-active --quiet "$old.service" 2>/dev/null; then
			was=$old
		fi
	done
	began=$(now)
	if [ -n "$was" ] && [ "$was" != "$unit" ]; then
		ctl stop "$was.service"
	fi
	if ! systemctl --system restart "$unit.service"; then
		say "Falco did not start. What it said: systemctl status $unit falco-kmod-inject; what is in its way: falco doctor"
		return 0
	fi
	if [ -n "$was" ]; then
		gap=$(($(now) - began))
		say "Falco watches again; nobody did for $(echo "$gap" | sed -e 's/^.$/0&/' -e 's/^..$/0&/' -e 's/..$/.&/') s"
	else
		say "Falco watches this machine: journalctl -t falco"
	fi
}

# group makes the one that may read what falcosidekick is told, secrets among it.
group() {
	if command -v systemd-sysusers >/dev/null; then
		systemd-sysusers falco.conf >/dev/null 2>&1 || true
	elif command -v groupadd >/dev/null && ! getent group falco >/dev/null; then
		groupadd --system falco || true
	fi
}

# setup is what happens after the files have come. Nothing in it makes the package fail.
setup() {
	choose
	group
	say "Disable all possible 'falco' services:"
	for other in $units; do
		if [ "$other" != "$unit" ]; then
			ctl disable "$other.service"
		fi
	done
	follow_rules
	if systemd_runs; then
		ctl daemon-reload
		ctl try-restart falcosidekick.service
	fi
	if [ -z "$driver" ]; then
		if [ -n "$had" ]; then
			# It was built by hand then; it is again.
			if [ -d /sys/module/falco ]; then
				falcoctl driver install --download=false || true
			fi
		fi
		return 0
	fi
	kind=$driver
	if [ "$driver" = auto ]; then
		kind=kmod
	fi
	if [ "$driver" != custom ]; then
		falcoctl driver config --type "$kind" ||
			say "The kind of engine was not written down; falco.yaml says it"
	fi
	code=0
	falcoctl driver install --type "$kind" --download=false || code=$?
	case "$code" in
	0) ;;
	3)
		# Built, and the kernel does not take it: with the key enrolled it will.
		ctl enable "$unit.service"
		say "Falco is installed and will watch once the kernel accepts its module (see above)"
		return 0
		;;
	4)
		# Built for a kernel that does not run now, or nothing can be loaded from here.
		ctl enable "$unit.service"
		say "Falco is installed and will watch after the next boot"
		return 0
		;;
	*)
		if [ -n "$had" ] && [ "$(enabled_unit)" = "$unit" ]; then
			say "What watched before goes on until it is restarted. After mending what is said above: falco driver install && systemctl restart $unit"
		else
			say "Falco is installed and does not watch yet. After mending what is said above: falco driver install && systemctl enable --now $unit"
		fi
		return 0
		;;
	esac
	ctl enable "$unit.service"
	if systemd_runs; then
		watch
	elif have_systemctl && [ -z "${container:-}" ] && [ ! -e /.dockerenv ]; then
		say "Falco is installed and will watch after the next boot"
	else
		say "No systemd runs here: start Falco with the command falco"
	fi
}
