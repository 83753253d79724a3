// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"os"
	"slices"

	"github.com/falco-go/falco/pkg/forward/settings"
)

// Reload replaces the settings. Outputs whose settings are the same go on undisturbed; the
// others end, and begin with what they have not delivered. With an error everything is
// as before.
func (f *Forwarder) Reload(cfg *Config) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return os.ErrClosed
	}
	old := f.live.Load()
	run, err := f.make(cfg, old)
	if err != nil {
		return err
	}
	for _, d := range old.outs {
		if !slices.Contains(run.outs, d) {
			d.stop()
		}
	}
	for _, m := range old.meters {
		if !slices.Contains(run.meters, m) {
			m.Close()
		}
	}
	for _, c := range old.consumers {
		if !slices.Contains(run.consumers, c) {
			c.Stop()
		}
	}
	if err := f.attach(run); err != nil {
		f.log.Errorf("spool: %v", err)
	}
	f.live.Store(run)
	for _, d := range run.outs {
		if d.done == nil && d.r != nil {
			d.start()
		}
	}
	for _, c := range run.consumers {
		if !slices.Contains(old.consumers, c) {
			c.Start()
		}
	}
	for _, key := range needRestart(old.cfg, cfg) {
		f.log.Warnf("%s has changed: that takes a restart", key)
	}
	f.log.Infof("Enabled Outputs : %v", titles(cfg))
	return nil
}

// needRestart lists the settings that a reload does not change.
func needRestart(a, b *Config) (out []string) {
	ka, kb := settings.Describe(&a.Settings, ""), settings.Describe(&b.Settings, "")
	for i := range ka {
		x, _ := ka[i].Text()
		y, _ := kb[i].Text()
		if x != y && slices.ContainsFunc(restart, func(p string) bool {
			return ka[i].Path == p || len(ka[i].Path) > len(p) && ka[i].Path[:len(p)+1] == p+"."
		}) {
			out = append(out, ka[i].Path)
		}
	}
	return out
}

var restart = []string{"listenaddress", "listenport", "listensocket", "tlsserver", "state_dir", "spool", "metrics", "prometheus", "log"}
