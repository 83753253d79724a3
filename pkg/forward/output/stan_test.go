// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/stan.go"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
	"github.com/falco-go/falco/tests/forward/natstest"
)

func TestSTAN(t *testing.T) {
	addr := serverOf(t, "stan")
	open := func(id string) *outputtest.Opened {
		return outputtest.Open(t, "stan", "stan: {hostport: 'nats://"+addr+"', clusterid: falco, clientid: "+id+"}")
	}
	o := open("sender")
	until(t, "the cluster", func() bool { return o.Output.Send(within(t, 2*time.Second), outputtest.Events(1)) == nil })
	events := outputtest.Events(300)
	if err := o.Send(t, events...); err != nil {
		t.Fatal(err)
	}
	sc, err := stan.Connect("falco", "reader", stan.NatsURL("nats://"+addr))
	if err != nil {
		t.Fatal(err)
	}
	defer sc.Close()
	got := make(chan []byte, 1000)
	if _, err := sc.Subscribe("falco.warning.terminal_shell_in_container", func(m *stan.Msg) { got <- m.Data }, stan.DeliverAllAvailable()); err != nil {
		t.Fatal(err)
	}
	for i := -1; i < len(events); i++ {
		select {
		case m := <-got:
			outputtest.SameJSON(t, m, events[max(i, 0)].JSON())
		case <-time.After(10 * time.Second):
			t.Fatalf("message %d does not come", i)
		}
	}
	// The name is taken.
	outputtest.Class(t, open("sender").Send(t, outputtest.Event(0)), output.Configuration)
	// What is too long for the server is refused by us, and the connection stays.
	big := outputtest.Event(1).Clone()
	big.Output = strings.Repeat("x", 1<<20)
	outputtest.Class(t, one(o.Send(t, big.Seal())), output.Final)
	outputtest.Hostile(t, o)
	if output.Find("stan").Gone == "" {
		t.Error("nobody is told that STAN is gone")
	}
}

func TestSTANWithoutACluster(t *testing.T) {
	s := natstest.Start(t, &server.Options{})
	o := outputtest.Open(t, "stan", "stan: {hostport: '"+s.ClientURL()+"', clusterid: nosuch, clientid: a}")
	outputtest.Class(t, o.Output.Send(within(t, 2*time.Second), outputtest.Events(1)), output.Retryable)
}
