// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// StatsD and DogStatsD are told what the forwarder counts. They get no events, and what is
// lost on the way is lost: nothing of it is in the spool.

type statsdConfig struct {
	Forwarder string `key:"forwarder" enables:"true" doc:"host:port"`
	Namespace string `key:"namespace" default:"falcosidekick." doc:"what names begin with"`
}

type dogstatsdConfig struct {
	Forwarder string   `key:"forwarder" enables:"true" doc:"host:port, or unix:///path"`
	Namespace string   `key:"namespace" default:"falcosidekick." doc:"what names begin with"`
	Tags      []string `key:"tags" doc:"added to each: key:value"`
}

var statsd = Define(Kind{Name: "statsd", Title: "StatsD", Section: "statsd"}, func(cfg *statsdConfig, env *Env) (Output, error) {
	return newStatsd(cfg.Forwarder, env, func(name string, tags []Tag) string {
		for _, t := range tags {
			name += "." + t.Value
		}
		return statsdName(cfg.Namespace+name) + ":%d|c"
	})
})

var dogstatsd = Define(Kind{Name: "dogstatsd", Title: "DogStatsD", Section: "dogstatsd"}, func(cfg *dogstatsdConfig, env *Env) (Output, error) {
	return newStatsd(cfg.Forwarder, env, func(name string, tags []Tag) string {
		var words []string
		for _, t := range cfg.Tags {
			words = append(words, dogTag(t))
		}
		for _, t := range tags {
			words = append(words, dogTag(t.Key+":"+t.Value))
		}
		text := statsdName(cfg.Namespace+name) + ":%d|c"
		if len(words) > 0 {
			text += "|#" + strings.Join(words, ",")
		}
		return text
	})
})

// statsdName leaves nothing in a name that ends it.
func statsdName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return -1
		case r < ' ' || r > '~' || strings.ContainsRune(":|@#,%/", r):
			return '_'
		}
		return r
	}, s)
}

func dogTag(s string) string {
	return strings.NewReplacer("|", "_", ",", "_", "#", "_", "%", "_").Replace(strings.ReplaceAll(headerText(s), " ", "_"))
}

// Limits of what is sent, and of what waits.
const (
	statsdDatagram = 1432 // fits into an Ethernet frame
	statsdEvery    = 100 * time.Millisecond
	statsdNames    = 4096
)

type statsdOutput struct {
	network, addr string
	env           *Env
	encode        func(name string, tags []Tag) string

	mu     sync.Mutex
	counts map[string]int // by the line, with %d where the number goes
	lost   int            // of names beyond statsdNames
	stop   chan struct{}
	done   chan struct{}
	conn   net.Conn
}

func newStatsd(forwarder string, env *Env, encode func(name string, tags []Tag) string) (Output, error) {
	o := &statsdOutput{network: "udp", addr: forwarder, env: env, encode: encode, counts: map[string]int{}, stop: make(chan struct{}), done: make(chan struct{})}
	if path, ok := strings.CutPrefix(forwarder, "unix://"); ok {
		o.network, o.addr = "unixgram", path
	} else if _, port, err := net.SplitHostPort(forwarder); err != nil || port == "" {
		return nil, fmt.Errorf("forwarder %q is not host:port", forwarder)
	}
	go o.run()
	return o, nil
}

// Count adds to what goes out with the next datagrams.
func (o *statsdOutput) Count(name string, n int, tags ...Tag) {
	line := o.encode(name, tags)
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.counts[line]; !known && len(o.counts) >= statsdNames || len(line) > statsdDatagram-20 {
		o.lost++
		return
	}
	o.counts[line] += n
}

func (o *statsdOutput) run() {
	defer close(o.done)
	tick := time.NewTicker(statsdEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			o.flush()
		case <-o.stop:
			o.flush()
			return
		}
	}
}

func (o *statsdOutput) flush() {
	o.mu.Lock()
	counts, lost := o.counts, o.lost
	o.counts, o.lost = map[string]int{}, 0
	o.mu.Unlock()
	if lost > 0 {
		o.env.Log.Warnf("%s: %d counts have too many names, or too long ones", o.env.Title, lost)
	}
	var b []byte
	for line, n := range counts {
		text := strings.Replace(line, "%d", strconv.Itoa(n), 1)
		if len(b) > 0 && len(b)+1+len(text) > statsdDatagram {
			o.write(b)
			b = b[:0]
		}
		if len(b) > 0 {
			b = append(b, '\n')
		}
		b = append(b, text...)
	}
	if len(b) > 0 {
		o.write(b)
	}
}

func (o *statsdOutput) write(b []byte) {
	if o.conn == nil {
		c, err := net.DialTimeout(o.network, o.addr, connectTimeout)
		if err != nil {
			o.env.Log.Debugf("%s: %v", o.env.Title, err)
			return
		}
		o.conn = c
	}
	o.conn.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := o.conn.Write(b); err != nil {
		o.env.Log.Debugf("%s: %v", o.env.Title, err)
		o.conn.Close()
		o.conn = nil
	}
}

// Send is never called: this is a Meter.
func (o *statsdOutput) Send(context.Context, []*Event) error { return nil }

// Close sends what is left.
func (o *statsdOutput) Close() error {
	close(o.stop)
	<-o.done
	if o.conn != nil {
		return o.conn.Close()
	}
	return nil
}
