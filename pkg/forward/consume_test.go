// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/tests/forward/natstest"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// A fleet: forwarders of nodes publish, over a system that stands between, and forwarders at the
// other end take from it. NATS is the real server; Kafka is franz-go's broker kfake, because Kafka itself is
// not to be had from Debian or the Go proxy (librdkafka's broker for tests, which is, answers in a way that franz-go does not read).

// broker is a system under test.
type broker struct {
	publish string // the settings of a node's forwarder
	consume string // those of the forwarder at the end
	put     func(key string, body []byte)
	pending func() int64 // messages that nobody has acknowledged
}

func brokers(t *testing.T) map[string]func(t *testing.T) *broker {
	return map[string]func(t *testing.T) *broker{"nats": natsBroker, "kafka": kafkaBroker}
}

func natsBroker(t *testing.T) *broker {
	s := natstest.Start(t, &server.Options{JetStream: true, MaxPayload: 4 << 20})
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return &broker{
		publish: "nats: {hostport: '" + s.ClientURL() + "', jetstream: true}\n",
		consume: "consume: {nats: {hostport: '" + s.ClientURL() + "', create: true, ackwait: 2s}}\n",
		put: func(key string, body []byte) {
			m := &nats.Msg{Subject: "falco.x.y", Data: body, Header: nats.Header{}}
			if key != "" {
				m.Header.Set("X-Test", key)
			}
			if _, err := js.PublishMsg(context.Background(), m); err != nil {
				t.Fatal(err)
			}
		},
		pending: func() int64 {
			cons, err := js.Consumer(context.Background(), "FALCO", "falcosidekick")
			if err != nil {
				return -1
			}
			info, err := cons.Info(context.Background())
			if err != nil {
				return -1
			}
			return int64(info.NumPending) + int64(info.NumAckPending)
		},
	}
}

func kafkaBroker(t *testing.T) *broker {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "falco"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return kafkaAt(t, strings.Join(c.ListenAddrs(), ","))
}

func kafkaAt(t *testing.T, hosts string) *broker {
	cl, err := kgo.NewClient(kgo.SeedBrokers(hosts), kgo.DefaultProduceTopic("falco"), kgo.MaxVersions(kversion.V3_0_0())) // topics by their names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return &broker{
		publish: "kafka: {hostport: '" + hosts + "', topic: falco}\n",
		consume: "consume: {kafka: {hostport: '" + hosts + "', topic: falco}}\n",
		put: func(key string, body []byte) {
			if err := cl.ProduceSync(context.Background(), &kgo.Record{Key: []byte(key), Value: body}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		},
		pending: func() int64 {
			return kafkaLag(cl, 4)
		},
	}
}

// kafkaLag is how many records of the topic the group has not committed; -1 if it is not known.
func kafkaLag(cl *kgo.Client, partitions int32) (lag int64) {
	ends := kmsg.NewPtrListOffsetsRequest()
	ends.ReplicaID = -1
	et := kmsg.NewListOffsetsRequestTopic()
	et.Topic = "falco"
	offsets := kmsg.NewPtrOffsetFetchRequest()
	offsets.Group = "falcosidekick"
	ot := kmsg.NewOffsetFetchRequestTopic()
	ot.Topic = "falco"
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = "falcosidekick"
	gt := kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic = "falco"
	for p := range partitions {
		ep := kmsg.NewListOffsetsRequestTopicPartition()
		ep.Partition, ep.Timestamp, ep.CurrentLeaderEpoch = p, -1, -1
		et.Partitions, ot.Partitions, gt.Partitions = append(et.Partitions, ep), append(ot.Partitions, p), append(gt.Partitions, p)
	}
	ends.Topics, offsets.Topics, group.Topics = append(ends.Topics, et), append(offsets.Topics, ot), append(group.Topics, gt)
	offsets.Groups = append(offsets.Groups, group)
	er, err := ends.RequestWith(context.Background(), cl)
	if err != nil || len(er.Topics) != 1 {
		return -1
	}
	or, err := offsets.RequestWith(context.Background(), cl)
	if err != nil {
		return -1
	}
	for _, p := range er.Topics[0].Partitions {
		lag += p.Offset
	}
	if len(or.Groups) == 0 { // as older brokers answer
		for _, t := range or.Topics {
			for _, p := range t.Partitions {
				lag -= max(p.Offset, 0)
			}
		}
	}
	for _, g := range or.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				lag -= max(p.Offset, 0)
			}
		}
	}
	return lag
}

