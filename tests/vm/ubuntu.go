// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"os"
	"path/filepath"
)

// ubuntu are suites of Ubuntu's: kernels that are older than what Debian's mirrors still have.
var ubuntu = map[string]bool{"bionic": true}

const ubuntuMirror = "http://archive.ubuntu.com/ubuntu"

// ubuntuSources has universe, too: the shell of the guests is there.
func ubuntuSources(suite, arch string) (string, error) {
	keys, err := ubuntuKeys()
	if err != nil {
		return "", err
	}
	sources := ""
	for _, part := range []string{"", "-updates", "-security"} {
		sources += fmt.Sprintf("deb [arch=%s signed-by=%s] %s %s%s main universe\n", arch, keys, ubuntuMirror, suite, part)
	}
	return sources, nil
}

// ubuntuKeys are in a package of Debian's, which Debian's keys vouch for.
func ubuntuKeys() (string, error) {
	const suite, pkg = "trixie", "ubuntu-archive-keyring"
	dir, err := cacheDir("keys")
	if err != nil {
		return "", err
	}
	keys := filepath.Join(dir, pkg+".gpg")
	if _, err := os.Stat(keys); err == nil {
		return keys, nil
	}
	apt, err := newApt(suite, hostArch)
	if err != nil {
		return "", err
	}
	if err := apt.update(); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(dir, fetching)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	debs, err := apt.download(filepath.Join(temp, "debs"), []string{pkg, "ubuntu-keyring"})
	if err != nil {
		return "", err
	}
	for _, deb := range debs {
		if err := run("dpkg-deb", "-x", deb, temp); err != nil {
			return "", err
		}
	}
	return keys, os.Rename(filepath.Join(temp, "usr/share/keyrings", pkg+".gpg"), keys)
}
