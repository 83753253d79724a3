// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Kafka gets each event as a record. All replicas have it before it counts as
// delivered, and the producer is idempotent, unless the settings want less.

type kafkaConfig struct {
	KafkaLogin
	Topic       string    `key:"topic" enables:"true"`
	Async       bool      `key:"async" doc:"has no effect: events are kept until they are confirmed anyway"`
	Acks        string    `key:"requiredacks" default:"ALL" oneof:"NONE,ONE,ALL"`
	Compression string    `key:"compression" default:"NONE" oneof:"NONE,GZIP,SNAPPY,LZ4,ZSTD"`
	Balancer    string    `key:"balancer" default:"murmur2_random" oneof:"round_robin,least_bytes,crc32,crc32_random,murmur2,murmur2_random"`
	Create      bool      `key:"topiccreation" doc:"let the broker create the topic"`
	Key         *Template `key:"keytemplate" default:"{{.Hostname}}" doc:"of the record: records with the same key stay in order, with a balancer that looks at it"`
	MaxBytes    int       `key:"maxmessagebytes" default:"1000012" doc:"longest batch that the topic takes"`
}

// KafkaLogin says where Kafka is, and who we are.
type KafkaLogin struct {
	HostPort  []string `key:"hostport" enables:"true" doc:"HOST:PORT of brokers"`
	SASL      string   `key:"sasl" oneof:",PLAIN,SCRAM_SHA256,SCRAM_SHA512,OAUTHBEARER,AWS_MSK_IAM"`
	TLS       bool     `key:"tls"`
	Username  string   `key:"username"`
	Password  Secret   `key:"password"`
	TokenFile string   `key:"tokenfile" doc:"of OAUTHBEARER: read anew for each connection"`
	Token     Secret   `key:"token" doc:"of OAUTHBEARER"`
	ClientID  string   `key:"clientid"`
	Wire
	AWSAccount `key:"/aws"`
}

// Options returns the options of a client.
func (l *KafkaLogin) Options(env *Env) ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(l.HostPort...), kgo.DialTimeout(connectTimeout), kgo.MetadataMinAge(250 * time.Millisecond)}
	if l.ClientID != "" {
		opts = append(opts, kgo.ClientID(l.ClientID))
	}
	if l.TLS || l.MutualTLS || l.SASL == "AWS_MSK_IAM" {
		conf, err := env.TLSConfig(l.Wire.http())
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(conf))
	}
	auth, err := l.auth(env)
	if err != nil {
		return nil, err
	}
	if auth != nil {
		opts = append(opts, kgo.SASL(auth))
	}
	return opts, nil
}

var kafka = Define(Kind{
	Name: "kafka", Title: "Kafka", Section: "kafka",
	Batch: Batch{Events: 1000, Bytes: 900 << 10, Wait: 50 * time.Millisecond},
}, newKafka)

type kafkaOutput struct {
	cfg  *kafkaConfig
	link *lazy[*kafkaLink]
}

// kafkaLink is a client, and the last reason why a broker could not be reached.
type kafkaLink struct {
	*kgo.Client
	mu  sync.Mutex
	err error
}

// OnBrokerConnect is called by the library.
func (l *kafkaLink) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *kafkaLink) reason(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		return l.err
	}
	return err
}

