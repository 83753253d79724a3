// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKernelDepends(t *testing.T) {
	got := kernelDepends(`linux-headers-6.1.0-56-cloud-amd64
  Depends: linux-headers-6.1.0-56-common
  Depends: linux-kbuild-6.1
 |Depends: linux-image-6.1.0-56-cloud-amd64:any
  Depends: linux-compiler-gcc-12-x86
  Depends: linux-base
  Breaks: linux-headers-6.0
  Depends: <linux-image-virtual>
`)
	want := []string{"linux-headers-6.1.0-56-common", "linux-kbuild-6.1", "linux-image-6.1.0-56-cloud-amd64"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSourcesList(t *testing.T) {
	mirrors := parseMirrors(`Debian Debian main bookworm http://mirror.example/debian/
Debian Debian main bookworm-updates http://mirror.example/debian/
Debian Debian-Security main bookworm-security http://mirror.example/debian-security/
Debian Debian contrib bookworm http://other.example/debian/
nodistro nodesource main nodistro https://node.example/
`)
	const keys = "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
	for suite, want := range map[string]string{
		"bookworm": keys + "http://mirror.example/debian/ bookworm main\n" +
			keys + "http://mirror.example/debian-security/ bookworm-security main\n",
		"trixie": keys + "http://mirror.example/debian/ trixie main\n" +
			keys + "http://mirror.example/debian-security/ trixie-security main\n",
		"sid": keys + "http://mirror.example/debian/ sid main\n",
	} {
		if got := sourcesList(suite, "amd64", mirrors); got != want {
			t.Errorf("%s: got\n%s", suite, got)
		}
	}
	// A host that has security updates from nowhere gets none here.
	if got := sourcesList("bookworm", "amd64", mirrors[:1]); strings.Contains(got, "security") {
		t.Errorf("without a security repository: got\n%s", got)
	}
}

// apt must neither read nor write what belongs to the host.
func TestAptOptions(t *testing.T) {
	a := &apt{suite: "bookworm", dir: "/cache/apt/bookworm"}
	line := strings.Join(a.options(), " ")
	for _, name := range []string{"Dir::State", "Dir::State::status", "Dir::Cache", "Dir::Etc::sourcelist", "Dir::Etc::sourceparts"} {
		if !strings.Contains(line, "-o "+name+"=/cache/apt/bookworm/") {
			t.Errorf("%s is the host's in %s", name, line)
		}
	}
}

func TestMissingPackages(t *testing.T) {
	tools := []tool{{"make", "make"}, {"gcc", "gcc"}, {"gcc", "libc6-dev"}, {"cc1", "gcc"}, {"sh", "dash"}}
	got := missingPackages(tools, func(command string) bool { return command == "make" || command == "sh" })
	if diff := cmp.Diff([]string{"gcc", "libc6-dev"}, got); diff != "" {
		t.Error(diff)
	}
	command := strings.Join(installCommand(got), " ")
	if command != "apt-get install -y --no-install-recommends gcc libc6-dev" {
		t.Error(command)
	}
}

// The error of a command tells what the command said.
func TestOutput(t *testing.T) {
	out, err := output(exec.Command("sh", "-c", "echo fine"))
	if out != "fine\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	_, err = output(exec.Command("sh", "-c", "echo bad >&2; exit 3"))
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.HasSuffix(err.Error(), "\nbad") {
		t.Errorf("%v", err)
	}
}
