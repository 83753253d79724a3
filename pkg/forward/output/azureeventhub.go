// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"

	"github.com/falco-go/falco/pkg/forward/settings"
)

// Event Hubs speaks three protocols: HTTPS, AMQP and Kafka's.

type eventHubConfig struct {
	Name         string    `key:"name" enables:"true" doc:"of the hub"`
	Namespace    string    `key:"namespace" doc:"NAME.servicebus.windows.net"`
	Connection   Secret    `key:"connectionstring" doc:"Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…; without it the machine's identity is used"`
	Transport    string    `key:"transport" default:"https" oneof:"https,amqp,kafka"`
	PartitionKey *Template `key:"partitionkeytemplate" doc:"events with the same key stay in order: {{.Hostname}}"`
	Endpoint     string    `key:"endpoint" doc:"for emulators: URL for https, HOST:PORT for kafka"`
	HTTP
}

const eventHubMax = 1<<20 - 64<<10 // of a request

var azureeventhub = Define(Kind{
	Name: "azureeventhub", Title: "EventHub", Section: "azure.eventhub",
	Limits: Limits{Event: eventHubMax / 3, Field: 64 << 10},
	Batch:  Batch{Events: 500, Bytes: eventHubMax / 3, Wait: 100 * time.Millisecond}, // the JSON is quoted in JSON
}, newEventHub)

func newEventHub(cfg *eventHubConfig, env *Env) (Output, error) {
	var c sasKey
	if cfg.Connection != "" {
		var err error
		if c, err = readConnection(string(cfg.Connection)); err != nil {
			return nil, err
		}
		if c.entity != "" && c.entity != cfg.Name {
			return nil, fmt.Errorf("connectionstring is for another hub than %q", cfg.Name)
		}
		if cfg.Namespace == "" {
			cfg.Namespace = c.host
		}
	}
	if cfg.Namespace == "" || strings.ContainsAny(cfg.Namespace, "/: ") {
		return nil, errors.New("namespace is no name of a host")
	}
	var identity azcore.TokenCredential
	if cfg.Connection == "" {
		if cfg.Transport == "kafka" {
			return nil, errors.New("transport kafka needs connectionstring")
		}
		var err error
		if identity, err = azureIdentity(env, &cfg.HTTP); err != nil {
			return nil, err
		}
	}
	switch cfg.Transport {
	case "kafka":
		return eventHubKafka(cfg, env)
	case "amqp":
		return newEventHubAMQP(cfg, env, identity)
	}
	client, err := env.Client(&cfg.HTTP)
	if err != nil {
		return nil, err
	}
	o := &eventHubHTTPS{cfg: cfg, env: env, client: client, key: c, identity: identity, url: "https://" + cfg.Namespace + "/" + url.PathEscape(cfg.Name)}
	if cfg.Endpoint != "" {
		if err := CheckURL("endpoint", cfg.Endpoint); err != nil {
			return nil, err
		}
		o.url = strings.TrimSuffix(cfg.Endpoint, "/") + "/" + url.PathEscape(cfg.Name)
	}
	return o, nil
}

// sasKey is what a connection string says.
type sasKey struct{ host, name, key, entity string }

func readConnection(text string) (k sasKey, err error) {
	for _, part := range strings.Split(text, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch strings.ToLower(name) {
		case "endpoint":
			u, err := url.Parse(value)
			if err != nil || u.Hostname() == "" {
				return k, errors.New("connectionstring: Endpoint is no URL")
			}
			k.host = u.Hostname()
		case "sharedaccesskeyname":
			k.name = value
		case "sharedaccesskey":
			k.key = value
		case "entitypath":
			k.entity = value
		}
	}
	if k.host == "" || k.name == "" || k.key == "" {
		return k, errors.New("connectionstring lacks Endpoint, SharedAccessKeyName or SharedAccessKey")
	}
	return k, nil
}

