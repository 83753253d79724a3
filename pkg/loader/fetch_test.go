// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// offer serves a module and its signature.
func offer(t *testing.T, module, signature []byte) (url string, asked *[]string) {
	t.Helper()
	asked = new([]string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.EscapedPath())
		switch {
		case strings.HasSuffix(r.URL.Path, ".ko"):
			w.Write(module)
		case signature != nil:
			w.Write(signature)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

// A module is taken if it is signed by the one key, and is for this kernel and this version; all else is refused, and
// nothing of it is kept where modprobe looks.
func TestFetch(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	module := []byte("\x7fELF a module")
	for _, c := range []struct {
		name      string
		module    []byte
		signature []byte
		vermagic  string
		version   string
		key       string
		refused   string // "" if it is taken
	}{
		{"good", module, ed25519.Sign(private, module), here, "1.2.3", "key", ""},
		{"unsigned", module, nil, here, "1.2.3", "key", "404"},
		{"somebody else's", module, ed25519.Sign(other, module), here, "1.2.3", "key", "signature is not by the key"},
		{"changed", []byte("\x7fELF b module"), ed25519.Sign(private, module), here, "1.2.3", "key", "signature is not by the key"},
		{"another kernel's", module, ed25519.Sign(private, module), next, "1.2.3", "key", `its vermagic is "` + next + `"`},
		{"another version's", module, ed25519.Sign(private, module), here, "1.2.2", "key", `its version is "1.2.2"`},
		{"no module", []byte("<html>"), ed25519.Sign(private, []byte("<html>")), here, "1.2.3", "key", "is no module"},
		{"no key", module, ed25519.Sign(private, module), here, "1.2.3", "", "nothing that it offers can be trusted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			m.Timeout, m.Cache = 10*time.Second, filepath.Join(m.Root, "cache")
			url, asked := offer(t, c.module, c.signature)
			m.Repos = []string{url + "/drivers/"}
			if c.key != "" {
				m.Key = filepath.Join(m.Root, c.key)
				if err := os.WriteFile(m.Key, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			m.answ = func(line string) (string, error) {
				switch {
				case strings.Contains(line, "-F vermagic"):
					return c.vermagic + " SMP preempt mod_unload modversions\n", nil
				case strings.Contains(line, "-F version"):
					return c.version + "\n", nil
				}
				return "", nil
			}
			err := m.Install(t.Context(), How{Download: true})
			placed, _ := os.ReadFile(filepath.Join(m.Root, "lib/modules", here, "extra/eagle.ko"))
			loaded := slices.ContainsFunc(m.ran, func(s string) bool { return strings.HasPrefix(s, "modprobe") })
			if c.refused == "" {
				if err != nil || string(placed) != string(module) || !loaded {
					t.Errorf("err %v, placed %q, loaded %v", err, placed, loaded)
				}
				if want := "/drivers/1.2.3/x86_64/eagle_debian_" + here + "_1.ko"; (*asked)[0] != want {
					t.Errorf("asked for %s, want %s", (*asked)[0], want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("got %v, want %q", err, c.refused)
			}
			if placed != nil || loaded {
				t.Errorf("placed %q, loaded %v", placed, loaded)
			}
			if c.key == "" && len(*asked) > 0 {
				t.Errorf("asked for %q", *asked)
			}
		})
	}
}

// Nothing is fetched unless somebody has said from where.
func TestNoRepository(t *testing.T) {
	m := newMachine(t)
	mend(t, m.Install(t.Context(), How{Download: true}), "no repository of built modules is configured", "--compile")
}
