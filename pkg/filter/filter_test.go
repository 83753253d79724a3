// SPDX-License-Identifier: Apache-2.0

package filter_test

import (
	"testing"

	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/filter/filtertest"
)

func parse(t testing.TB, text string) filter.Expr {
	t.Helper()
	e, err := filter.Syntax{}.Parse(&filter.Source{Text: text})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return e
}

// facts of an event that most fields have a value for.
var facts = filtertest.Facts{
	"evt.num": 7, "evt.type": "open", "evt.rawres": -2, "evt.failed": true, "evt.cpu": 3, "evt.buffer": "GET...x",
	"proc.name": "bash", "proc.pid": 40, "proc.aname[1]": "sshd", "proc.aname[2]": "init", "proc.apid[1]": 30,
	"proc.args": "-a -b x", "proc.cmdline": "bash -a -b x", "user.uid": 0, "user.loginuid": -1,
	"fd.name": "/etc/shadow", "fd.num": 5, "fd.sip": "93.184.216.34", "fd.cip": "10.0.0.5", "fd.sport": 443, "fd.cport": 54321,
	"fd.types": []any{"ipv4", "file"}, "evt.rawarg.flags": "107",
}

func match(t testing.TB, cond string) bool {
	t.Helper()
	f := new(filtertest.Fields)
	f.Set(facts)
	c := &filter.Compiler{Fields: f}
	p, err := c.Compile(parse(t, cond))
	if err != nil {
		t.Fatalf("%q: %v", cond, err)
	}
	env := c.NewEnv()
	env.Begin(nil)
	return p.Match(env)
}

// TestMatch covers what the conformance cases leave out, and where we differ
// from the original on purpose.
func TestMatch(t *testing.T) {
	for cond, want := range map[string]bool{
		// several values: element by element (QUIRK 11)
		"fd.ip in (9.9.9.9, 10.0.0.5)":                   true,
		"fd.ip in (9.9.9.9, 8.8.8.8)":                    false,
		"fd.ip intersects (10.0.0.5)":                    true,
		"fd.ip != 10.0.0.5":                              false,
		"fd.ip != 1.1.1.1":                               true,
		"fd.net in (127.0.0.0/8, 10.0.0.0/8)":            true,
		"fd.net = anyof (127.0.0.0/8, 10.0.0.0/8)":       true,
		"fd.net != allof (127.0.0.0/8, 9.0.0.0/8)":       true,
		"fd.net != allof (127.0.0.0/8, 10.0.0.0/8)":      false,
		"fd.port intersects (443)":                       true, // QUIRK 12
		"fd.port = oneof (443, 80)":                      true,
		"proc.aname = anyof (zzz, init)":                 true,
		"proc.aname = oneof (sshd, init)":                true,
		"proc.name = oneof (bash, x)":                    true,
		"proc.name = oneof (bash, bash)":                 false,
		"proc.name = anyof (bash, bash)":                 true,
		"proc.name != allof (x, bash)":                   false,
		"proc.name = allof ()":                           false,
		"fd.port = oneof (443, 54321)":                   false,
		"fd.sip != ::1":                                  true,
		"fd.sip = ::1":                                   false,
		"fd.types in (ipv4)":                             false,
		"fd.types intersects (ipv4, x)":                  true,
		"fd.name = x":                                    false,
		"not fd.filename != x":                           true,
		"proc.aname != sshd":                             true,
		"not proc.aname = sshd":                          false,
		"proc.apid in (29, 30)":                          true,
		"evt.rawarg.flags in (1, 263)":                   true,
		"tolower(fd.types) in (ipv4, file)":              true,
		"len(getopt((\"-a\",\"-b\",\"x\"),\"ab:\")) = 3": true,
		// numbers: true values (QUIRK 7)
		"user.loginuid = -1":                     true,
		"user.uid = 4294967296":                  false,
		"user.uid < 4294967296":                  true,
		"user.uid != 4294967296":                 true,
		"evt.cpu = 65539":                        false,
		"evt.rawres > -3":                        true,
		"evt.rawres < 0":                         true,
		"evt.rawres = -2":                        true,
		"fd.num < 99999999999999999999":          true,
		"fd.num > -99999999999999999999":         true,
		"fd.num in (1,2,3,4,5,6,7,8,9,10)":       true,
		"fd.num in (11,12,13,14,15,16,17,18,19)": false,
		// the spelling of old documents (EXT 1)
		"evt.num=>0": true,
		"evt.num=>8": false,
		"evt.num=<7": true,
		// text
		"proc.name in (a,b,c,d,e,f,g,h,i,bash)": true,
		"proc.name in (a,b,c,d,e,f,g,h,i,j)":    false,
		"proc.name icontains AS":                true,
		"proc.name icontains ''":                true,
		"proc.name iglob B*H":                   true,
		"proc.name regex 'b(a|o)sh'":            true,
		"proc.name regex 'bas'":                 false,
		"proc.name regex 'a|ab|bash'":           true,
		"proc.name > 5":                         true,
		"evt.buffer bcontains 0001ff":           true,
		"evt.buffer bstartswith 474554":         true,
		"evt.buffer contains ET":                true,
		"fd.name pmatch (/*/nope, /e*/shad*)":   true, // QUIRK 6
		"fd.name pmatch (/e*/x, /etc, /x)":      true,
		"fd.name pmatch (etc/shadow/)":          true,
		"fd.name pmatch (/etc/shad)":            false,
		// calls
		"getopt((\"-a\",\"-bfoo\",\"x\"),\"ab:\")[b] = foo":        true,
		"getopt((\"-a\",\"--long\",\"-b\"),\"ab:\") in (a, b, '')": true,
		"getopt((\"-z\"),\"ab:\") intersects (?)":                  true,
		"join(\":\",(proc.name,proc.pid)) = bash:40":               true,
		"b64(\"aGVsbG8=\") = hello":                                true,
		"b64(\"!!\") exists":                                       false,
	} {
		if got := match(t, cond); got != want {
			t.Errorf("%s: got %v", cond, got)
		}
	}
}

