// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/forward/consume"
	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/settings"
	"gopkg.in/yaml.v3"
)

// Settings are those of the forwarder as a whole.
type Settings struct {
	ListenAddress string `key:"listenaddress" doc:"IP address to listen on; empty: all"`
	ListenPort    int    `key:"listenport" default:"2801" doc:"0: do not listen there"`
	ListenSocket  string `key:"listensocket" doc:"unix socket to listen on: for the daemon on the same host"`
	Debug         bool   `key:"debug" doc:"log each event"`

	CustomFields    map[string]string `key:"customfields" doc:"fields to add; %NAME is the variable NAME"`
	TemplatedFields map[string]string `key:"templatedfields" doc:"fields to add, as templates over output_fields"`
	CustomTags      []string          `key:"customtags"`
	Bracket         string            `key:"bracketreplacer" doc:"what [ becomes in names of fields"`
	OutputFormat    string            `key:"outputFieldFormat" doc:"<timestamp> <priority> <output> <custom_fields> <templated_fields> <tags>"`

	MutualTLSFilesPath string `key:"mutualtlsfilespath" default:"/etc/certs"`
	MutualTLSClient    struct {
		CertFile   string `key:"certfile"`
		KeyFile    string `key:"keyfile"`
		CACertFile string `key:"cacertfile"`
	} `key:"mutualtlsclient"`
	TLSClient struct {
		CACertFile string `key:"cacertfile"`
	} `key:"tlsclient"`
	TLSServer struct {
		Deploy     bool     `key:"deploy"`
		CertFile   string   `key:"certfile" default:"/etc/certs/server/server.crt"`
		KeyFile    string   `key:"keyfile" default:"/etc/certs/server/server.key"`
		MutualTLS  bool     `key:"mutualtls"`
		CACertFile string   `key:"cacertfile" default:"/etc/certs/server/ca.crt"`
		NoTLSPort  int      `key:"notlsport" default:"2810"`
		NoTLSPaths []string `key:"notlspaths"`
	} `key:"tlsserver"`

	StateDir        string        `key:"state_dir" default:"/var/lib/falcosidekick" doc:"spool, dead letters"`
	ShutdownTimeout time.Duration `key:"shutdown_timeout" default:"10s" doc:"how long SIGTERM drains"`
	UnknownKeys     string        `key:"unknown_keys" default:"error" oneof:"error,warn"`
	Log             struct {
		Level  string `key:"level" default:"info" oneof:"debug,info,warning,error"`
		Format string `key:"format" default:"text" oneof:"text,json"`
	} `key:"log"`

	Input struct {
		MaxBody     int64         `key:"max_body_bytes" default:"1048576"`
		MaxRequests int           `key:"max_concurrent_requests" default:"256"`
		Token       output.Secret `key:"token" doc:"senders show it: Authorization: Bearer"`
		User        string        `key:"user" doc:"or this user and password"`
		Password    output.Secret `key:"password"`
		Dedup       bool          `key:"dedup" default:"true" doc:"take an event with a known uuid for the one that is here already"`
		ContentUUID bool          `key:"content_uuid" doc:"derive the uuid from the content where there is none, so that the same event twice is one"`
	} `key:"input"`
	Admin struct {
		Token     output.Secret `key:"token" doc:"opens /api/v1 and /debug/vars; without it only the unix socket does"`
		DebugVars bool          `key:"debug_vars" doc:"/debug/vars for everybody"`
	} `key:"admin"`
	Spool struct {
		Sync       string        `key:"sync" default:"always" oneof:"always,interval,memory" doc:"fsync before the answer, or each interval; memory: no disk"`
		Interval   time.Duration `key:"interval" default:"100ms" unit:"ms"`
		MaxBytes   int64         `key:"max_bytes" default:"1073741824"`
		Segment    int64         `key:"segment_bytes" default:"16777216"`
		OnOverflow string        `key:"on_overflow" default:"drop_lowest_priority" oneof:"block,drop_oldest,drop_lowest_priority"`
	} `key:"spool"`
	Delivery Delivery `key:"delivery"`

	Prometheus struct {
		ExtraLabels []string `key:"extralabels"`
	} `key:"prometheus"`
	Metrics struct {
		Labels    []string `key:"labels" doc:"labels of falco_events_total that are filled; empty: all"`
		MaxSeries int      `key:"max_series" default:"10000" doc:"series of falco_events_total; what is beyond counts as overflow"`
	} `key:"metrics"`
}

