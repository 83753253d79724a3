// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

// apt is Debian's package index for one suite and machine, with lists of its own in the cache: any suite can be asked on
// any Debian, nothing of the host's apt changes, and nobody needs to be root. Signatures are checked as ever.
type apt struct {
	suite, arch, dir string
}

const debianKeys = "/usr/share/keyrings/debian-archive-keyring.gpg"

func newApt(suite, arch string) (*apt, error) {
	for _, command := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(command); err != nil {
			return nil, fmt.Errorf("%s is missing: kernels are fetched with Debian's apt", command)
		}
	}
	name := suite
	if arch != hostArch {
		name += "-" + arch
	}
	dir, err := cacheDir("apt", name)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"state/lists/partial", "cache/archives/partial", "empty.d"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	a := &apt{suite: suite, arch: arch, dir: dir}
	if err := os.WriteFile(a.path("status"), nil, 0o644); err != nil {
		return nil, err
	}
	if ubuntu[suite] {
		sources, err := ubuntuSources(suite, arch)
		if err != nil {
			return nil, err
		}
		return a, os.WriteFile(a.path("sources.list"), []byte(sources), 0o644)
	}
	mirrors, err := hostMirrors()
	if err != nil {
		return nil, err
	}
	sources := sourcesList(suite, arch, mirrors)
	return a, os.WriteFile(a.path("sources.list"), []byte(sources), 0o644)
}

func (a *apt) path(name string) string { return filepath.Join(a.dir, name) }

// A repository of Debian's that the host's apt knows.
type repository struct {
	suite, uri string
	security   bool
}

// hostMirrors are the repositories that the host's apt uses: whatever is configured there, a company's mirror too, has all
// suites. What apt has never updated it does not know the origin of, so it may have to update first.
func hostMirrors() ([]repository, error) {
	for updated := false; ; updated = true {
		out, err := exec.Command("apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(COMPONENT) $(RELEASE) $(REPO_URI)",
			"Created-By: Packages").Output()
		if err != nil {
			return nil, fmt.Errorf("ask apt for its repositories: %w", err)
		}
		if mirrors := parseMirrors(string(out)); len(mirrors) > 0 {
			return mirrors, nil
		}
		if updated {
			return nil, errors.New("apt knows no repository of Debian's: is there one in /etc/apt/sources.list?")
		}
		if _, err := output(exec.Command("apt-get", "-q", "update")); err != nil {
			return nil, offline(err)
		}
	}
}

// parseMirrors reads lines of "Debian Debian-Security main bookworm-security http://…".
func parseMirrors(text string) (mirrors []repository) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 5 && fields[0] == "Debian" && fields[2] == "main" {
			mirrors = append(mirrors, repository{suite: fields[3], uri: fields[4], security: fields[1] == "Debian-Security"})
		}
	}
	return mirrors
}

// sourcesList is the suite and, where it has one, its security suite: kernels get their fixes there. The repository of the
// same suite is asked first, else one that the host has for another.
func sourcesList(suite, arch string, mirrors []repository) string {
	var b strings.Builder
	add := func(suite string, security bool) {
		uri := ""
		for _, m := range mirrors {
			if m.security == security && (uri == "" || m.suite == suite) {
				uri = m.uri
			}
		}
		if uri != "" {
			fmt.Fprintf(&b, "deb [arch=%s signed-by=%s] %s %s main\n", arch, debianKeys, uri, suite)
		}
	}
	add(suite, false)
	if suite != "sid" {
		add(suite+"-security", true)
	}
	return b.String()
}

// options point apt at our folder.
func (a *apt) options() []string {
	var options []string
	for _, o := range [][2]string{
		{"Dir::State", a.path("state")},
		{"Dir::State::status", a.path("status")},
		{"Dir::Cache", a.path("cache")},
		{"Dir::Etc::sourcelist", a.path("sources.list")},
		{"Dir::Etc::sourceparts", a.path("empty.d")},
		{"Dir::Etc::preferencesparts", a.path("empty.d")},
		{"APT::Architecture", a.arch},
		{"APT::Architectures::", a.arch},
		{"APT::Sandbox::User", "root"},
		{"APT::Get::List-Cleanup", "true"},
		{"Acquire::Languages", "none"},
		{"Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false"},
		{"Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled", "false"},
		{"Acquire::Retries", "3"},
		// sid promises each index for a week only, and a machine's clock or mirror may be further apart than that.
		{"Acquire::Check-Valid-Until", fmt.Sprint(a.suite != "sid")},
	} {
		options = append(options, "-o", o[0]+"="+o[1])
	}
	return options
}

