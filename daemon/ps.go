// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/state"
)

// falco ps and falco fds: what the daemon believes, or what a capture tells of
// the time before its first event.

func tablesFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "socket", Value: stateSocket, Usage: "ask the daemon at this `PATH` (state_socket in its configuration)"},
		&cli.StringFlag{Name: "e", Aliases: []string{"read"}, Usage: "look into this capture `FILE` instead"},
		&cli.BoolFlag{Name: "json", Usage: "print a JSON object for each line"},
	}
}

func psFlags() []cli.Flag {
	return append(tablesFlags(),
		&cli.BoolFlag{Name: "threads", Aliases: []string{"T"}, Usage: "print each thread"},
		&cli.BoolFlag{Name: "diff-proc", Usage: "compare with /proc, and print each difference that lasts; exit code 1 if there is one"},
	)
}

// believed returns the state that the options ask for.
func believed(c *cli.Context) (*state.State, error) {
	name := c.String("e")
	if name == "" {
		st, _, err := askState(c.String("socket"))
		return st, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := readState(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return st, nil
}

// runPs is falco ps.
func runPs(c *cli.Context, d *daemon) error {
	if c.Bool("diff-proc") {
		return runDiffProc(c, d)
	}
	st, err := believed(c)
	if err != nil {
		return err
	}
	rows := tablesOf(st, capture.Machine{}).processes(c.Bool("threads"))
	if c.Bool("json") {
		return printJSON(d.stdout, rows, func(p *process) any { return jsonProcOf(st, p) })
	}
	return printTable(d.stdout, "PID\tTID\tPPID\tUSER\tTHREADS\tFDS\tNAME\tEXE\tCWD\tCOMMAND", rows, func(p *process) []string {
		return []string{num(p.Pid), num(p.Tid), num(p.Ptid), userName(st, p), strconv.Itoa(p.threads), strconv.Itoa(p.fds),
			p.Comm, p.ExePath, p.Cwd, strings.Join(append([]string{p.Exe}, p.Args...), " ")}
	})
}

// descriptor is a row of falco fds.
type descriptor struct {
	num int64
	*state.FD
}

// runFds is falco fds PID.
func runFds(c *cli.Context, d *daemon) error {
	pid, err := strconv.ParseInt(c.Args().First(), 10, 64)
	if err != nil || c.NArg() != 1 {
		return &failure{form: plain, text: "fds: of which process? One number is needed", hint: "falco ps prints them"}
	}
	st, err := believed(c)
	if err != nil {
		return err
	}
	t := st.Lookup(pid)
	if t == nil {
		return &failure{form: plain, text: fmt.Sprintf("fds: no process %d is known", pid), hint: "falco ps prints those that are"}
	}
	var rows []descriptor
	st.FDs(t, func(n int64, f *state.FD) bool {
		rows = append(rows, descriptor{n, f})
		return true
	})
	if c.Bool("json") {
		return printJSON(d.stdout, rows, func(f *descriptor) any {
			return jsonFD{Num: f.num, Type: f.Type.String(), Name: f.Name, Ino: f.Ino, Dev: f.Dev, Flags: f.OpenFlags}
		})
	}
	return printTable(d.stdout, "FD\tTYPE\tINODE\tNAME", rows, func(f *descriptor) []string {
		return []string{num(f.num), f.Type.String(), strconv.FormatUint(f.Ino, 10), f.Name}
	})
}

// printTable prints a line for each row. What processes call themselves is
// printed without what would move a terminal's cursor.
func printTable[T any](to io.Writer, head string, rows []T, cells func(*T) []string) error {
	w := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for i := range rows {
		line := cells(&rows[i])
		for j := range line {
			line[j] = printable(line[j])
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	return w.Flush()
}

func printable(s string) string {
	if s == "" {
		return "-"
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		q := strconv.Quote(s)
		return q[1 : len(q)-1]
	}
	return s
}

func printJSON[T any](to io.Writer, rows []T, value func(*T) any) error {
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false)
	for i := range rows {
		if err := e.Encode(value(&rows[i])); err != nil {
			return err
		}
	}
	return nil
}

// jsonProc is a line of falco ps --json. Names are those of the fields of rules.
type jsonProc struct {
	Pid     int64    `json:"proc.pid"`
	Tid     int64    `json:"thread.tid"`
	Ppid    int64    `json:"proc.ppid"`
	Vpid    int64    `json:"proc.vpid"`
	Sid     int64    `json:"proc.sid"`
	Pgid    int64    `json:"proc.pgid"`
	UID     uint32   `json:"user.uid"`
	User    string   `json:"user.name"`
	GID     uint32   `json:"group.gid"`
	Login   int32    `json:"user.loginuid"`
	Name    string   `json:"proc.name"`
	Exe     string   `json:"proc.exe"`
	ExePath string   `json:"proc.exepath"`
	Args    []string `json:"proc.args"`
	Cwd     string   `json:"proc.cwd"`
	TTY     uint32   `json:"proc.tty"`
	Cgroups []string `json:"thread.cgroups"`
	Threads int      `json:"proc.nthreads"`
	FDs     int      `json:"proc.fdopencount"`
}

func jsonProcOf(st *state.State, p *process) jsonProc {
	return jsonProc{
		Pid: p.Pid, Tid: p.Tid, Ppid: p.Ptid, Vpid: p.Vpid, Sid: p.Sid, Pgid: p.Pgid, UID: p.UID, User: userName(st, p), GID: p.GID,
		Login: int32(p.LoginUID), Name: p.Comm, Exe: p.Exe, ExePath: p.ExePath, Args: p.Args, Cwd: p.Cwd, TTY: p.TTY,
		Cgroups: p.Cgroups, Threads: p.threads, FDs: p.fds,
	}
}

// jsonFD is a line of falco fds --json.
type jsonFD struct {
	Num   int64  `json:"fd.num"`
	Type  string `json:"fd.type"`
	Name  string `json:"fd.name"`
	Ino   uint64 `json:"fd.ino"`
	Dev   uint32 `json:"fd.dev"`
	Flags uint32 `json:"flags"` // file_flags of flags.tbl
}

// userName returns the name of who p runs as, else the number.
func userName(st *state.State, p *process) string {
	if u, ok := st.User(st.Lookup(p.Tid), p.UID); ok {
		return u.Name
	}
	return strconv.FormatUint(uint64(p.UID), 10)
}

func num(n int64) string { return strconv.FormatInt(n, 10) }
