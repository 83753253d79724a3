// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The words of the driver-loader image, and of the script with the old name, and what "falco driver" is told.
func TestLoaderWords(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "falco"), []byte("#!/bin/sh\nprintf '<%s>' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	image, wrapper := "../../packaging/container/driver-loader.sh", "../../packaging/scripts/falco-driver-loader"
	for _, c := range []struct {
		script string
		args   []string
		env    string
		code   int
		want   string
	}{
		{image, nil, "", 0, "<driver><install><--host-root><@><--type><auto>"},
		{image, []string{"kmod", "--compile"}, "", 0, "<driver><install><--host-root><@><--type><kmod><--download=false>"},
		{image, []string{"--download", "--http-insecure"}, "", 0, "<driver><install><--host-root><@><--type><auto><--http-insecure><--compile=false>"},
		{image, []string{"--compile", "--download"}, "", 0, "<driver><install><--host-root><@><--type><auto>"},
		{image, []string{"modern_ebpf", "--clean"}, "", 0, "<driver><cleanup><--host-root><@><--type><modern_ebpf>"},
		{image, []string{"--print-env", "--kernel-release", "6.1", "--kernel-version", "#1 SMP x"}, "", 0,
			"<driver><printenv><--host-root><@><--type><auto><--kernelrelease><6.1><--kernelversion><#1 SMP x>"},
		{image, nil, "SKIP_DRIVER_LOADER=1", 0, "The driver is not touched"},
		{image, nil, "SKIP_MODULE_LOAD=yes", 0, "The driver is not touched"},
		{image, []string{"--help"}, "", 0, "Usage: "},
		{image, []string{"kmod", "auto"}, "", 1, "Only one driver per invocation"},
		{image, []string{"--fast"}, "", 1, "Unknown option: --fast"},
		{image, []string{"telepathy"}, "", 1, "Unknown driver: telepathy"},
		{image, []string{"--kernel-release"}, "", 1, "needs a value"},
		{wrapper, nil, "", 0, "<driver><install><--type><kmod>"},
		{wrapper, []string{"bpf", "--compile"}, "", 0, "<driver><install><--type><modern_ebpf><--download=false>"},
		{wrapper, []string{"module", "--clean"}, "", 0, "<driver><cleanup><--type><kmod>"},
		{wrapper, []string{"--source-only"}, "", 0, "<driver><printenv>"},
		{wrapper, []string{"--what"}, "", 1, "Unknown option: --what"},
	} {
		host := t.TempDir()
		cmd := exec.Command("sh", append([]string{c.script}, c.args...)...)
		cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "HOST_ROOT=" + host}
		if c.env != "" {
			cmd.Env = append(cmd.Env, c.env)
		}
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(strings.ReplaceAll(string(out), host, "@"), c.want) {
			t.Errorf("%s %q: %v, said %s; want %d, %s", filepath.Base(c.script), c.args, err, out, c.code, c.want)
		}
	}
}
