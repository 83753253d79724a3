// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// parseStrings splits a list of texts that each end with a NUL. They share one
// copy of b.
func parseStrings(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	s := strings.TrimSuffix(string(b), "\x00")
	return strings.Split(s, "\x00")
}

// statusKeys are those that parseStatus looks at.
var statusKeys = map[string]bool{
	"Name": true, "Tgid": true, "PPid": true, "Uid": true, "Gid": true, "NStgid": true, "NSpid": true, "NSpgid": true, "NSsid": true,
	"Threads": true, "CapInh": true, "CapPrm": true, "CapEff": true, "VmSize": true, "VmRSS": true, "VmSwap": true,
}

// parseStatus takes what it knows from /proc/PID/status. Of ids in several
// namespaces the last one is the innermost.
func parseStatus(b []byte, t *Task) error {
	seen := 0
	for line := range bytes.Lines(b) {
		name, rest, ok := bytes.Cut(line, []byte(":"))
		if !ok || !statusKeys[string(name)] { // most lines are of no interest, and cost nothing
			continue
		}
		key, value := string(name), string(bytes.TrimSpace(rest))
		fields := strings.Fields(value)
		if len(fields) == 0 {
			continue
		}
		last := fields[len(fields)-1]
		switch key {
		case "Name":
			t.Comm = unescape(value)
			seen++
		case "Tgid":
			t.Pid = number(value)
			seen++
		case "PPid":
			t.PPid = number(value)
			seen++
		case "Uid":
			t.UID = effective(fields)
			seen++
		case "Gid":
			t.GID = effective(fields)
			seen++
		case "NStgid":
			t.NSPid = number(last)
		case "NSpid":
			t.NSTid = number(last)
		case "NSpgid":
			t.NSPgid = number(last)
		case "NSsid":
			t.Sid = number(last)
		case "Threads":
			t.Threads = int(number(value))
		case "CapInh":
			t.CapInh = hexNumber(value)
		case "CapPrm":
			t.CapPrm = hexNumber(value)
		case "CapEff":
			t.CapEff = hexNumber(value)
		case "VmSize":
			t.VMSize = uint32(number(fields[0]))
		case "VmRSS":
			t.VMRSS = uint32(number(fields[0]))
		case "VmSwap":
			t.VMSwp = uint32(number(fields[0]))
		}
	}
	if seen < 5 || t.Pid <= 0 {
		return errors.New("a line is missing of Name, Tgid, PPid, Uid, Gid")
	}
	if t.NSPid == 0 {
		t.NSPid = t.Pid
	}
	if t.NSTid == 0 {
		t.NSTid = t.Tid
	}
	return nil
}

// unescape undoes what the kernel does to names in status.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\n`, "\n", `\\`, `\`).Replace(s)
}

// effective picks the second of real, effective, saved and file system id.
func effective(f []string) uint32 {
	if len(f) < 2 {
		return ^uint32(0)
	}
	v, err := strconv.ParseUint(f[1], 10, 32)
	if err != nil {
		return ^uint32(0)
	}
	return uint32(v)
}

// number returns the decimal s, 0 if it is none.
func number(s string) int64 {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 0 {
		return 0
	}
	return v
}

func hexNumber(s string) uint64 {
	v, _ := strconv.ParseUint(s, 16, 64)
	return v
}

// ticksPerSecond is USER_HZ, which is 100 on all that we build for.
const ticksPerSecond = 100

// parseStat takes from /proc/PID/stat what status has not. The name in
// parentheses may contain anything, parentheses too: the last one ends it.
func (fs *FS) parseStat(b []byte, t *Task) error {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return errors.New("no name in parentheses")
	}
	f := strings.Fields(string(b[i+1:]))
	if len(f) < 20 { // from state, field 3, to starttime, field 22
		return errors.New("too few fields")
	}
	t.Pgid, t.TTY = number(f[2]), uint32(number(f[4]))
	if t.Sid == 0 {
		t.Sid = number(f[3])
	}
	t.MinFlt, t.MajFlt = uint64(number(f[7])), uint64(number(f[9]))
	start := uint64(number(f[19]))
	if start > 1<<40 {
		return errors.New("starts in the far future")
	}
	t.Start = fs.boot + start*(1_000_000_000/ticksPerSecond)
	if t.NSPgid < 0 { // kernels before 4.1 do not tell; 0 is a group of the namespace outside
		t.NSPgid = t.Pgid
	}
	return nil
}

// parseLimits returns the soft limit of open files, -1 if there is none.
func parseLimits(b []byte) int64 {
	for line := range bytes.Lines(b) {
		rest, ok := strings.CutPrefix(string(line), "Max open files")
		if !ok {
			continue
		}
		if f := strings.Fields(rest); len(f) > 0 && f[0] != "unlimited" {
			return number(f[0])
		}
	}
	return -1
}

// parseCgroup makes "subsystem=path" of the lines of /proc/PID/cgroup. Lines of
// several controllers are taken apart; the one of version 2 is called unified.
func parseCgroup(b []byte) []string {
	var list []string
	for line := range bytes.Lines(b) {
		f := strings.SplitN(strings.TrimSuffix(string(line), "\n"), ":", 3)
		if len(f) != 3 {
			continue
		}
		if f[1] == "" {
			list = append(list, "unified="+f[2])
			continue
		}
		for name := range strings.SplitSeq(f[1], ",") {
			name = strings.TrimSuffix(strings.TrimPrefix(name, "name="), "_cgroup")
			list = append(list, name+"="+f[2])
		}
	}
	return list
}

// inodeOf returns the number in texts such as "socket:[77]"; kind is what stands before the bracket.
func inodeOf(link, kind string) uint64 {
	s, ok := strings.CutPrefix(link, kind+"[")
	if !ok {
		return 0
	}
	v, err := strconv.ParseUint(strings.TrimSuffix(s, "]"), 10, 64)
	if err != nil {
		return 0
	}
	return v
}
