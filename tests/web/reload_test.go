// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sidekick is a running falcosidekick of which every line is heard.
type sidekick struct {
	t                      *testing.T
	program, config, state string
	cmd                    *exec.Cmd
	lines                  chan string
	url                    string
}

func startSidekick(t *testing.T, settings string) *sidekick {
	t.Helper()
	s := &sidekick{t: t, config: filepath.Join(t.TempDir(), "falcosidekick.yaml"), program: build(t, "../../daemon/sidekick"), state: t.TempDir()}
	s.write(settings)
	s.start()
	t.Cleanup(func() {
		if err := s.stop(syscall.SIGTERM); err != nil {
			t.Errorf("falcosidekick: %v", err)
		}
	})
	return s
}

func (s *sidekick) start() {
	s.t.Helper()
	s.lines = make(chan string, 1000)
	s.cmd = exec.Command(s.program, "-c", s.config)
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "STATE_DIR=" + s.state}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd.Stderr = s.cmd.Stdout
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(s.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.lines <- lines.Text()
		}
	}()
	s.url = "http://" + regexp.MustCompile(`is at (\S+)`).FindStringSubmatch(s.until("the web page is at"))[1] + "/"
}

func (s *sidekick) stop(signal os.Signal) error {
	s.cmd.Process.Signal(signal)
	for range s.lines {
	}
	return s.cmd.Wait()
}

func (s *sidekick) write(settings string) {
	s.t.Helper()
	if err := os.WriteFile(s.config, []byte("listenport: 0\n"+settings), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// until returns all lines up to the one that has the text.
func (s *sidekick) until(text string) string {
	s.t.Helper()
	var all strings.Builder
	for {
		select {
		case line, ok := <-s.lines:
			if !ok {
				s.t.Fatalf("falcosidekick ended:\n%s", &all)
			}
			fmt.Fprintln(&all, line)
			if strings.Contains(line, text) {
				return all.String()
			}
		case <-time.After(time.Minute):
			s.t.Fatalf("no %q in\n%s", text, &all)
		}
	}
}

func (s *sidekick) reload(settings, said string) string {
	s.t.Helper()
	s.write(settings)
	s.cmd.Process.Signal(syscall.SIGHUP)
	return s.until(said)
}

// login returns the session's cookie and the status.
func (s *sidekick) login(password string) (string, int) {
	s.t.Helper()
	res, err := http.Post(s.url+"api/v2/login", "application/json", bytes.NewReader([]byte(fmt.Sprintf(`{"user":"admin","password":%q}`, password))))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	for _, c := range res.Cookies() {
		return c.Name + "=" + c.Value, res.StatusCode
	}
	return "", res.StatusCode
}

func (s *sidekick) get(path, cookie string) (string, int) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Cookie", cookie)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text), res.StatusCode
}

// SIGHUP has the page's settings take effect: what is kept, who may come in. What is wrong changes nothing, and what
// takes a restart is said.
func TestReload(t *testing.T) {
	const settings = "webui:\n  enabled: true\n  listenport: %d\n  password: %s\n  retention:\n    events: %d\n"
	s := startSidekick(t, fmt.Sprintf(settings, 0, "first-password", 1000))
	cookie, status := s.login("first-password")
	if status != http.StatusOK {
		t.Fatalf("log in: %d", status)
	}
	s.reload(fmt.Sprintf(settings, 0, "first-password", 2000), "settings have been read again")
	if text, status := s.get("api/v2/status", cookie); status != http.StatusOK || !strings.Contains(text, `"events":2000`) {
		t.Errorf("%d, %s", status, text)
	}
	said := s.reload("webui:\n  enabled: true\n  oidc:\n    issuer: http://a\n    roles:\n      x: nonsense\n", "the new settings are not used")
	if !strings.Contains(said, `"nonsense" is no role`) {
		t.Errorf("said\n%s", said)
	}
	if _, status := s.get("api/v2/status", cookie); status != http.StatusOK {
		t.Errorf("wrong settings have logged us out: %d", status)
	}
	said = s.reload(fmt.Sprintf(settings, 1, "second-password", 2000), "settings have been read again")
	if !strings.Contains(said, "webui.listenport takes a restart") {
		t.Errorf("said\n%s", said)
	}
	if _, status := s.get("api/v2/status", cookie); status != http.StatusUnauthorized {
		t.Errorf("with another password the session goes on: %d", status)
	}
	if _, status := s.login("first-password"); status != http.StatusUnauthorized {
		t.Errorf("the old password: %d", status)
	}
	if _, status := s.login("second-password"); status != http.StatusOK {
		t.Errorf("the new password: %d", status)
	}
}