// Nodes publish, two forwarders share the work, and each event arrives once.
func TestFleet(t *testing.T) {
	for name, make := range brokers(t) {
		t.Run(name, func(t *testing.T) {
			b, s := make(t), newReceiver(t)
			hook := "webhook: {address: '" + s.URL + "', format: ndjson, delivery: {batch_wait: 1ms}}\n"
			first := begin(t, t.TempDir(), hook+b.consume)
			until(t, "it has made its place", func() bool { up, _ := first.live.Load().consumers[0].Up(); return up })
			second := begin(t, t.TempDir(), hook+b.consume)
			n := scale(1200, 60000)
			const nodes = 3
			for i := range nodes {
				node := begin(t, t.TempDir(), b.publish)
				node.post(i*n/nodes, (i+1)*n/nodes)
				node.idle()
			}
			until(t, "all have come", func() bool { return len(s.uuids()) == n })
			until(t, "all are acknowledged", func() bool { return b.pending() == 0 })
			first.idle()
			second.idle()
			s.has(t, 0, n)
			in := func(r *rig) uint64 {
				for _, c := range r.consumed {
					if c.name == name {
						return c.accepted.Load()
					}
				}
				return 0
			}
			t.Logf("%d events of %d nodes: %d by the first forwarder, %d by the second, %d deliveries", n, nodes, in(first), in(second), s.count())
			if in(first)+in(second) < uint64(n) {
				t.Errorf("%d and %d were accepted, want %d", in(first), in(second), n)
			}
			busy := first
			if in(first) == 0 { // the other one may have got all partitions while the group was made anew
				busy = second
			}
			if _, _, text := busy.ask("GET", "/metrics", ""); !strings.Contains(text, `inputs_total{source="`+name+`",status="accepted"}`) || !strings.Contains(text, `input_up{source="`+name+`"} 1`) {
				t.Error("the metrics do not tell of it")
			}
		})
	}
}

// A message is acknowledged when the event is on our disk, not before; one that comes again is
// known, after a crash too.
func TestConsumedIsDurable(t *testing.T) {
	for name, make := range brokers(t) {
		t.Run(name, func(t *testing.T) {
			b := make(t)
			addr, dir := freeAddr(t), t.TempDir()
			yaml := lines(addr) + "spool: {sync: interval, interval: 1h}\ndelivery: {retry_min: 1ms, retry_max: 20ms}\n"
			r := begin(t, dir, yaml+b.consume)
			until(t, "it has made its place", func() bool { up, _ := r.live.Load().consumers[0].Up(); return up })
			for n := range 50 {
				b.put("a", line(n))
			}
			until(t, "all are acknowledged", func() bool { return b.pending() == 0 })
			if st := r.sp.Stats(); st.Syncs == 0 {
				t.Error("acknowledged, and not on the disk")
			}
			// As after a crash: another forwarder has what is on the disk, and nothing else.
			crashed := t.TempDir()
			if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			r.StopConsumers()
			for n := range 50 { // the same once more: the acknowledgements were lost
				b.put("a", line(n))
			}
			b.put("a", line(50))
			s := receiverAt(t, addr)
			r.idle()
			r.Close()
			s.mu.Lock()
			s.got, s.order = map[string]int{}, nil
			s.mu.Unlock()
			next := begin(t, crashed, yaml+b.consume)
			until(t, "all are acknowledged", func() bool { return b.pending() == 0 })
			next.idle()
			s.has(t, 0, 51)
			if s.count() != 51 {
				t.Errorf("%d deliveries of 51 events", s.count())
			}
		})
	}
}

// While the spool refuses nothing is acknowledged, and nothing is lost.
func TestConsumedWaitsForRoom(t *testing.T) {
	for name, make := range brokers(t) {
		t.Run(name, func(t *testing.T) {
			b, addr := make(t), freeAddr(t)
			r := begin(t, t.TempDir(), lines(addr)+"spool: {sync: interval, max_bytes: 400000, segment_bytes: 65536, on_overflow: block}\ndelivery: {retry_min: 1ms, retry_max: 20ms}\n"+b.consume)
			until(t, "it has made its place", func() bool { up, _ := r.live.Load().consumers[0].Up(); return up })
			const n = 1500
			for i := range n {
				b.put(fmt.Sprint(i), line(i))
			}
			until(t, "the spool is full", r.refusing.Load)
			if b.pending() <= 0 {
				t.Error("messages that nobody has taken are acknowledged")
			}
			s := receiverAt(t, addr)
			until(t, "all have come", func() bool { return len(s.uuids()) == n })
			until(t, "all are acknowledged", func() bool { return b.pending() == 0 })
			r.idle()
			s.has(t, 0, n)
			if s.count() != n {
				t.Errorf("%d deliveries of %d events", s.count(), n)
			}
		})
	}
}

