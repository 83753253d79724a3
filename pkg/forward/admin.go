// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// handleAdmin adds what operators ask for.
//
//	GET    /api/v1/outputs               the books of all
//	POST   /api/v1/outputs/ID/pause      resume, replay-dlq, test
//	DELETE /api/v1/outputs/ID/dlq        throw dead letters away
//	GET    /api/v1/dlq?output=ID         read them
func (f *Forwarder) handleAdmin(mux *http.ServeMux) {
	handle := func(path string, methods []string, h func(w http.ResponseWriter, r *http.Request)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if f.admin(w, r) && method(w, r, methods...) {
				h(w, r)
			}
		})
	}
	handle("/api/v1/outputs", []string{"GET"}, f.serveOutputs)
	handle("/api/v1/outputs/{id}/{verb}", []string{"POST", "DELETE"}, f.serveVerb)
	handle("/api/v1/dlq", []string{"GET"}, f.serveDead)
}

// admin reports whether r may look behind the scenes, and answers if it may not: who comes by the
// unix socket, and who knows the token.
func (f *Forwarder) admin(w http.ResponseWriter, r *http.Request) bool {
	if r.Context().Value(peerKey{}) != nil {
		return true
	}
	want := string(f.live.Load().cfg.Admin.Token)
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if want != "" && ok && same(token, want) {
		return true
	}
	http.Error(w, "only by the unix socket, or with admin.token", http.StatusForbidden)
	return false
}

// outputJSON is an output as the API shows it.
type outputJSON struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	State      string            `json:"state"`
	Queued     uint64            `json:"queued"`
	OldestAge  float64           `json:"oldest_age_seconds"`
	Started    uint64            `json:"started"`
	Accepted   uint64            `json:"accepted"`
	Delivered  uint64            `json:"delivered"`
	Dead       uint64            `json:"dead"`
	DeadNow    int               `json:"dead_letters"`
	Dropped    map[string]uint64 `json:"dropped"`
	Filtered   uint64            `json:"filtered"`
	Retries    uint64            `json:"retries"`
	Digested   uint64            `json:"digested"`
	LastError  string            `json:"last_error,omitempty"`
	LastErrorT string            `json:"last_error_at,omitempty"`
}

func (f *Forwarder) serveOutputs(w http.ResponseWriter, r *http.Request) {
	out := []outputJSON{}
	for _, d := range f.live.Load().outs {
		b := d.books()
		o := outputJSON{d.inst.ID, d.kind.Name, b.State, b.Queued, b.OldestAge.Seconds(), b.Started, b.Accepted, b.Delivered, b.Dead, b.DeadNow,
			b.Dropped, b.Filtered, b.Retries, b.Digested, b.LastError, ""}
		if !b.LastAt.IsZero() {
			o.LastErrorT = b.LastAt.UTC().Format(time.RFC3339)
		}
		out = append(out, o)
	}
	writeJSON(w, http.StatusOK, out)
}

func (f *Forwarder) serveVerb(w http.ResponseWriter, r *http.Request) {
	id, verb := r.PathValue("id"), r.PathValue("verb")
	d := f.find(id)
	if d == nil {
		http.Error(w, "there is no output of that name", http.StatusNotFound)
		return
	}
	count := func(n int, err error) {
		if err != nil {
			writeJSON(w, http.StatusInternalServerError, map[string]any{"count": n, "error": err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, map[string]int{"count": n})
	}
	switch r.Method + " " + verb {
	case "POST pause", "POST resume":
		f.Pause(id, verb == "pause")
		writeJSON(w, http.StatusOK, map[string]string{"state": d.ledger.copy().State})
	case "POST replay-dlq":
		count(f.Replay(id))
	case "POST test":
		f.answer(w, f.testBody(), d.inst.ID)
	case "DELETE dlq":
		count(f.Purge(id))
	default:
		http.Error(w, "POST pause, resume, replay-dlq or test, or DELETE dlq", http.StatusNotFound)
	}
}

// maxLetters is how many dead letters an answer holds.
const maxLetters = 1000

func (f *Forwarder) serveDead(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit <= 0 || limit > maxLetters {
		limit = maxLetters
	}
	out := map[string][]Letter{}
	for _, d := range f.live.Load().outs {
		if id := r.URL.Query().Get("output"); id != "" && id != d.inst.ID {
			continue
		}
		letters, err := d.dead.list(limit)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if len(letters) > 0 {
			out[d.inst.ID] = letters
		}
	}
	writeJSON(w, http.StatusOK, out)
}