func TestErrors(t *testing.T) {
	for cond, want := range map[string]string{
		"fd.name contains val(fd.types)":       "field 'fd.types' can't be used as a right-hand side field",
		"concat(proc.name,fd.cnet) = x":        "field 'fd.cnet' does not support transformers",
		"concat(proc.name) = x":                "unknown field transfomer 'concat'",
		"tolower(proc.name,fd.name) = x":       "unknown multivalue transformer",
		"tolower(proc.pid) = x":                "can't add field transformer: type 'INT64' is not supported by 'tolower' transformer applied on field 'proc.pid'",
		"join(proc.name,fd.name) = x":          "join() second argument must be a list",
		"getopt(proc.name,\"a\") in (a)":       "getopt() first argument must be a list",
		"fd.name regex val(proc.name)":         "operator 'REGEX' doesn't support right-hand side fields",
		"proc.aname = val(proc.name)":          "field 'proc.aname' doesn't support right-hand side fields",
		"evt.type = val(proc.name)":            "right-hand field comparisons on `evt.type`/`syscall.type` checks are not supported by event code search",
		"evt.buffer bcontains 123":             "filter error: bcontains and bstartswith operator support hex strings only",
		"fd.net = 10.0.0.1":                    "unrecognized IP network 10.0.0.1",
		"fd.net = 10.0.0/8":                    "unrecognized IP address 10.0.0",
		"fd.net = ::1/x":                       "invalid v6 netmask: x",
		"fd.sip = 1.2.3":                       "unrecognized IPv4 address 1.2.3",
		"fd.sip = x":                           "unrecognized IPv6 address x",
		"fd.sip = ::ffff:1.2.3.4":              "unrecognized IPv4 address ::ffff:1.2.3.4",
		"fd.sport = -1":                        "unrecognized protocol -1",
		"proc.name regex '+a'":                 "invalid regex pattern: no argument for repetition operator: +",
		"fd.num = 1.5":                         "1.5 is not a valid number",
		"tolower(evt.type) = open":             "event code search does not support field transformers on `evt.type`/`syscall.type` checks",
		"len(syscall.type) > 3":                "event code search does not support field transformers on `evt.type`/`syscall.type` checks",
		"proc.name = concat(evt.type,fd.name)": "event code search does not support field transformers on `evt.type`/`syscall.type` checks",
		"nomac":                                "Undefined macro 'nomac' used in filter.",
		"proc.address = 1":                     "filter error: '=' operator not supported for fields that are no single value: only 'exists' is",
	} {
		c := &filter.Compiler{Fields: new(filtertest.Fields)}
		if _, err := c.Compile(parse(t, cond)); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", cond, err, want)
		}
	}
}

