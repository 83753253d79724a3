// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// FalcoctlPath is where the settings of "falco driver" are.
const FalcoctlPath = "/etc/falcoctl/falcoctl.yaml"

// Falcoctl are the settings of "falco driver".
type Falcoctl struct {
	Types     []string // which kinds of engine may be chosen, the best first
	Name      string
	Version   string
	HostRoot  string
	Repos     []string
	PublicKey string
}

// LoadFalcoctl reads a file and then the environment, which wins. A file that is not
// there is an empty one; keys of the original's tool that mean nothing here are
// left alone.
func LoadFalcoctl(path string, env func(string) (string, bool)) (*Falcoctl, error) {
	c := &Falcoctl{Types: []string{KindKmod}, Name: "falco", HostRoot: "/"}
	f, err := os.Open(path)
	switch {
	case err == nil:
		defer f.Close()
		tree, err := parse(f, path)
		if err != nil {
			return nil, err
		}
		if err := c.read(tree.get("driver")); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	for _, v := range []struct {
		name string
		to   *string
	}{{"NAME", &c.Name}, {"VERSION", &c.Version}, {"HOSTROOT", &c.HostRoot}, {"PUBLICKEY", &c.PublicKey}} {
		if text, ok := env("FALCOCTL_DRIVER_" + v.name); ok && text != "" {
			*v.to = text
		}
	}
	if text, ok := env("HOST_ROOT"); ok && text != "" && c.HostRoot == "/" {
		c.HostRoot = text
	}
	for _, v := range []struct {
		name string
		to   *[]string
	}{{"TYPE", &c.Types}, {"REPOS", &c.Repos}} {
		if text, ok := env("FALCOCTL_DRIVER_" + v.name); ok && text != "" {
			*v.to = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
		}
	}
	return c, nil
}

func (c *Falcoctl) read(n *node) error {
	for _, v := range []struct {
		key string
		to  *string
	}{{"name", &c.Name}, {"version", &c.Version}, {"hostroot", &c.HostRoot}, {"publickey", &c.PublicKey}} {
		if text := n.textOf(v.key); text != "" {
			*v.to = text
		}
	}
	for _, v := range []struct {
		key string
		to  *[]string
	}{{"type", &c.Types}, {"repos", &c.Repos}} {
		if list := n.get(v.key); list != nil && list.kind != null {
			texts, err := list.texts()
			if err != nil {
				return err
			}
			*v.to = texts
		}
	}
	return nil
}

// EngineKind returns engine.kind as the file at path has it, "" if it says nothing.
func EngineKind(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	tree, err := parse(f, path)
	if err != nil {
		return "", err
	}
	return tree.get("engine").textOf("kind"), nil
}
