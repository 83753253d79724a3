// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/forward/event"
)

// Limits of a summary.
const (
	digestMax   = 1000 // events that one stands for
	digestLines = 20   // of different kinds that it names
)

// digest makes one event of many: who has been away for an hour wants to know what
// happened, not to read a thousand messages.
//
//	312 × Terminal shell in container on node-1
//	4 × Write below etc on node-2
func digest(events []*event.Event) *event.Event {
	type kind struct {
		text string
		n    int
		prio event.Priority
	}
	kinds := map[string]*kind{}
	first, last, prio := events[0], events[0], event.None
	h := sha256.New()
	for _, e := range events {
		h.Write([]byte(e.UUID))
		text := e.Rule
		if e.Hostname != "" {
			text += " on " + e.Hostname
		}
		k := kinds[text]
		if k == nil {
			k = &kind{text: text}
			kinds[text] = k
		}
		k.n++
		k.prio, prio = max(k.prio, e.Priority), max(prio, e.Priority)
		if e.Time.Before(first.Time) {
			first = e
		}
		if e.Time.After(last.Time) {
			last = e
		}
	}
	var list []*kind
	for _, k := range kinds {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b *kind) int {
		if a.prio != b.prio {
			return int(b.prio) - int(a.prio)
		}
		if a.n != b.n {
			return b.n - a.n
		}
		return strings.Compare(a.text, b.text)
	})
	var lines []string
	rest := 0
	for i, k := range list {
		if i < digestLines {
			lines = append(lines, fmt.Sprintf("%d × %s", k.n, event.Shorten(k.text, 200)))
		} else {
			rest += k.n
		}
	}
	if rest > 0 {
		lines = append(lines, fmt.Sprintf("%d of %d other kinds", rest, len(list)-digestLines))
	}
	e := &event.Event{
		Rule: "Digest", Priority: prio, Source: "internal", Time: last.Time, Tags: []string{"digest"},
		Output: fmt.Sprintf("%d events waited, from %s to %s:\n%s", len(events), first.Time.Format("2006-01-02 15:04:05"),
			last.Time.Format("15:04:05"), strings.Join(lines, "\n")),
	}
	e.Fields.Set("digest.events", json.Number(strconv.Itoa(len(events))))
	e.Fields.Set("digest.kinds", json.Number(strconv.Itoa(len(list))))
	var b [16]byte
	copy(b[:], h.Sum(nil))
	e.UUID = formUUID(b, 5) // the same events make the same summary
	return e.Seal()
}