// sign returns a shared access signature for a resource.
func (k *sasKey) sign(resource string, until time.Time) string {
	to, end := url.QueryEscape(strings.ToLower(resource)), strconv.FormatInt(until.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(k.key))
	mac.Write([]byte(to + "\n" + end))
	return "SharedAccessSignature sr=" + to + "&sig=" + url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil))) + "&se=" + end + "&skn=" + url.QueryEscape(k.name)
}

type eventHubHTTPS struct {
	cfg      *eventHubConfig
	env      *Env
	client   *Client
	key      sasKey
	identity azcore.TokenCredential
	url      string
}

type eventHubMessage struct {
	Body           string
	UserProperties map[string]string
}

// byKey splits a batch by partition key, each part in order.
func (c *eventHubConfig) byKey(batch []*Event, errs []error) (keys []string, parts map[string][]int) {
	parts = map[string][]int{}
	for i, e := range batch {
		key := ""
		if c.PartitionKey != nil {
			text, err := c.PartitionKey.Execute(e.View())
			if err != nil {
				errs[i] = Permanentf("partitionkeytemplate: %w", err)
				continue
			}
			key = Line(strings.ToValidUTF8(text, "?"))
			key = strings.ToValidUTF8(key[:min(len(key), 128)], "")
		}
		if parts[key] == nil {
			keys = append(keys, key)
		}
		parts[key] = append(parts[key], i)
	}
	return keys, parts
}

func eventHubProperties(e *Event) map[string]string {
	return map[string]string{"uuid": e.UUID, "rule": brief(e.Rule), "priority": e.Priority.String(), "source": brief(e.Source)}
}

func (o *eventHubHTTPS) Send(ctx context.Context, batch []*Event) error {
	errs := make([]error, len(batch))
	keys, parts := o.cfg.byKey(batch, errs)
	for _, key := range keys {
		err := o.post(ctx, key, batch, parts[key])
		for _, i := range parts[key] {
			errs[i] = err
		}
	}
	if len(keys) == 1 && len(parts[keys[0]]) == len(batch) {
		return errs[0] // of the batch as a whole: it may be too big
	}
	return Results(errs)
}

func (o *eventHubHTTPS) post(ctx context.Context, key string, batch []*Event, list []int) error {
	var messages []eventHubMessage
	for _, i := range list {
		messages = append(messages, eventHubMessage{string(batch[i].JSON()), eventHubProperties(batch[i])})
	}
	body, err := JSON(messages)
	if err != nil {
		return Permanent(err)
	}
	if len(body) > eventHubMax {
		return TooBig(fmt.Errorf("%d bytes are more than Event Hubs takes at once", len(body)))
	}
	h := map[string]string{"Content-Type": "application/vnd.microsoft.servicebus.json"}
	if key != "" {
		text, _ := JSON(map[string]string{"PartitionKey": key})
		h["BrokerProperties"] = string(text)
	}
	if o.identity == nil {
		h["Authorization"] = o.key.sign(o.url, o.env.Now().Add(10*time.Minute))
	} else {
		token, err := azureToken(ctx, o.identity, "https://eventhubs.azure.net/.default")
		if err != nil {
			return err
		}
		h["Authorization"] = "Bearer " + token
	}
	_, err = o.client.Do(ctx, &Request{URL: o.url + "/messages?api-version=2014-01", Header: h, Body: body, OK: []int{201}})
	return err
}

func (o *eventHubHTTPS) Close() error { return o.client.Close() }

// eventHubKafka is the Kafka output, with the settings that Event Hubs wants.
func eventHubKafka(cfg *eventHubConfig, env *Env) (Output, error) {
	to := cfg.Namespace + ":9093"
	if cfg.Endpoint != "" {
		to = cfg.Endpoint
	}
	key := cfg.PartitionKey
	if key == nil {
		key, _ = settings.NewTemplate("{{.Hostname}}")
	}
	return newKafka(&kafkaConfig{Topic: cfg.Name, Acks: "ALL", Compression: "NONE", Key: key, MaxBytes: 1000012,
		KafkaLogin: KafkaLogin{HostPort: []string{to}, SASL: "PLAIN", TLS: true, Username: "$ConnectionString", Password: cfg.Connection,
			Wire: Wire{MutualTLS: cfg.MutualTLS, CheckCert: cfg.CheckCert, CACertFile: cfg.CACertFile, CertFile: cfg.CertFile, KeyFile: cfg.KeyFile}}}, env)
}

