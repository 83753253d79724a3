// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/twmb/franz-go/pkg/kgo"
)

// KafkaConfig says from which topics of Kafka events come.
type KafkaConfig struct {
	Topics  []string      `key:"topic" enables:"true" doc:"one or several"`
	Group   string        `key:"group" default:"falcosidekick" doc:"forwarders with the same one share the work"`
	Session time.Duration `key:"sessiontimeout" default:"20s" doc:"after which the others take over what a forwarder had that says nothing any more"`
	output.KafkaLogin
}

// Limits of what a client holds.
const (
	fetchBytes      = 8 << 20
	partitionBytes  = 1 << 20
	decompressBytes = 64 << 20 // of one batch of records: it may claim anything
	commitTimeout   = 10 * time.Second
)

func (c *KafkaConfig) open(env *output.Env) (func(context.Context, *Consumer) error, error) {
	login, err := c.KafkaLogin.Options(env)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Group == "":
		return nil, errors.New("group must be set")
	case c.Session < time.Second:
		return nil, errors.New("sessiontimeout is shorter than a second")
	}
	opts := append(login,
		kgo.ConsumerGroup(c.Group), kgo.SessionTimeout(c.Session), kgo.HeartbeatInterval(min(3*time.Second, c.Session/3)), kgo.RebalanceTimeout(time.Minute),
		kgo.ConsumeTopics(c.Topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(partitionBytes),
		kgo.MaxConcurrentFetches(2), kgo.MaxDecompressBatchBytes(decompressBytes))
	check, err := kgo.NewClient(opts...) // the library knows best what goes together; it connects later
	if err != nil {
		return nil, err
	}
	check.Close()
	return func(ctx context.Context, k *Consumer) error {
		cl, err := kgo.NewClient(append(opts[:len(opts):len(opts)], kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { k.connected() }))...)
		if err != nil {
			return err
		}
		defer cl.CloseAllowingRebalance()
		ping, cancel := context.WithTimeout(ctx, 10*time.Second)
		err = cl.Ping(ping)
		cancel()
		if err != nil {
			return err
		}
		late := time.AfterFunc(c.Session, func() {
			if !k.up.Load() {
				k.failed(fmt.Errorf("no partition of %v is ours yet: is the topic there, with a partition for each forwarder?", c.Topics))
			}
		})
		defer late.Stop()
		for ctx.Err() == nil {
			if err := c.poll(ctx, k, cl); err != nil {
				return err
			}
			cl.AllowRebalance()
		}
		return nil
	}, nil
}

// poll takes what is there, and says how far we are.
func (c *KafkaConfig) poll(ctx context.Context, k *Consumer, cl *kgo.Client) error {
	fetches := cl.PollRecords(ctx, batchEvents)
	if fetches.IsClientClosed() {
		return kgo.ErrClientClosed
	}
	var failure error
	fetches.EachError(func(topic string, partition int32, err error) {
		if bomb, ok := errors.AsType[*kgo.ErrDecompressTooLarge](err); ok {
			k.skipped(cl, bomb)
			return
		}
		if ctx.Err() == nil {
			failure = fmt.Errorf("topic %s, partition %d: %w", topic, partition, err)
		}
	})
	records := fetches.Records()
	if len(records) > 0 {
		in := make([]Message, len(records))
		for i, r := range records {
			in[i] = Message{Body: r.Value, ID: recordID(r)}
		}
		where := func(i int) string {
			return fmt.Sprintf("topic %s, partition %d, offset %d", records[i].Topic, records[i].Partition, records[i].Offset)
		}
		if err := k.take(ctx, in, where, func() {}); err != nil {
			return err
		}
		commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
		defer cancel()
		if err := cl.CommitRecords(commit, records...); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
	return failure
}

// skipped steps over records that become too large when they are unpacked: nobody can read
// them, and they would be in the way for ever.
func (c *Consumer) skipped(cl *kgo.Client, bomb *kgo.ErrDecompressTooLarge) {
	c.sink(c.Source, []Message{{Body: nil}}) // counted as one that is no event
	c.failed(bomb)
	cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{bomb.Topic: {bomb.Partition: {Epoch: bomb.Epoch, Offset: bomb.NextOffset}}})
}

// recordID is the header uuid, or where the record lies.
func recordID(r *kgo.Record) string {
	for _, h := range r.Headers {
		if h.Key == "uuid" && len(h.Value) == 36 {
			return string(h.Value)
		}
	}
	return place("kafka %q %d %d %d", r.Topic, r.Partition, r.Offset, r.Timestamp.UnixMilli())
}