func TestGlued(t *testing.T) {
	c := &filter.Compiler{Fields: new(filtertest.Fields)}
	if _, err := c.Compile(parse(t, "evt.num=>0")); err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) != 1 || c.Warnings[0].Msg != "'=>0' is read as '>= 0'" {
		t.Errorf("got %v", c.Warnings)
	}
	if _, err := c.Compile(parse(t, "evt.num='>0'")); err == nil {
		t.Error("a quoted value is no operator")
	}
}

// TestQuotes has what the default mode reads and the original does not.
func TestQuotes(t *testing.T) {
	if e := parse(t, `a.b = "x\\"`); e.(*filter.Check).Right.Values[0].Text != `x\` { // QUIRK 4
		t.Errorf("got %s", e)
	}
	_, err := filter.Syntax{}.Parse(&filter.Source{Text: `a.b in ("\q")`}) // QUIRK 5
	if err == nil || err.Error() != `unsupported string escape sequence: \q` {
		t.Errorf("got %v", err)
	}
	if e := parse(t, "_m and a"); e.String() != "(_m and a)" { // EXT 5
		t.Errorf("got %s", e)
	}
}

const busy = "evt.type in (open,openat,openat2) and (proc.name in (a,b,c,d,e,f,g,h,i,j) or fd.name startswith /etc) and " +
	"not proc.aname in (x, y) and tolower(fd.name) = /etc/shadow and fd.name pmatch (/usr, /e*/shadow) and " +
	"concat(proc.name,\"-\",fd.name) contains shadow and fd.net in (10.0.0.0/8) and fd.name regex '/etc/(passwd|shadow)' and " +
	"getopt((\"-a\",\"-b\",proc.name),\"ab:\") intersects (b) and b64(\"aGVsbG8\") = hello and fd.name glob /e*w and fd.num < 0"

func TestNoAllocations(t *testing.T) {
	f := new(filtertest.Fields)
	f.Set(facts)
	c := &filter.Compiler{Fields: f}
	p, err := c.Compile(parse(t, busy))
	if err != nil {
		t.Fatal(err)
	}
	env := c.NewEnv()
	run := func() {
		env.Begin(nil)
		if p.Match(env) {
			t.Fatal("the last check is false")
		}
	}
	run()
	if n := testing.AllocsPerRun(200, run); n != 0 {
		t.Errorf("%v allocations an evaluation", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	f := new(filtertest.Fields)
	f.Set(facts)
	c := &filter.Compiler{Fields: f}
	p, err := c.Compile(parse(b, busy))
	if err != nil {
		b.Fatal(err)
	}
	env := c.NewEnv()
	b.ReportAllocs()
	for b.Loop() {
		env.Begin(nil)
		p.Match(env)
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		parse(b, busy)
	}
}

// FuzzParse reads anything without a panic; what can be read and compiled can be
// evaluated, and its print can be printed again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{busy, "a and not(b) or (c)", `a.b[ "x y" ] = 'z\x41'`, "evt.num=>0", "join(\",\",(a.b,\"x\")) = y",
		"fd.num in (1, -2, 0x3)", "proc.name regex '[a'", "fd.net = ::/8", "a.b = val(c.d)", "((((", "a.b in (x,", "not not not a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			return
		}
		e, err := filter.Syntax{}.Parse(&filter.Source{Text: text})
		if err != nil {
			fe := err.(*filter.Error)
			if fe.Msg == "" || fe.Pos.Offset > len(text) {
				t.Fatalf("%q: %+v", text, fe)
			}
			return
		}
		_ = e.String()
		printed := filter.Print(e)
		again, err := filter.Syntax{Depth: filter.RulesDepth}.Parse(&filter.Source{Text: printed})
		if err != nil {
			t.Fatalf("%q prints as %q: %v", text, printed, err)
		}
		if diff := sameTree(e, again); diff != "" {
			t.Fatalf("%q prints as %q\n%s", text, printed, diff)
		}
		filter.Events(e)
		fields := new(filtertest.Fields)
		fields.Set(facts)
		c := &filter.Compiler{Fields: fields}
		p, err := c.Compile(e)
		if err != nil {
			return
		}
		env := c.NewEnv()
		for i := 0; i < 2; i++ {
			env.Begin(nil)
			p.Match(env)
		}
	})
}