// Delivery is how events are brought to an output. What is 0 or not set is as the
// kind of output has it.
type Delivery struct {
	Timeout     time.Duration `key:"timeout" doc:"of one attempt"`
	Workers     *int          `key:"workers" doc:"attempts at once"`
	RetryMin    time.Duration `key:"retry_min" default:"1s"`
	RetryMax    time.Duration `key:"retry_max" default:"5m"`
	SlowRetry   time.Duration `key:"slow_retry" default:"5m" doc:"pause after an answer that blames the settings"`
	MaxAge      time.Duration `key:"max_age" default:"24h" doc:"older events go to the dead letters when they fail"`
	MaxAttempts int           `key:"max_attempts" doc:"0: any number, until max_age"`
	PerSecond   string        `key:"rate" doc:"attempts a second, 0 for any: 1, 0.5"`
	Digest      *int          `key:"digest" doc:"if more events wait, they are sent as summaries; 0: never"`
	BatchEvents int           `key:"batch_events"`
	BatchBytes  int           `key:"batch_bytes"`
	BatchWait   time.Duration `key:"batch_wait" unit:"ms"`
	MaxEvent    *int          `key:"max_event_bytes" doc:"longer events are cut; 0: never"`
	MaxField    *int          `key:"max_field_bytes" doc:"to what fields are cut then"`
	DeadBytes   int64         `key:"dead_letter_bytes" default:"67108864" doc:"room for dead letters"`
	OnOverflow  string        `key:"on_overflow" oneof:"drop,block" doc:"block: rather refuse events than drop one that this output has not had"`
}

// common are the settings that every output has beside its own.
type common struct {
	Minimum  string   `key:"minimumpriority"`
	Delivery Delivery `key:"delivery"`
}

// Instance is an output that is to run.
type Instance struct {
	ID       string // "slack", "slack-audit"
	Kind     *output.Kind
	Config   any
	Minimum  event.Priority
	Delivery Delivery
	Route    *Route
	Named    bool // of the list of outputs

	common    common
	rate      *float64 // attempts a second, nil: as the kind has it
	routeText string   // what the route was made of
}

// Destination is its name in metrics.
func (i *Instance) Destination() string {
	if i.Named {
		return i.ID
	}
	return i.Kind.Name
}

// Title is its name in the log.
func (i *Instance) Title() string {
	if i.Named {
		return i.Kind.Title + " " + i.ID
	}
	return i.Kind.Title
}

// Config is all that the forwarder is told.
type Config struct {
	Settings
	Consume   consume.Config
	Instances []*Instance
	Problems  []settings.Problem
	Getenv    func(string) string

	sections []Section
}

// Section is a part of the settings that somebody else owns.
type Section struct {
	Name string
	Into any
}

// Fatal reports whether a problem keeps us from running.
func (c *Config) Fatal() bool {
	return slices.ContainsFunc(c.Problems, func(p settings.Problem) bool { return !p.Warning })
}

// Load reads the settings from a file ("" for none) and an environment. An error is one of
// the file as a whole; what is wrong in detail is in Problems.
func Load(file string, environ []string, sections ...Section) (*Config, error) {
	l, err := settings.Load(file, environ)
	if err != nil {
		return nil, err
	}
	return load(l, environ, sections), nil
}

// Parse is Load of a text.
func Parse(text string, environ []string, sections ...Section) (*Config, error) {
	l := settings.New(environ)
	if err := l.Parse("config.yaml", []byte(text)); err != nil {
		return nil, err
	}
	return load(l, environ, sections), nil
}

func load(l *settings.Loader, environ []string, sections []Section) *Config {
	env := map[string]string{}
	for _, s := range environ {
		k, v, _ := strings.Cut(s, "=")
		env[k] = v
	}
	c := &Config{Getenv: func(name string) string { return env[name] }, sections: sections}
	l.Bind(&c.Settings, "")
	l.Bind(&c.Consume, "consume")
	for _, s := range sections {
		l.Bind(s.Into, s.Name)
	}
	for _, k := range output.Kinds() {
		i := &Instance{ID: strings.ToLower(k.Name), Kind: k, Config: k.Config()}
		was := len(l.Problems)
		l.Bind(i.Config, k.Section)
		c.common(l, i, func(dst any) { l.Bind(dst, k.Section) }, k.Section)
		if !i.enabled() {
			if n := len(l.Problems); n > was { // of an output that is off: worth a word, not the end
				for j := range l.Problems[was:] {
					p := &l.Problems[was+j]
					p.Warning = !p.Enables || p.Warning
				}
			}
			continue
		}
		c.Instances = append(c.Instances, i)
	}
	l.Ignore("outputs")
	c.list(l)
	c.absent(l)
	was := len(l.Problems)
	l.Unknown()
	if c.UnknownKeys == "warn" {
		for i := range l.Problems[was:] {
			l.Problems[was+i].Warning = true
		}
	}
	c.check(l)
	c.Problems = l.Problems
	return c
}

func (i *Instance) enabled() bool {
	if i.Kind.Enabled != nil {
		return i.Kind.Enabled(i.Config)
	}
	return settings.Enabled(i.Config)
}

