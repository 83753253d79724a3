// SPDX-License-Identifier: Apache-2.0

package field

import (
	"errors"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		token string
		name  string
		arg   string
		index int
	}{
		{"proc.name", "proc.name", "", -1},
		{"evt.time.s", "evt.time.s", "", -1},
		{"proc.aname", "proc.aname", "", -1},
		{"proc.aname[2]", "proc.aname", "2", 2},
		{"evt.arg.flags", "evt.arg", "flags", -1},
		{"evt.arg[0]", "evt.arg", "0", 0},
		{"evt.arg['1']", "evt.arg", "1", 1},
		{`evt.arg["1"]`, "evt.arg", "1", 1},
		{"evt.rawarg.uid", "evt.rawarg", "uid", -1},
		{"evt.type.is.open", "evt.type.is", "open", -1},
		{"evt.type.is.307", "evt.type.is", "307", 307},
		{"proc.env[HOME]", "proc.env", "HOME", -1},
		{"proc.env[3]", "proc.env", "3", 3},
		{"thread.cgroup.cpuset", "thread.cgroup", "cpuset", -1},
		{"evt.abspath", "evt.abspath", "", -1},
		{"evt.abspath.dst", "evt.abspath", "dst", -1},
		{"evt.around[1566230400000000000]", "evt.around", "1566230400000000000", -1},
		{"container.mount.dest[/proc*]", "container.mount.dest", "/proc*", -1},
		{"container.label.io.kubernetes.pod.name", "container.label", "io.kubernetes.pod.name", -1},
		{"container.label[a b]", "container.label", "a b", -1},
		{"mesos.task.label.x", "mesos.task.label", "x", -1},
		{"fd.types[3]", "fd.types", "3", 3},
	} {
		r, err := Parse(tt.token)
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.token, err)
			continue
		}
		if r.Token != tt.token || r.Def.Name != tt.name || r.Arg.Text != tt.arg || r.Arg.Given != (tt.arg != "") {
			t.Errorf("Parse(%q) = %s, argument %q (%v), token %q", tt.token, r.Def.Name, r.Arg.Text, r.Arg.Given, r.Token)
		}
		if tt.name != "evt.around" && r.Arg.Index != tt.index {
			t.Errorf("Parse(%q): index %d, want %d", tt.token, r.Arg.Index, tt.index)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		token, want string
		unknown     bool
	}{
		{"proc.nosuch", "filter_check called with nonexistent field proc.nosuch", true},
		{"proc.namex", "filter_check called with nonexistent field proc.namex", true},
		{"Proc.name", "filter_check called with nonexistent field Proc.name", true},
		{"", "filter_check called with nonexistent field ", true},
		{"evt.num.", "filter_check called with nonexistent field evt.num.", true},
		{"fd.name[0]", "filter_check called with nonexistent field fd.name[0]", true},
		{"proc.aname[x]", "filter_check called with nonexistent field proc.aname[x]", true},
		{"proc.aname[-1]", "filter_check called with nonexistent field proc.aname[-1]", true},
		{"proc.aname[2", "filter_check called with nonexistent field proc.aname[2", true},
		{"proc.aname[2]x", "filter_check called with nonexistent field proc.aname[2]x", true},
		{"evt.abspath.mid", "filter_check called with nonexistent field evt.abspath.mid", true},
		{"evt.arg", "filter syntax error: evt.arg", false},
		{"evt.arg[x]", "x is not a valid number", false},
		{"evt.arg.nosuch", "unknown event argument nosuch", false},
		{"evt.arg.flagsx", "filter_check called with nonexistent field evt.arg.flagsx", true},
		{"evt.rawarg[0]", "evt.arg fields must be expressed explicitly", false},
		{"evt.rawarg", "filter syntax error: evt.rawarg", false},
		{"evt.type.is[307]", "filter syntax error: evt.type.is[307]", false},
		{"evt.type.is.opem", "unknown event type opem", false},
		{"thread.cgroup", "filter syntax error: thread.cgroup", false},
		{"fd.types[x]", "x is not a valid number", false},
		{"evt.around[now]", "now is not a valid number", false},
	} {
		_, err := Parse(tt.token)
		if err == nil {
			t.Errorf("Parse(%q) is accepted", tt.token)
			continue
		}
		if err.Error() != tt.want {
			t.Errorf("Parse(%q): %q, want %q", tt.token, err, tt.want)
		}
		var u *UnknownError
		if errors.As(err, &u) != tt.unknown {
			t.Errorf("Parse(%q): %T", tt.token, err)
		}
	}
}