// What is no event is counted and passed over, and holds up nothing.
func TestHostileMessages(t *testing.T) {
	for name, make := range brokers(t) {
		t.Run(name, func(t *testing.T) {
			b, s := make(t), newReceiver(t)
			r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"', format: ndjson}\ninput: {max_body_bytes: 100000}\n"+b.consume)
			until(t, "it has made its place", func() bool { up, _ := r.live.Load().consumers[0].Up(); return up })
			bad := [][]byte{nil, []byte("   "), []byte("{"), []byte("null"), []byte("[]"), []byte(`"x"`), bytes.Repeat([]byte{0xff}, 1000), bytes.Repeat([]byte("["), 90000),
				line(900, func(e *event.Event) { e.Output = strings.Repeat("x", 125001) }), []byte("[" + string(line(901)) + "]"), append(append(line(902), '\n'), line(903)...)}
			for _, m := range bad {
				b.put("a", m)
			}
			b.put("a", line(0, func(e *event.Event) { e.UUID = "" })) // it gets one, by where it lies
			b.put("a", line(1))
			until(t, "the last has come", func() bool { return slices.Contains(s.uuids(), uuid(1)) })
			until(t, "all are acknowledged", func() bool { return b.pending() == 0 })
			r.idle()
			rejected := uint64(0)
			for _, c := range r.consumed {
				rejected += c.rejected.Load()
			}
			if rejected != uint64(len(bad)) || s.count() != 2 {
				t.Errorf("%d were rejected, want %d; %d came, want 2", rejected, len(bad), s.count())
			}
			if !strings.Contains(r.log.text(), "messages are no events: ") {
				t.Errorf("the log does not say it: %s", r.log.text())
			}
		})
	}
}

// Records that unpack to more than anybody sends are stepped over.
func TestKafkaBomb(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "falco"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.DefaultProduceTopic("falco"), kgo.ProducerBatchMaxBytes(200<<20), kgo.BrokerMaxWriteBytes(300<<20),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	put := func(body []byte) {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Value: body}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	put(line(0))
	put(make([]byte, 70<<20))
	put(line(1))
	s := newReceiver(t)
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"', format: ndjson}\nconsume: {kafka: {hostport: '"+strings.Join(c.ListenAddrs(), ",")+"', topic: falco}}\n")
	until(t, "what stands behind it has come", func() bool { return len(s.uuids()) == 2 })
	r.idle()
	s.has(t, 0, 2)
	if n := r.consumed[1].rejected.Load(); n != 1 {
		t.Errorf("%d were rejected, want 1", n)
	}
}

// A system that is away is said, and comes back; settings that change count at once.
func TestConsumersComeAndGo(t *testing.T) {
	b, s := natsBroker(t), newReceiver(t)
	dir := t.TempDir()
	away := "consume: {nats: {hostport: 'nats://" + freeAddr(t) + "'}}\n"
	r := begin(t, dir, "webhook: {address: '"+s.URL+"'}\n"+away)
	until(t, "it is said", func() bool { return strings.Contains(r.log.text(), "consume.nats - ") })
	if _, _, text := r.ask("GET", "/healthz", ""); text != `{"status": "ok", "degraded": ["consume.nats"]}` {
		t.Errorf("healthz says %s", text)
	}
	reload := func(yaml string) {
		t.Helper()
		if err := r.Reload(config(t, "webhook: {address: '"+s.URL+"'}\n"+yaml+quick+"state_dir: "+dir+"\n")); err != nil {
			t.Fatal(err)
		}
	}
	reload(b.consume)
	until(t, "it has made its place", func() bool { up, _ := r.live.Load().consumers[0].Up(); return up })
	one := r.live.Load().consumers[0]
	reload(b.consume + "customtags: [x]\n")
	if r.live.Load().consumers[0] != one {
		t.Error("a consumer whose settings are the same was made anew")
	}
	b.put("a", line(0))
	until(t, "it has come", func() bool { return s.count() == 1 })
	reload("")
	b.put("a", line(1))
	if len(r.live.Load().consumers) != 0 || b.pending() == 0 {
		t.Error("it is consumed still")
	}
	kafka := kafkaBroker(t)
	reload(strings.Replace(kafka.consume, "topic: falco", "topic: nosuch, sessiontimeout: 6s", 1))
	until(t, "it is said that the topic is not there", func() bool { return strings.Contains(r.log.text(), "no partition of [nosuch] is ours yet") })
	for _, yaml := range []string{"consume: {nats: {hostport: 'ftp://x'}}\n", "consume: {nats: {hostport: 'nats://x', stream: ''}}\n", "consume: {nats: {hostport: 'nats://x', ackwait: 1ms}}\n",
		"consume: {kafka: {hostport: x, topic: a, group: ''}}\n", "consume: {kafka: {hostport: x, topic: a, mutualtls: true}}\nmutualtlsfilespath: /nosuch\n"} {
		if err := Validate(config(t, yaml)); err == nil || !strings.Contains(err.Error(), "consume.") {
			t.Errorf("%s: %v", yaml, err)
		}
	}
}