// common reads minimumpriority and delivery of an output; what delivery does not say
// is as the common one has it.
func (c *Config) common(l *settings.Loader, i *Instance, bind func(dst any), where string) {
	bind(&i.common)
	i.Delivery = i.common.Delivery
	settings.Inherit(&i.Delivery, &c.Settings.Delivery)
	if m := strings.TrimSpace(i.common.Minimum); m != "" {
		p, ok := event.ParsePriority(m)
		if !ok {
			l.Problems = append(l.Problems, settings.Problem{Where: where + ".minimumpriority", What: fmt.Sprintf("%q is no priority", m)})
		}
		i.Minimum = p
	}
	if r := i.Delivery.PerSecond; r != "" {
		var n float64
		if _, err := fmt.Sscan(r, &n); err != nil || n < 0 {
			l.Problems = append(l.Problems, settings.Problem{Where: where + ".delivery.rate", What: fmt.Sprintf("%q is no rate", r)})
		}
		i.rate = &n
	}
}

// listed is an element of outputs.
type listed struct {
	Name     string        `key:"name"`
	Type     string        `key:"type"`
	Enabled  bool          `key:"enabled" default:"true"`
	Minimum  string        `key:"minimumpriority"`
	Delivery Delivery      `key:"delivery"`
	Cond     string        `key:"condition"`
	Dedup    time.Duration `key:"dedup"`
	Throttle struct {
		Key     *output.Template `key:"key"`
		Max     int              `key:"max" default:"1"`
		Per     time.Duration    `key:"per"`
		Summary bool             `key:"summary"`
	} `key:"throttle"`
	Match    matchSettings `key:"match"`
	NotMatch matchSettings `key:"not_match"`
}

// list reads the list of outputs.
func (c *Config) list(l *settings.Loader) {
	n := l.Section("outputs")
	if n == nil || n.Kind == yaml.ScalarNode && n.Value == "" {
		return
	}
	if n.Kind != yaml.SequenceNode {
		l.Complain(n, "outputs", "is no list")
		return
	}
	for _, item := range n.Content {
		c.one(l, item)
	}
}

func (c *Config) one(l *settings.Loader, item *yaml.Node) {
	if item.Kind != yaml.MappingNode {
		l.Complain(item, "outputs", "an element is no mapping")
		return
	}
	var e listed
	set := settings.Child(item, "settings")
	l.BindNode(&e, "", settings.Without(item, "settings"), "outputs")
	where := "outputs." + e.Name
	kind := output.Find(e.Type)
	switch {
	case !validID(e.Name):
		l.Complain(item, "outputs.name", "%q is no name: small letters, digits, - and _ are", e.Name)
		return
	case kind == nil:
		var names []string
		for _, k := range output.Kinds() {
			names = append(names, k.Name)
		}
		text := fmt.Sprintf("%q is no type of output", e.Type)
		if near := settings.Nearest(e.Type, names); near != "" {
			text += "; did you mean " + near + "?"
		}
		l.Complain(item, where+".type", "%s", text)
		return
	case slices.ContainsFunc(c.Instances, func(i *Instance) bool { return i.ID == e.Name }):
		l.Complain(item, where, "there is another output of that name")
		return
	}
	i := &Instance{ID: e.Name, Kind: kind, Config: kind.Config(), Named: true}
	if set == nil {
		set = &yaml.Node{Kind: yaml.MappingNode, Line: item.Line}
	}
	l.BindNode(i.Config, kind.Section, set, where+".settings")
	c.common(l, i, func(dst any) { *dst.(*common) = common{e.Minimum, e.Delivery} }, where)
	r, err := newRoute(&e)
	if err != nil {
		l.Complain(item, where, "%v", err)
		return
	}
	i.Route, i.routeText = r, settings.Signature(&e)
	if !e.Enabled {
		return
	}
	if !i.enabled() {
		l.Complain(item, where+".settings", "lacks what %s cannot do without", kind.Name)
		return
	}
	c.Instances = append(c.Instances, i)
}

func validID(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// check looks at what one key alone cannot tell.
func (c *Config) check(l *settings.Loader) {
	bad := func(key string, err error) {
		if err != nil {
			l.Problems = append(l.Problems, settings.Problem{Where: key, What: err.Error()})
		}
	}
	if c.ListenAddress != "" && net.ParseIP(c.ListenAddress) == nil {
		bad("listenaddress", fmt.Errorf("%q is no IP address", c.ListenAddress))
	}
	for key, port := range map[string]int{"listenport": c.ListenPort, "tlsserver.notlsport": c.TLSServer.NoTLSPort} {
		if port < 0 || port > 65535 {
			bad(key, fmt.Errorf("%d is no port", port))
		}
	}
	for k, text := range c.TemplatedFields {
		if _, err := settings.NewTemplate(text); err != nil {
			l.Warn("templatedfields."+k, "%v: the field is left out", err)
		}
	}
	if (c.Input.User == "") != (c.Input.Password == "") {
		bad("input.user", errors.New("a user needs a password, and a password a user"))
	}
}

// Add adds an output that is not of the list of kinds: one inside of the program. It is to be
// called before New, and before each Reload.
func (c *Config) Add(kind *output.Kind, id string) {
	c.Instances = append(c.Instances, &Instance{ID: id, Kind: kind, Config: kind.Config(), Delivery: c.Settings.Delivery})
}
