# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# What the scripts of the packages share. They end well whatever they find, so
# that no machine is left with half a package: what could not be done is said,
# with the command that does it later.

units="falco-kmod falco-modern-bpf falco-custom"

# say prints a line under the name of the script.
say() { echo "[$stage] $*"; }

# A system that is installed but does not run has its units enabled all the same.
have_systemctl() { command -v systemctl >/dev/null 2>&1; }
systemd_runs() { [ -d /run/systemd/system ] && have_systemctl; }

# ctl asks systemd for what may fail, since not every unit is there or known.
ctl() {
	if have_systemctl; then
		systemctl --system "$@" >/dev/null 2>&1 || true
	fi
}

# enabled_unit prints which of the units is enabled, if one is.
enabled_unit() {
	have_systemctl || return 0
	for unit in $units; do
		if [ "$(systemctl is-enabled "$unit.service" 2>/dev/null)" = enabled ]; then
			echo "$unit"
			return 0
		fi
	done
}

# leave stops and disables what runs, and unloads the module.
leave() {
	for unit in $units falcosidekick falcoctl-artifact-follow; do
		if systemd_runs; then
			ctl stop "$unit.service"
		fi
		ctl disable "$unit.service"
	done
	if systemd_runs; then
		ctl stop falco-kmod-inject.service
	fi
	falcoctl driver cleanup || say "The kernel module is still there; once it is not in use: rmmod falco"
}

# forget has systemd read what is left.
forget() {
	for unit in $units falcosidekick; do
		ctl disable "$unit.service"
	done
	if systemd_runs; then
		ctl daemon-reload
		ctl reset-failed falcosidekick.service falco-kmod.service falco-modern-bpf.service falco-custom.service falco-kmod-inject.service
	fi
}
