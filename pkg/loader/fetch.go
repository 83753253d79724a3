// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

const (
	moduleMax    = 64 << 20 // bytes of a module that anybody offers
	signatureMax = 4 << 10
)

// fetch brings a module that somebody else has built. It must bear a signature by
// the one key that is configured: what a repository says is believed for no other
// reason. The signature is Ed25519 over the file, in FILE.sig:
//
//	openssl pkeyutl -sign -rawin -inkey key.pem -in falco_….ko -out falco_….ko.sig
func (l *Loader) fetch(ctx context.Context, release string) error {
	key, err := l.publicKey()
	if err != nil {
		return err
	}
	name := l.FileName(release)
	client := &http.Client{Timeout: l.Timeout, Transport: &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: l.Insecure},
	}}
	for _, repo := range l.Repos {
		at := strings.TrimSuffix(repo, "/") + "/" + url.PathEscape(l.Version) + "/" + l.Target.Arch + "/" + name
		done := l.step("fetching " + at)
		var module, signature []byte
		module, err = l.get(ctx, client, at, moduleMax)
		if err == nil {
			signature, err = l.get(ctx, client, at+".sig", signatureMax)
		}
		done()
		if err != nil {
			continue
		}
		if !ed25519.Verify(key, module, signature) {
			err = &Problem{What: at + " is refused: its signature is not by the key in " + l.Key, Mend: "falco driver install --download=false"}
			continue
		}
		if err = l.keep(ctx, release, name, module); err == nil {
			l.say("%s %s for %s came from %s", l.Name, l.Version, release, repo)
			return nil
		}
	}
	return err
}

// publicKey reads the key that signatures are checked with.
func (l *Loader) publicKey() (ed25519.PublicKey, error) {
	refuse := func(why string) error {
		return &Problem{What: "a repository is configured, and nothing that it offers can be trusted: " + why,
			Mend: "driver.publickey in /etc/falcoctl/falcoctl.yaml names a file with an Ed25519 public key in PEM"}
	}
	if l.Key == "" {
		return nil, refuse("no key")
	}
	text, err := os.ReadFile(l.Key)
	if err != nil {
		return nil, refuse(err.Error())
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, refuse(l.Key + " is no PEM file")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, refuse(err.Error())
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, refuse(l.Key + " is no Ed25519 key")
	}
	return key, nil
}

// FileName is what a built module is called.
func (l *Loader) FileName(release string) string {
	version := l.Target.FixedVersion()
	if release != l.Target.Release {
		version = "1"
	}
	return l.Name + "_" + l.Target.Name() + "_" + release + "_" + version + ".ko"
}

func (l *Loader) get(ctx context.Context, client *http.Client, at string, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	for k, v := range l.Headers {
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", at, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err == nil && int64(len(body)) > most {
		err = fmt.Errorf("%s: more than %d bytes", at, most)
	}
	return body, err
}

// keep checks that a module is the one for this kernel and this version, and puts it
// where modprobe finds it, with a copy in the cache.
func (l *Loader) keep(ctx context.Context, release, name string, module []byte) error {
	if !bytes.HasPrefix(module, []byte("\x7fELF")) {
		return fmt.Errorf("%s is no module", name)
	}
	dir := filepath.Join(l.Cache, l.Version, l.Target.Arch)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, module, 0o600); err != nil {
		return err
	}
	for _, want := range []struct{ field, value string }{{"vermagic", release}, {"version", l.Version}} {
		out, err := l.command(ctx, "", "modinfo", "-F", want.field, file)
		if err != nil {
			return fmt.Errorf("modinfo %s: %s", name, lastError(out+err.Error()))
		}
		if got, _, _ := strings.Cut(strings.TrimSpace(out), " "); got != want.value {
			return &Problem{What: fmt.Sprintf("%s is refused: its %s is %q, not %q", name, want.field, got, want.value), Mend: "falco driver install --download=false"}
		}
	}
	return l.place(ctx, release, file)
}
