// SPDX-License-Identifier: Apache-2.0

// Program packaging makes the packages: deb, rpm and a tarball for each
// architecture, the same bytes whenever and wherever the same sources go in.
//
//	go -C packaging run . [-out ../dist] [-version V] [-arch amd64,arm64] [-key FILE]
//	go -C packaging run . -install DIR [-version V]
//
// Reading order: main.go (what is made), stage.go (from which files), nfpm.yaml
// (where they go), scripts.go (what runs when they arrive), tarball.go, install.go.
//
// The time in the packages is SOURCE_DATE_EPOCH, else that of the last commit.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// kernelArch is how the kernel, and so file names, call what Go calls otherwise.
var kernelArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// release is what is made.
type release struct {
	root    string // of the repository
	out     string
	version string
	key     string // file with an OpenPGP key that signs them, "" for none
	time    time.Time
}

func main() {
	var r release
	var arches, dir string
	flag.StringVar(&r.root, "root", "..", "the repository")
	flag.StringVar(&r.out, "out", "../dist", "where the packages go")
	flag.StringVar(&r.version, "version", "", "their version, instead of what the file VERSION says")
	flag.StringVar(&arches, "arch", "amd64,arm64", "architectures")
	flag.StringVar(&r.key, "key", "", "`FILE` with the OpenPGP key that signs deb and rpm")
	flag.StringVar(&dir, "install", "", "no packages: their files below `DIR`, for this machine's architecture")
	flag.Parse()
	err := r.begin()
	if err == nil && dir != "" {
		err = r.install(dir, hostArch())
	} else if err == nil {
		err = r.make(strings.FieldsFunc(arches, func(c rune) bool { return c == ',' || c == ' ' }))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

// versionForm is what dpkg, rpm and DKMS all take in a file name.
var versionForm = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$`)

// begin finds out which version is made, and the time that its files bear.
func (r *release) begin() error {
	if r.version == "" {
		text, err := os.ReadFile(filepath.Join(r.root, "VERSION"))
		if err != nil {
			return err
		}
		r.version = strings.TrimSpace(string(text))
	}
	if !versionForm.MatchString(r.version) {
		return fmt.Errorf("version %q: want 1.2.3, 1.2.3-rc1 or 1.2.3-4+abcdef0", r.version)
	}
	if err := r.setTime(); err != nil {
		return err
	}
	// nfpm falls back to this where it has no time of its own.
	return os.Setenv("SOURCE_DATE_EPOCH", fmt.Sprint(r.time.Unix()))
}

// make makes the packages of all architectures.
func (r *release) make(arches []string) error {
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	for _, arch := range arches {
		if kernelArch[arch] == "" {
			return fmt.Errorf("architecture %q: falco.ko is for amd64 and arm64", arch)
		}
		if err := r.makeArch(arch); err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
	}
	return nil
}

// setTime finds the time that all files bear.
func (r *release) setTime() error {
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if seconds == "" {
		out, err := exec.Command("git", "-C", r.root, "log", "-1", "--format=%ct").Output()
		if err != nil {
			return fmt.Errorf("time of the last commit: %w; set SOURCE_DATE_EPOCH where there is no git", err)
		}
		seconds = strings.TrimSpace(string(out))
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	r.time = time.Unix(n, 0).UTC()
	return nil
}

// resolve stages the files of one architecture while use is at work with the
// recipe that names them.
func (r *release) resolve(arch string, use func(*nfpm.Config) error) error {
	stage, err := os.MkdirTemp("", "falco-packaging-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage)
	if err := r.stage(stage, arch); err != nil {
		return err
	}
	recipe, err := os.ReadFile(filepath.Join(r.root, "packaging", "nfpm.yaml"))
	if err != nil {
		return err
	}
	text := strings.NewReplacer("@VERSION@", r.version, "@ARCH@", arch, "@STAGE@", stage).Replace(string(recipe))
	parsed, err := nfpm.Parse(strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("nfpm.yaml: %w", err)
	}
	return use(&parsed)
}

// makeArch makes the three packages of one architecture.
func (r *release) makeArch(arch string) error {
	return r.resolve(arch, func(config *nfpm.Config) error { return r.pack(config, arch) })
}

func (r *release) pack(config *nfpm.Config, arch string) error {
	base := filepath.Join(r.out, "falco-"+r.version+"-"+kernelArch[arch])
	for _, format := range []string{"deb", "rpm"} {
		info, err := r.prepare(config, format)
		if err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
		packager, err := nfpm.Get(format)
		if err != nil {
			return err
		}
		if err := writeFile(base+"."+format, func(f *os.File) error { return packager.Package(info, f) }); err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
	}
	info, err := r.prepare(config, "deb")
	if err != nil {
		return err
	}
	return writeFile(base+".tar.gz", func(f *os.File) error {
		return tarball(f, filepath.Base(base), info.Contents, r.time)
	})
}

// prepare resolves what the recipe says for one format. Every file gets the one
// time, so that a second build has the same bytes.
func (r *release) prepare(config *nfpm.Config, format string) (*nfpm.Info, error) {
	info, err := config.Get(format)
	if err != nil {
		return nil, err
	}
	info = nfpm.WithDefaults(info)
	info.MTime = r.time
	if format == "deb" {
		info.License = ""   // Debian has no such field: it is in the file copyright
		info.Changelog = "" // nfpm would write one that lintian cannot read
	}
	info.RPM.Signature.KeyFile, info.Deb.Signature.KeyFile = r.key, r.key
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return nil, err
	}
	for _, c := range info.Contents {
		if c.FileInfo != nil {
			c.FileInfo.MTime = r.time
			c.FileInfo.Owner, c.FileInfo.Group = "root", "root"
		}
	}
	return info, nil
}

// writeFile leaves a whole file or none.
func writeFile(name string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name))
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	fmt.Println(name)
	return nil
}
