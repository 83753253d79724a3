// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/falco-go/falco/pkg/forward/event"
)

// Slack's attachments, which Rocket.Chat and Mattermost have taken over.

// Limits of an attachment. Slack cuts texts behind 8000 characters by itself, and hides fields.
const (
	attachmentText   = 8000
	attachmentValue  = 2000
	attachmentFields = 100
	shortValue       = 36 // runes; shorter fields stand side by side
)

type attachmentMessage struct {
	Text        string       `json:"text,omitempty"`
	Username    string       `json:"username,omitempty"`
	IconURL     string       `json:"icon_url,omitempty"`
	Channel     string       `json:"channel,omitempty"`
	Attachments []attachment `json:"attachments,omitempty"`
	Blocks      []any        `json:"blocks,omitempty"`
}

type attachment struct {
	Fallback string            `json:"fallback"`
	Color    string            `json:"color"`
	Text     string            `json:"text,omitempty"`
	Fields   []attachmentField `json:"fields,omitempty"`
	Footer   string            `json:"footer,omitempty"`
	Blocks   []any             `json:"blocks,omitempty"`
}

type attachmentField struct {
	Title string `json:"title"`
	Value string `json:"value"`
	Short bool   `json:"short"`
}

// attach makes the attachment of e; format is all, text or fields.
func attach(e *Event, format, footer string, esc func(string) string, order ...string) attachment {
	line := esc(event.ShortenRunes(clean(e.Output), attachmentText))
	a := attachment{Fallback: line, Color: e.Priority.Color(), Footer: footer}
	if format != "fields" {
		a.Text = line
	}
	if format == "text" {
		return a
	}
	pairs, _ := choose(e.Std(order...), attachmentFields)
	for _, p := range pairs {
		f := attachmentField{Title: esc(event.ShortenRunes(clean(p.Name), 256)), Value: esc(event.ShortenRunes(clean(p.Value), attachmentValue)), Short: !p.Field}
		if p.Field {
			f.Short = utf8.RuneCountInString(p.Value) < shortValue
		} else if p.Name == "time" {
			f.Short = false
		}
		a.Fields = append(a.Fields, f)
	}
	return a
}

// chatOutput posts one message an event to a secret URL.
type chatOutput struct {
	url    string
	client *Client
	// body encodes an event, check reads the answer of 200.
	body     func(e *Event) ([]byte, error)
	check    func(body []byte) error
	classify func(a *Answer) error
}

func newChat(env *Env, h *HTTP, url Secret, body func(e *Event) ([]byte, error)) (*chatOutput, error) {
	if err := CheckURL("webhookurl", string(url)); err != nil {
		return nil, err
	}
	c, err := env.Client(h)
	if err != nil {
		return nil, err
	}
	return &chatOutput{url: string(url), client: c, body: body}, nil
}

func (o *chatOutput) Send(ctx context.Context, batch []*Event) error {
	for i, e := range batch {
		err := o.one(ctx, e)
		if err != nil && len(batch) > 1 {
			return remaining(len(batch), i, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *chatOutput) one(ctx context.Context, e *Event) error {
	body, err := o.body(e)
	if err != nil {
		return err
	}
	a, err := o.client.Do(ctx, &Request{URL: o.url, Body: body, Classify: o.classify})
	if err == nil && o.check != nil {
		err = o.check(a.Body)
	}
	return err
}

func (o *chatOutput) Close() error { return o.client.Close() }

var errNotTried = errors.New("was not tried, because one before it has failed")

var errRateLimited = errors.New("the answer is 429: too many messages")

// remaining is the result of a batch of n of which those before i are through, the i-th has
// failed, and the others were not tried.
func remaining(n, i int, err error) error {
	errs := make([]error, n)
	errs[i] = err
	for j := i + 1; j < n; j++ {
		errs[j] = Retry(errNotTried, 0)
	}
	return Results(errs)
}
