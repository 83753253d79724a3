// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func line(text string) Line { return Line{Text: []byte(text + "\n"), Severity: 4} }

// must delivers lines that have to arrive.
func must(t *testing.T, s Sink, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := s.Write(t.Context(), line(text)); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

func content(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "alerts")
	for _, keep := range []bool{false, true} {
		s := NewFile(name, keep, false)
		must(t, s, "a")
		if err := os.Rename(name, name+".old"); err != nil {
			t.Fatal(err)
		}
		must(t, s, "b")
		old, now := content(t, name+".old"), ""
		if keep { // the file that is open stays, whatever it is called
			if old != "a\nb\n" {
				t.Errorf("old file %q", old)
			}
			s.Reopen()
			must(t, s, "c")
			now = content(t, name)
		} else if now = content(t, name); old != "a\n" || now != "b\n" {
			t.Errorf("old file %q, new one %q", old, now)
		}
		if keep && now != "c\n" {
			t.Errorf("after Reopen: %q", now)
		}
		s.Close()
		os.Remove(name)
	}
	if err := NewFile(filepath.Join(name, "x"), true, false).Write(t.Context(), line("a")); err == nil || !strings.HasPrefix(err.Error(), "failed to open output file ") {
		t.Errorf("error %v", err)
	}
	if err := NewFile("/dev/full", true, false).Write(t.Context(), line("a")); err == nil {
		t.Error("a full disk is no error")
	}
}

// What a full disk has cut stays a line of its own.
func TestFileTorn(t *testing.T) {
	name := filepath.Join(t.TempDir(), "alerts")
	s := NewFile(name, true, false).(*file)
	must(t, s, "a")
	s.torn = true
	must(t, s, "b", "c")
	s.Close()
	if got := content(t, name); got != "a\n\nb\nc\n" {
		t.Errorf("got %q", got)
	}
}

func TestProgram(t *testing.T) {
	dir := t.TempDir()
	each, one := filepath.Join(dir, "each"), filepath.Join(dir, "one")
	s := NewProgram("cat >>"+each+"; echo END >>"+each, false, false, false)
	must(t, s, "a", "b")
	if got := content(t, each); got != "a\nEND\nb\nEND\n" {
		t.Errorf("a process each: %q", got)
	}
	s = NewProgram("cat >>"+one+"; echo END >>"+one, true, true, false)
	must(t, s, "a", "b")
	s.Reopen()
	must(t, s, "c")
	s.Close()
	if got := content(t, one); got != "a\nb\nEND\nc\nEND\n" {
		t.Errorf("one process: %q", got)
	}
	// A command that reads nothing, or fails, is no reason not to go on.
	s = NewProgram("exit 3", false, false, false)
	must(t, s, "a", "b")
}

// A process that has died is started again by the next line.
func TestProgramDies(t *testing.T) {
	name := filepath.Join(t.TempDir(), "out")
	s := NewProgram("head -n 1 >>"+name, true, false, false).(*program)
	for _, text := range []string{"a", "b", "c"} {
		must(t, s, text)
		<-s.run.gone
	}
	if got := content(t, name); got != "a\nb\nc\n" {
		t.Errorf("got %q", got)
	}
}

func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	listen := func() *net.UnixConn {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := listen()
	s := NewSyslog(path, "falco")
	read := func(l *net.UnixConn) string {
		buf := make([]byte, 1024)
		n, err := l.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	must(t, s, "one")
	if got := read(l); !strings.HasPrefix(got, "<12>") || !strings.HasSuffix(got, " falco: one") {
		t.Errorf("got %q", got)
	}
	l.Close() // the logger is restarted
	os.Remove(path)
	if s.Write(t.Context(), line("lost")) == nil {
		t.Error("nobody listens, and it is no error")
	}
	l = listen()
	defer l.Close()
	must(t, s, "two")
	if got := read(l); !strings.HasSuffix(got, " falco: two") {
		t.Errorf("got %q", got)
	}
}

func server(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestHTTP(t *testing.T) {
	var got []string
	srv := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.String()+" "+r.Header.Get("Content-Type")+" "+r.Header.Get("User-Agent")+" "+r.Header.Get("Accept")+" "+string(body))
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound) // is not followed, and is an answer
		w.Write([]byte("ECHO"))
	})
	var echo bytes.Buffer
	s, err := NewHTTP(HTTP{URL: srv.URL + "/x?y=1", UserAgent: "ua/1", ContentType: "text/plain", Echo: &echo})
	if err != nil {
		t.Fatal(err)
	}
	must(t, s, "one", "two")
	want := "POST /x?y=1 text/plain ua/1 */* one\nPOST /x?y=1 text/plain ua/1 */* two"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got %s", text)
	}
	if echo.String() != "ECHOECHO" {
		t.Errorf("echo %q", echo.String())
	}
	for _, url := range []string{"", "ftp://x/", "http://", "unix://", "%"} {
		if _, err := NewHTTP(HTTP{URL: url}); err == nil {
			t.Errorf("%q is taken", url)
		}
	}
}

// What times out is tried again so many times, other errors are not.
func TestHTTPTimeouts(t *testing.T) {
	var n atomic.Int32
	gone := make(chan struct{})
	srv := server(t, func(http.ResponseWriter, *http.Request) {
		n.Add(1)
		<-gone
	})
	defer close(gone)
	s, err := NewHTTP(HTTP{URL: srv.URL, MaxTimeouts: 2, connect: time.Minute, request: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), line("a")); err == nil || n.Load() != 3 {
		t.Errorf("%d attempts, %v", n.Load(), err)
	}
	s, _ = NewHTTP(HTTP{URL: "http://127.0.0.1:1/", MaxTimeouts: 100, connect: time.Minute, request: time.Minute})
	if s.Write(t.Context(), line("a")) == nil {
		t.Error("nobody listens, and it is no error")
	}
}

func TestHTTPOverSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	bodies := make(chan string, 1)
	srv := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
	})}
	go srv.Serve(l)
	defer srv.Close()
	s, err := NewHTTP(HTTP{URL: "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	must(t, s, "one")
	if got := <-bodies; got != "one" {
		t.Errorf("got %q", got)
	}
}
