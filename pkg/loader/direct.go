// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// extra is where modules are put that neither the kernel's package nor DKMS has
// brought, below /lib/modules/RELEASE.
const extra = "extra"

// buildDirect builds in a copy of the sources, without DKMS: nobody does it again
// when another kernel comes.
func (l *Loader) buildDirect(ctx context.Context, release, headers string) error {
	began := time.Now()
	dir, err := os.MkdirTemp("", "falco-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(filepath.Join(dir, "src"), os.DirFS(l.source())); err != nil {
		return err
	}
	src := filepath.Join(dir, "src")
	args := append([]string{"-j" + jobs(), "KDIR=" + l.follow(headers), "FALCO_VERSION=" + l.Version}, compilerOf(l.follow(headers))...)
	done := l.step("building " + l.Name + " " + l.Version + " for " + release)
	out, err := l.command(ctx, src, "make", append(args, "module")...)
	done()
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if out == "" {
			return err
		}
		log := filepath.Join(os.TempDir(), l.Name+"-"+l.Version+"-"+release+".log")
		if os.WriteFile(log, []byte(out), 0o600) != nil {
			log = ""
		}
		return l.explain(release, out, log)
	}
	if out, err := l.command(ctx, src, "sh", "./sign.sh", release, l.follow(headers), l.Name+".ko"); err != nil {
		l.say("%s", strings.TrimSpace(out))
	}
	if err := l.place(ctx, release, filepath.Join(src, l.Name+".ko")); err != nil {
		return err
	}
	l.say("%s %s was built for %s without DKMS (%.0f s): nobody builds it for the next kernel; %s changes that",
		l.Name, l.Version, release, time.Since(began).Seconds(), l.Target.install("dkms", "dkms"))
	return nil
}

// jobs is how many compilers run at the same time.
func jobs() string {
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return "2"
	}
	_, last, _ := strings.Cut(strings.TrimSpace(string(online)), "-")
	n, _ := strconv.Atoi(last)
	return strconv.Itoa(min(max(n+1, 1), 16))
}

// compilerOf says what make must be told where the kernel was not built with gcc.
func compilerOf(headers string) []string {
	conf, err := os.ReadFile(filepath.Join(headers, "include/config/auto.conf"))
	if err == nil && strings.Contains(string(conf), "CONFIG_CC_IS_CLANG=y") {
		return []string{"LLVM=1"}
	}
	return nil
}

// place puts a module where modprobe finds it, whole or not at all.
func (l *Loader) place(ctx context.Context, release, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := l.removeFiles(ctx, release); err != nil {
		return err
	}
	to := l.path("/lib/modules/" + release + "/" + extra + "/" + l.Name + ".ko")
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(to+".new", text, 0o644); err != nil {
		return err
	}
	if err := os.Rename(to+".new", to); err != nil {
		return err
	}
	if out, err := l.command(ctx, "", "depmod", "-b", l.Root, release); err != nil {
		return &Problem{What: "depmod: " + lastError(out+err.Error()), Mend: "depmod " + release}
	}
	l.relabel(ctx, release)
	return nil
}

// removeFiles removes what place, or a DKMS that has lost its sources, left below
// /lib/modules, of all kernels if none is named.
func (l *Loader) removeFiles(ctx context.Context, releases ...string) error {
	if len(releases) == 0 {
		entries, err := os.ReadDir(l.path("/lib/modules"))
		if err != nil {
			return nil
		}
		for _, e := range entries {
			releases = append(releases, e.Name())
		}
	}
	for _, release := range releases {
		removed := false
		for _, dir := range []string{extra, "updates/dkms", "updates", "kernel/extra"} {
			files, _ := filepath.Glob(l.path("/lib/modules/" + release + "/" + dir + "/" + l.Name + ".ko*")) // the pattern is ours
			for _, f := range files {
				if err := os.Remove(f); err != nil && !os.IsNotExist(err) {
					return err
				}
				removed = true
			}
			if len(files) > 0 {
				os.Remove(filepath.Dir(files[0])) // if it is empty
			}
		}
		if removed {
			if out, err := l.command(ctx, "", "depmod", "-b", l.Root, release); err != nil {
				l.say("depmod %s: %s", release, lastError(out))
			}
		}
	}
	return nil
}

// relabel gives the module the SELinux label that lets it be loaded, where there is SELinux.
func (l *Loader) relabel(ctx context.Context, release string) {
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err != nil {
		return
	}
	filepath.WalkDir(l.path("/lib/modules/"+release), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), l.Name+".ko") {
			l.command(ctx, "", "restorecon", path) // where it fails, loading says so
		}
		return nil
	})
}