func newKafka(cfg *kafkaConfig, env *Env) (Output, error) {
	opts, err := cfg.KafkaLogin.Options(env)
	if err != nil {
		return nil, err
	}
	opts = append(opts,
		kgo.DefaultProduceTopic(cfg.Topic), kgo.ProducerLinger(0), kgo.ProducerBatchMaxBytes(int32(min(max(cfg.MaxBytes, 1024), 1<<28))),
		kgo.ProduceRequestTimeout(10*time.Second), kgo.RetryTimeout(10*time.Second), kgo.UnknownTopicRetries(1))
	if cfg.Create {
		opts = append(opts, kgo.AllowAutoTopicCreation())
	}
	switch cfg.Acks {
	case "NONE":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	case "ONE":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	}
	switch cfg.Compression {
	case "GZIP":
		opts = append(opts, kgo.ProducerBatchCompression(kgo.GzipCompression()))
	case "SNAPPY":
		opts = append(opts, kgo.ProducerBatchCompression(kgo.SnappyCompression()))
	case "LZ4":
		opts = append(opts, kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	case "ZSTD":
		opts = append(opts, kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	default:
		opts = append(opts, kgo.ProducerBatchCompression(kgo.NoCompression()))
	}
	switch cfg.Balancer {
	case "round_robin":
		opts = append(opts, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	case "least_bytes":
		opts = append(opts, kgo.RecordPartitioner(kgo.LeastBackupPartitioner()))
	case "crc32", "crc32_random":
		opts = append(opts, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(func(key []byte, n int) int {
			return int(crc32.ChecksumIEEE(key) % uint32(n)) // as librdkafka has it
		})))
	default:
		opts = append(opts, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	}
	check, err := kgo.NewClient(opts...) // the library knows best what goes together; it connects later
	if err != nil {
		return nil, err
	}
	check.Close()
	o := &kafkaOutput{cfg: cfg}
	o.link = newLazy(func(ctx context.Context) (*kafkaLink, error) {
		l := &kafkaLink{}
		if l.Client, err = kgo.NewClient(append(opts[:len(opts):len(opts)], kgo.WithHooks(l))...); err != nil {
			return nil, Misconfigured(err)
		}
		if err := l.Ping(ctx); err != nil {
			l.Client.Close()
			return nil, kafkaError(l.reason(err))
		}
		return l, nil
	}, func(l *kafkaLink) { l.Client.Close() })
	return o, nil
}

func (c *KafkaLogin) auth(env *Env) (sasl.Mechanism, error) {
	switch c.SASL {
	case "PLAIN":
		return plain.Auth{User: c.Username, Pass: string(c.Password)}.AsMechanism(), nil
	case "SCRAM_SHA256":
		return scram.Auth{User: c.Username, Pass: string(c.Password)}.AsSha256Mechanism(), nil
	case "SCRAM_SHA512":
		return scram.Auth{User: c.Username, Pass: string(c.Password)}.AsSha512Mechanism(), nil
	case "OAUTHBEARER":
		if c.Token == "" && c.TokenFile == "" {
			return nil, errors.New("OAUTHBEARER needs token or tokenfile")
		}
		return oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			token := string(c.Token)
			if c.TokenFile != "" {
				text, err := os.ReadFile(c.TokenFile)
				if err != nil {
					return oauth.Auth{}, err
				}
				token = string(bytes.TrimSpace(text))
			}
			return oauth.Auth{Token: token}, nil
		}), nil
	case "AWS_MSK_IAM":
		h := &HTTP{CheckCert: true}
		host, _, _ := net.SplitHostPort(c.HostPort[0])
		s, err := c.AWSAccount.open(env, h, mskRegion(host, ""), "")
		if err != nil {
			return nil, err
		}
		return &mskIAM{s, env.Now}, nil
	}
	return nil, nil
}

func (o *kafkaOutput) Send(ctx context.Context, batch []*Event) error {
	l, err := o.link.get(ctx)
	if err != nil {
		return err
	}
	errs := make([]error, len(batch))
	type result struct {
		i   int
		err error
	}
	results := make(chan result, len(batch))
	for i, e := range batch {
		errs[i] = errNoAck
		r, err := o.record(e)
		if err != nil {
			results <- result{i, Permanent(err)}
			continue
		}
		l.TryProduce(ctx, r, func(_ *kgo.Record, err error) { results <- result{i, err} })
	}
	waiting := len(batch)
	for waiting > 0 {
		select {
		case r := <-results:
			waiting--
			if errs[r.i] = r.err; r.err != nil {
				errs[r.i] = kafkaError(l.reason(r.err))
			}
			continue
		case <-ctx.Done():
		}
		break
	}
	if waiting > 0 || ctx.Err() != nil {
		// What the library still holds would be sent beside the next attempt.
		o.link.drop(l)
		for i := range errs {
			if errs[i] == errNoAck {
				errs[i] = fmt.Errorf("no acknowledgement: %w", l.reason(context.DeadlineExceeded))
			}
		}
	}
	return Results(errs)
}

func (o *kafkaOutput) record(e *Event) (*kgo.Record, error) {
	r := &kgo.Record{Value: e.JSON(), Timestamp: e.Time, Headers: []kgo.RecordHeader{
		{Key: "uuid", Value: []byte(e.UUID)}, {Key: "rule", Value: []byte(brief(e.Rule))}, {Key: "priority", Value: []byte(e.Priority.String())},
		{Key: "source", Value: []byte(brief(e.Source))}}}
	if o.cfg.Key != nil {
		key, err := o.cfg.Key.Execute(e.View())
		if err != nil {
			return nil, fmt.Errorf("keytemplate: %w", err)
		}
		if key != "" {
			r.Key = []byte(key)
		}
	}
	return r, nil
}

// kafkaError gives an error its class.
func kafkaError(err error) error {
	class := Retryable
	switch {
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge), errors.Is(err, kerr.InvalidRecord), errors.Is(err, kerr.InvalidTimestamp):
		class = Final
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.InvalidTopicException), errors.Is(err, kerr.TopicAuthorizationFailed),
		errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism),
		errors.Is(err, kerr.IllegalSaslState), errors.Is(err, kerr.InvalidRequiredAcks), errors.Is(err, kerr.UnsupportedCompressionType),
		errors.Is(err, kerr.TransactionalIDAuthorizationFailed), errors.Is(err, kerr.PolicyViolation), strings.Contains(err.Error(), "SASL"):
		class = Configuration
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		class = Configuration
	}
	return &Error{Class: class, Err: err}
}

func (o *kafkaOutput) Close() error { return o.link.Close() }