func (a *apt) run(dir, command string, words ...string) (string, error) {
	cmd := exec.Command(command, append(append(a.options(), "-q"), words...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	return output(cmd)
}

func (a *apt) update() error {
	_, err := a.run(a.dir, "apt-get", "--error-on=any", "update")
	if err != nil {
		return offline(err)
	}
	return nil
}

// offline adds what to do to an error of apt's.
func offline(err error) error {
	return fmt.Errorf("%w\nhint: is Debian's mirror in reach? Behind a proxy set http_proxy; without a network copy %s from a "+
		"machine that has it, or name another folder with FALCO_CACHE", err, cacheRoot())
}

// closure follows what packages depend on, as far as their names begin with "linux-": that is the real image, its headers
// and the tools that these need, but neither the compiler nor what an installation would bring.
func (a *apt) closure(packages []string) ([]string, error) {
	known := map[string]bool{}
	todo := append([]string(nil), packages...)
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		if known[name] {
			continue
		}
		known[name] = true
		text, err := a.run(a.dir, "apt-cache", "depends", "--no-recommends", "--no-suggests", "--no-enhances",
			"--no-conflicts", "--no-breaks", "--no-replaces", name)
		if err != nil {
			return nil, err
		}
		todo = append(todo, kernelDepends(text)...)
	}
	var real []string
	for name := range known {
		if !isMetapackage(name) {
			real = append(real, name)
		}
	}
	sort.Strings(real)
	return real, nil
}

// has tells whether the suite has a package.
func (a *apt) has(name string) bool {
	out, err := a.run(a.dir, "apt-cache", "pkgnames", name)
	return err == nil && slicesContain(strings.Fields(out), name)
}

// isMetapackage tells linux-image-cloud-amd64 from linux-image-6.1.0-56-cloud-amd64.
func isMetapackage(name string) bool {
	version := strings.IndexAny(name, "0123456789")
	return version < 1 || name[version-1] != '-'
}

// wouldInstall are the packages that apt would install on an empty system, with all that they depend on.
func (a *apt) wouldInstall(packages []string) ([]string, error) {
	text, err := a.run(a.dir, "apt-get", append([]string{"install", "--simulate", "--no-install-recommends", "-y"}, packages...)...)
	if err != nil {
		return nil, err
	}
	return simulated(text), nil
}

// simulated reads apt-get's "Inst gcc-14 (14.2.0-19 …)" lines.
func simulated(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[0] == "Inst" {
			names = append(names, fields[1])
		}
	}
	return names
}

// kernelDepends reads apt-cache's "  Depends: linux-…" lines.
func kernelDepends(text string) []string {
	var names []string
	for _, line := range strings.Split(text, "\n") {
		name, found := strings.CutPrefix(strings.TrimLeft(line, " |"), "Depends: ")
		if !found {
			continue
		}
		for _, prefix := range []string{"linux-image-", "linux-headers-", "linux-kbuild-", "linux-modules-", "linux-binary-"} {
			// The unsigned image is an alternative to the one that we boot.
			if strings.HasPrefix(name, prefix) && !strings.HasSuffix(name, "-unsigned") {
				names = append(names, strings.TrimSuffix(name, ":any"))
			}
		}
	}
	return names
}

func slicesContain(list []string, s string) bool {
	for _, each := range list {
		if each == s {
			return true
		}
	}
	return false
}

// download leaves the packages in dir and gives their paths.
func (a *apt) download(dir string, packages []string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := a.run(dir, "apt-get", append([]string{"download"}, packages...)...); err != nil {
		return nil, offline(err)
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err == nil && len(debs) != len(packages) {
		err = fmt.Errorf("apt-get download left %d files for %d packages", len(debs), len(packages))
	}
	return debs, err
}

// run runs a command whose output matters only when it fails.
func run(name string, args ...string) error {
	_, err := output(exec.Command(name, args...))
	return err
}

// output is the standard output of a command; the error of a failing one ends with the last lines it printed.
func output(cmd *exec.Cmd) (string, error) {
	var out, both bytes.Buffer
	cmd.Stdout = &teeBuffer{&out, &both}
	cmd.Stderr = &both
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return out.String(), fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, tail(both.String(), 30))
	case err != nil:
		return out.String(), fmt.Errorf("%s: %w", filepath.Base(cmd.Path), err)
	}
	return out.String(), nil
}

// combined is all that a command prints, and how it ended.
func combined(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w", filepath.Base(cmd.Path), err)
	}
	return string(out), err
}

type teeBuffer [2]*bytes.Buffer

func (t *teeBuffer) Write(p []byte) (int, error) {
	t[0].Write(p)
	return t[1].Write(p)
}

// tail is the last n lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
