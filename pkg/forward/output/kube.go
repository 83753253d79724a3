// SPDX-License-Identifier: Apache-2.0

package output

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
)

// A service of a cluster is reached by its name from inside, and through the API server, which
// passes requests on, with a kubeconfig.

// kubeService is such a service.
type kubeService struct {
	client *Client
	base   string // URL, without a slash at its end
	auth   func() (string, error)
}

// kubeconfig is what we read of the file of that name.
type kubeconfig struct {
	Current  string `yaml:"current-context"`
	Contexts []struct {
		Name    string `yaml:"name"`
		Context struct {
			Cluster string `yaml:"cluster"`
			User    string `yaml:"user"`
		} `yaml:"context"`
	} `yaml:"contexts"`
	Clusters []struct {
		Name    string `yaml:"name"`
		Cluster struct {
			Server   string `yaml:"server"`
			CAFile   string `yaml:"certificate-authority"`
			CAData   string `yaml:"certificate-authority-data"`
			Insecure bool   `yaml:"insecure-skip-tls-verify"`
			Name     string `yaml:"tls-server-name"`
		} `yaml:"cluster"`
	} `yaml:"clusters"`
	Users []struct {
		Name string   `yaml:"name"`
		User kubeUser `yaml:"user"`
	} `yaml:"users"`
}

type kubeUser struct {
	Token     string `yaml:"token"`
	TokenFile string `yaml:"tokenFile"`
	CertFile  string `yaml:"client-certificate"`
	CertData  string `yaml:"client-certificate-data"`
	KeyFile   string `yaml:"client-key"`
	KeyData   string `yaml:"client-key-data"`
	Username  string `yaml:"username"`
	Password  string `yaml:"password"`
	Exec      any    `yaml:"exec"`
	Provider  any    `yaml:"auth-provider"`
}

// openService returns the service at inside, or at namespace/service:port of the cluster that file, if it
// is not empty, leads to.
func openService(env *Env, h *HTTP, file, inside, namespace, service string, port int) (*kubeService, error) {
	if file == "" {
		if err := CheckURL("the service's address", inside); err != nil {
			return nil, err
		}
		c, err := env.Client(h)
		return &kubeService{client: c, base: strings.TrimSuffix(inside, "/"), auth: func() (string, error) { return "", nil }}, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var k kubeconfig
	if err := yaml.Unmarshal(text, &k); err != nil {
		return nil, fmt.Errorf("%s is no kubeconfig", file)
	}
	s, err := k.open(env, h, filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	s.base += fmt.Sprintf("/api/v1/namespaces/%s/services/%s:%d/proxy", url.PathEscape(namespace), url.PathEscape(service), port)
	return s, nil
}

func (k *kubeconfig) open(env *Env, h *HTTP, dir string) (*kubeService, error) {
	var cluster, user string
	for _, c := range k.Contexts {
		if c.Name == k.Current {
			cluster, user = c.Context.Cluster, c.Context.User
		}
	}
	t, err := env.Transport(h)
	if err != nil {
		return nil, err
	}
	conf := t.TLSClientConfig
	s := &kubeService{}
	for _, c := range k.Clusters {
		if c.Name != cluster {
			continue
		}
		if err := CheckURL("server", c.Cluster.Server); err != nil {
			return nil, err
		}
		s.base = strings.TrimSuffix(c.Cluster.Server, "/")
		conf.ServerName, conf.InsecureSkipVerify = c.Cluster.Name, conf.InsecureSkipVerify || c.Cluster.Insecure
		ca, err := kubeData(dir, c.Cluster.CAFile, c.Cluster.CAData)
		if err != nil {
			return nil, err
		}
		if len(ca) > 0 {
			conf.RootCAs = x509.NewCertPool()
			if !conf.RootCAs.AppendCertsFromPEM(ca) {
				return nil, errors.New("certificate-authority holds no certificate")
			}
		}
	}
	if s.base == "" {
		return nil, errors.New("current-context leads to no cluster")
	}
	for _, u := range k.Users {
		if u.Name == user {
			if s.auth, err = u.User.open(conf, dir); err != nil {
				return nil, err
			}
		}
	}
	if s.auth == nil {
		return nil, errors.New("current-context leads to no user")
	}
	s.client = &Client{env: env, client: &http.Client{Transport: t, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	return s, nil
}

// open puts the user's certificate into conf, and returns what makes the header.
func (u *kubeUser) open(conf *tls.Config, dir string) (func() (string, error), error) {
	if u.Exec != nil || u.Provider != nil {
		return nil, errors.New("users that log in by a program are not supported: give this one a token or a certificate")
	}
	cert, err := kubeData(dir, u.CertFile, u.CertData)
	if err != nil {
		return nil, err
	}
	key, err := kubeData(dir, u.KeyFile, u.KeyData)
	if err != nil {
		return nil, err
	}
	if len(cert) > 0 {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return func() (string, error) {
		switch {
		case u.TokenFile != "": // it changes while we run
			text, err := os.ReadFile(besides(dir, u.TokenFile))
			return "Bearer " + strings.TrimSpace(string(text)), err
		case u.Token != "":
			return "Bearer " + u.Token, nil
		case u.Username != "":
			return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username+":"+u.Password)), nil
		}
		return "", nil
	}, nil
}

func besides(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// kubeData returns what is either in a file or, in base64, in the kubeconfig itself.
func kubeData(dir, file, data string) ([]byte, error) {
	if data != "" {
		b, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			return nil, errors.New("data is no base64")
		}
		return b, nil
	}
	if file == "" {
		return nil, nil
	}
	return os.ReadFile(besides(dir, file))
}

// request returns a request to path of the service.
func (s *kubeService) request(path string, e *Event, header ...string) (*Request, error) {
	auth, err := s.auth()
	if err != nil {
		return nil, Misconfigured(err)
	}
	return &Request{URL: s.base + path, Body: e.JSON(), Header: Headers(nil, append(header, "Authorization", auth)...)}, nil
}
