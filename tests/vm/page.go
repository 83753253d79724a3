// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// A Page is a falcosidekick on this machine with its web page, to look at what a guest's daemon finds while it does. The
// guest has no network: what its daemon prints is posted here as the daemon itself would post it (http_output), line by line.
type Page struct {
	URL string

	dir  string
	cmd  *exec.Cmd
	log  *tailBuffer
	post *http.Client
	done chan struct{} // closed when the program has ended, and err says how
	err  error

	lines lineWriter
	sent  int // alerts that it has said yes to
	fail  error
}

// pagePort is where the page is if nobody else is there.
const pagePort = 2802

// OpenPage starts one at a loopback address.
func OpenPage(progress *Progress) (*Page, error) {
	program, err := BuildGo("./daemon/sidekick", "falcosidekick", progress)
	if err != nil {
		return nil, err
	}
	port := pagePort
	if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
		l.Close()
	} else {
		port = 0
	}
	dir, err := os.MkdirTemp("", "falco-page-")
	if err != nil {
		return nil, err
	}
	p := &Page{dir: dir, log: &tailBuffer{limit: 16 << 10}, done: make(chan struct{})}
	p.lines.line = p.line
	if err := p.start(program, port); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("start the web page: %w", err)
	}
	return p, nil
}

var pageAt = regexp.MustCompile(`the web page is at (\S+)`)

func (p *Page) start(program string, port int) error {
	socket, config := filepath.Join(p.dir, "in.sock"), filepath.Join(p.dir, "falcosidekick.yaml")
	text := fmt.Sprintf("listenport: 0\nlistensocket: %s\nstate_dir: %s\nwebui:\n  enabled: true\n  listenport: %d\n", socket, p.dir, port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	p.cmd = exec.Command(program, "-c", config)
	// Nothing of ours: a variable may name somebody's channel, where the alerts of a play have no business. And a process
	// group of its own: Ctrl-C is for us, who end it when we have said our last word.
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	p.cmd.Stdout, p.cmd.Stderr = write, write
	err = startLocked(p.cmd)
	write.Close()
	if err != nil {
		read.Close()
		return err
	}
	at := make(chan string, 1)
	var logged sync.WaitGroup
	logged.Go(func() {
		lines := bufio.NewScanner(io.TeeReader(read, p.log))
		for lines.Scan() {
			if m := pageAt.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case at <- m[1]:
				default:
				}
			}
		}
		read.Close()
	})
	go func() {
		logged.Wait()
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	p.post = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	select {
	case addr := <-at:
		p.URL = "http://" + addr + "/"
		return nil
	case <-p.done:
		return fmt.Errorf("falcosidekick ended: %v\n%s", p.err, p.log)
	case <-time.After(time.Minute):
		p.Close()
		return fmt.Errorf("falcosidekick does not say where its page is\n%s", p.log)
	}
}

// Write takes what the daemon prints (json_output: true) and posts each line of it. It never fails; Err says later whether
// something did not go through.
func (p *Page) Write(b []byte) (int, error) { return p.lines.Write(b) }

func (p *Page) line(line []byte) {
	if !bytes.HasPrefix(line, []byte("{")) {
		return
	}
	res, err := p.post.Post("http://falcosidekick/", "application/json", bytes.NewReader(line))
	if err == nil {
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode/100 != 2 {
			err = errors.New(res.Status)
		}
	}
	if err != nil {
		p.fail = fmt.Errorf("post to the web page: %w", err)
		return
	}
	p.sent++
}

// Shown waits until every alert that was posted is on the page, and returns how many events it has.
func (p *Page) Shown(ctx context.Context) (int, error) {
	if p.fail != nil {
		return 0, p.fail
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for n := 0; ; {
		got, err := p.Events(ctx)
		if n = len(got); err == nil && n >= p.sent {
			return n, nil
		}
		select {
		case <-p.done:
			return n, fmt.Errorf("falcosidekick ended: %v\n%s", p.err, p.log)
		case <-ctx.Done():
			return n, fmt.Errorf("of %d alerts %d are on the web page: %w", p.sent, n, errors.Join(err, ctx.Err()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Events asks the page for the events that it has.
func (p *Page) Events(ctx context.Context) ([]Alert, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"api/v1/events/search?limit=10000", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", req.URL, res.Status)
	}
	var answer struct {
		Results []Alert `json:"results"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("%s: %w", req.URL, err)
	}
	return answer.Results, nil
}

// Close ends the page and forgets what it has.
func (p *Page) Close() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.cmd.Process.Kill()
		<-p.done
	}
	return errors.Join(p.err, os.RemoveAll(p.dir))
}