func TestLongest(t *testing.T) {
	for _, tt := range []struct{ text, token string }{
		{"proc.name ran", "proc.name"},
		{"proc.namexyz", "proc.name"},
		{"proc.pname.", "proc.pname"},
		{"proc.aname[2] x", "proc.aname[2]"},
		{"proc.aname[2][3]", "proc.aname[2]"},
		{"proc.name[2]", "proc.name"},
		{"evt.arg.flags)", "evt.arg.flags"},
		{"evt.arg.flagsx", "evt.arg.flags"},
		{"evt.type.isx", "evt.type"},
		{"evt.type.is.open", "evt.type.is.open"},
		{"evt.time.iso8601: x", "evt.time.iso8601"},
		{"evt.time.is", "evt.time"},
		{"evt.abspath.mid", "evt.abspath"},
		{"container.label.app.", "container.label.app"},
		{"nothing", ""},
		{"", ""},
		{"evt.arg", ""},
		{"evt.arg.nosuch", ""},
		{"proc.", ""},
	} {
		r, n, ok := Longest(tt.text)
		if ok != (tt.token != "") {
			t.Errorf("Longest(%q) = %v", tt.text, ok)
			continue
		}
		if ok && (r.Token != tt.token || n != len(tt.token)) {
			t.Errorf("Longest(%q) = %q, %d bytes", tt.text, r.Token, n)
		}
	}
}

// A bracket that never closes is literal text behind the field.
func TestLongestUnclosed(t *testing.T) {
	for _, tt := range []struct{ text, token string }{
		{"proc.aname[2", "proc.aname"},
		{"proc.env[HOME x", "proc.env"},
		{"proc.aname[x]", "proc.aname"},
	} {
		r, n, ok := Longest(tt.text)
		if !ok || r.Token != tt.token || n != len(tt.token) {
			t.Errorf("Longest(%q) = %v, %v, want %q", tt.text, r, ok, tt.token)
		}
	}
}

func TestSuggest(t *testing.T) {
	for token, want := range map[string]string{
		"proc.nmae": "proc.name", "fd.nmae": "fd.name", "evt.tpye": "evt.type", "proc.annme[2]": "proc.aname",
		"container.imagerepository": "container.image.repository", "xyz": "", "": "",
	} {
		got, ok := Suggest(token)
		if ok != (want != "") || ok && got != want {
			t.Errorf("Suggest(%q) = %q, want %q", token, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"proc.name", "proc.aname[2]", "evt.arg.flags", "evt.rawarg.uid x", "evt.type.is.open", "evt.around[1]", "container.label.a.b", "fd.name[", "evt.arg['1']"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, n, ok := Longest(s)
		if ok {
			if n <= 0 || n > len(s) || r.Token != s[:n] {
				t.Fatalf("Longest(%q) = %q, %d", s, r.Token, n)
			}
			again, err := Parse(r.Token)
			if err != nil {
				t.Fatalf("Parse(%q) of what Longest found: %v", r.Token, err)
			}
			if again.Def != r.Def || again.Arg.Text != r.Arg.Text || again.Type != r.Type {
				t.Fatalf("Parse(%q) = %s %q, Longest %s %q", r.Token, again.Def.Name, again.Arg.Text, r.Def.Name, r.Arg.Text)
			}
		}
		if p, err := Parse(s); err == nil && (!ok || p.Token != s) {
			t.Fatalf("Parse(%q) accepts, Longest finds %v", s, ok)
		}
		Suggest(s)
	})
}
