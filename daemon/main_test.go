// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"falco": main})
}

// The program's face: what it says to whom, as scripts. Beside the usual
// commands there is one:
//
//	ready       waits until a daemon in the background says that it watches
func TestScripts(t *testing.T) {
	type key struct{}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			path := filepath.Join(env.WorkDir, ".notify")
			conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
			if err != nil {
				return err
			}
			env.Values[key{}] = conn
			env.Defer(func() { conn.Close() })
			env.Setenv("NOTIFY_SOCKET", path)
			env.Setenv("TZ", "UTC")
			corpus, err := filepath.Abs(filepath.Join("..", "tests", "corpus"))
			if err != nil {
				return err
			}
			env.Setenv("CORPUS", corpus)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) > 0 {
					ts.Fatalf("usage: ready")
				}
				conn := ts.Value(key{}).(*net.UnixConn)
				conn.SetReadDeadline(time.Now().Add(time.Minute))
				for buf := make([]byte, 64); ; {
					n, err := conn.Read(buf)
					if err != nil {
						ts.Fatalf("no daemon says that it watches: %v", err)
					}
					if string(buf[:n]) == notifyReady {
						return
					}
				}
			},
		},
	})
}
