// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"

	"github.com/falco-go/falco/pkg/forward"
)

// webSettings are those of the web page, beside webui.url, which is the output's.
type webSettings struct {
	Enabled       bool   `key:"enabled"`
	ListenAddress string `key:"listenaddress" default:"127.0.0.1"`
	ListenPort    int    `key:"listenport" default:"2802"`
}

func (w *webSettings) sections() []forward.Section {
	return []forward.Section{{Name: "webui", Into: w}}
}

var errNoPage = errors.New("webui.enabled: this build has no web page")

// openPage starts the page, if it is on.
func openPage(w *webSettings, _ *forward.Config, _ *logger) (io.Closer, error) {
	if w.Enabled {
		return nil, errNoPage
	}
	return io.NopCloser(nil), nil
}