type eventHubAMQP struct {
	cfg  *eventHubConfig
	link *lazy[*azeventhubs.ProducerClient]
}

func newEventHubAMQP(cfg *eventHubConfig, env *Env, identity azcore.TokenCredential) (Output, error) {
	conf, err := env.TLSConfig(&cfg.HTTP)
	if err != nil {
		return nil, err
	}
	opts := &azeventhubs.ProducerClientOptions{ApplicationID: "falcosidekick", TLSConfig: conf, CustomEndpoint: cfg.Endpoint,
		RetryOptions: azeventhubs.RetryOptions{MaxRetries: -1}}
	open := func(context.Context) (*azeventhubs.ProducerClient, error) {
		if identity != nil {
			return azeventhubs.NewProducerClient(cfg.Namespace, cfg.Name, identity, opts)
		}
		hub := cfg.Name
		if k, err := readConnection(string(cfg.Connection)); err == nil && k.entity != "" {
			hub = "" // the library wants it once
		}
		return azeventhubs.NewProducerClientFromConnectionString(string(cfg.Connection), hub, opts)
	}
	return &eventHubAMQP{cfg, newLazy(open, func(p *azeventhubs.ProducerClient) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		p.Close(ctx)
	})}, nil
}

func (o *eventHubAMQP) Send(ctx context.Context, batch []*Event) error {
	p, err := o.link.get(ctx)
	if err != nil {
		return Misconfigured(err)
	}
	errs := make([]error, len(batch))
	keys, parts := o.cfg.byKey(batch, errs)
	for _, key := range keys {
		if err := o.send(ctx, p, key, batch, parts[key], errs); err != nil {
			for _, i := range parts[key] {
				if errs[i] == nil || errs[i] == errNoAck {
					errs[i] = err
				}
			}
		}
	}
	return Results(errs)
}

// send puts events into as many batches of the library as they need.
func (o *eventHubAMQP) send(ctx context.Context, p *azeventhubs.ProducerClient, key string, batch []*Event, list []int, errs []error) error {
	opts := &azeventhubs.EventDataBatchOptions{}
	if key != "" {
		opts.PartitionKey = &key
	}
	for len(list) > 0 {
		b, err := p.NewEventDataBatch(ctx, opts)
		if err != nil {
			return eventHubError(err)
		}
		var in []int
		for _, i := range list {
			props := map[string]any{}
			for k, v := range eventHubProperties(batch[i]) {
				props[k] = v
			}
			kind, id := "application/json", batch[i].UUID
			err := b.AddEventData(&azeventhubs.EventData{Body: batch[i].JSON(), ContentType: &kind, MessageID: &id, Properties: props}, nil)
			if errors.Is(err, azeventhubs.ErrEventDataTooLarge) && len(in) > 0 {
				break
			}
			if err != nil {
				errs[i] = Permanent(err)
			}
			in = append(in, i)
		}
		list = list[len(in):]
		if b.NumEvents() == 0 {
			continue
		}
		if err := p.SendEventDataBatch(ctx, b, nil); err != nil {
			err = eventHubError(err)
			for _, i := range append(in, list...) {
				if errs[i] == nil {
					errs[i] = err
				}
			}
			return nil
		}
	}
	return nil
}

func eventHubError(err error) error {
	if e, ok := errors.AsType[*azeventhubs.Error](err); ok && e.Code == azeventhubs.ErrorCodeUnauthorizedAccess {
		return Misconfigured(err)
	}
	if text := err.Error(); strings.Contains(text, "amqp:not-found") || strings.Contains(text, "amqp:unauthorized-access") {
		return Misconfigured(err)
	}
	return azureError(err)
}

func (o *eventHubAMQP) Close() error { return o.link.Close() }
