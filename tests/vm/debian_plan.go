// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"path"

	"github.com/falco-go/falco/tests/vm/wire"
)

// What is added to the files of a Debian's disk for one run: init puts it there before anybody else runs.

// debianTexts are files that every Debian guest has.
var debianTexts = map[string]string{
	"/etc/hostname":   guestName + "\n",
	"/etc/hosts":      etc["hosts"].text + "127.0.1.1\t" + guestName + "\n",
	"/etc/machine-id": "6661636f6661636f6661636f6661636f\n", // else the first boot makes one, and all that belongs to it
	// Nothing is newer than what follows from it.
	"/etc/.updated": "", "/var/.updated": "",
}

// systemdTexts have systemd start init as when says.
func systemdTexts(when string) map[string]string {
	return map[string]string{
		"/etc/systemd/system/guest.target": `[Unit]
Description=What is tried in this guest
Requires=multi-user.target guest.service
After=multi-user.target
AllowIsolate=yes
`,
		"/etc/systemd/system/guest.service": `[Unit]
Description=Init of the guest
` + when + `

[Service]
Type=exec
ExecStart=/init ` + wire.ServiceArg + `
StandardInput=null
StandardOutput=null
StandardError=null
KillMode=process
Delegate=yes
OOMScoreAdjust=-1000
TasksMax=infinity
LimitNOFILE=1048576
`,
	}
}

// When init starts. After the boot everything that is enabled runs, and nothing of the machine's own noise comes any more.
// Beside the boot it is among the first, so that the daemon sees the others start; the act then has to wait for them.
const (
	afterBoot  = "After=multi-user.target"
	besideBoot = "DefaultDependencies=no"
)

// masked are units that would only take time, or wake up later.
var masked = []string{
	"serial-getty@ttyS0.service", "getty@tty1.service", "console-getty.service", "getty-static.service",
	"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
	"systemd-tmpfiles-clean.timer", "man-db.timer", "logrotate.timer", "motd-news.timer",
	"systemd-update-utmp.service", "systemd-update-utmp-runlevel.service", "systemd-networkd-wait-online.service",
	"systemd-pcrphase.service", "systemd-pcrphase-sysinit.service", "systemd-binfmt.service", "systemd-remount-fs.service",
	"systemd-random-seed.service", "systemd-firstboot.service", "systemd-hwdb-update.service", "systemd-boot-random-seed.service",
	"sys-kernel-debug.mount", "sys-kernel-tracing.mount", "dev-hugepages.mount", "dev-mqueue.mount", "sys-fs-fuse-connections.mount",
	"systemd-sysupdate.timer", "systemd-homed.service", "systemd-userdbd.socket",
}

// debianFiles is what a run adds, besides falco and what the test gives.
func (r *guestRoot) debianFiles(c *Config) {
	add := func(texts map[string]string) {
		for name, text := range texts {
			r.plain[name] = text
		}
	}
	add(debianTexts)
	if !c.Debian.Systemd {
		return
	}
	when := afterBoot
	if c.WatchBoot {
		when = besideBoot
	}
	add(systemdTexts(when))
	const units = "/etc/systemd/system"
	r.links[path.Join(units, "default.target")] = "guest.target"
	for _, unit := range masked {
		r.links[path.Join(units, unit)] = "/dev/null"
	}
}

// systemdArgs are what systemd reads of the kernel's command line: what it says goes to the kernel's log alone.
func (c *Config) systemdArgs() []string {
	if c.Debian == nil || !c.Debian.Systemd {
		return nil
	}
	args := []string{"systemd.show_status=0", "systemd.log_target=kmsg"}
	if c.CgroupV1 {
		args = append(args, "systemd.unified_cgroup_hierarchy=0", "systemd.legacy_systemd_cgroup_controller=1")
	}
	return args
}
