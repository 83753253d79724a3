// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/schema"
)

// Recordings of 2022 are, event for event, what a sysdig of that year reads in
// them: number, time, CPU, thread, direction, name, enter events included.
func TestRecordingsReadAsSysdig(t *testing.T) {
	for _, file := range captures(t) {
		if !strings.HasPrefix(filepath.Base(file), "sysdig029") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			path := sysdig(t)
			cmd := exec.Command(path, "-r", file, "-p", "*%evt.num %evt.rawtime %evt.cpu %thread.tid %evt.dir %evt.type")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			lines := bufio.NewScanner(out)
			r := open(t, file)
			num, bad, shown := 0, 0, 0
			r.raw = func(rec *Record) {
				num++ // they count all, hidden ones too
				typ := schema.EventType(binary.LittleEndian.Uint16(rec.Event[20:]))
				if typ == schema.ProcinfoE || bad > 5 {
					return
				}
				got := fmt.Sprintf("%d %d %d %d %s", num, binary.LittleEndian.Uint64(rec.Event), rec.CPU,
					int64(binary.LittleEndian.Uint64(rec.Event[8:])), sysdigName(rec.Event))
				if !lines.Scan() || lines.Text() != got {
					t.Errorf("%s, sysdig: %s", got, lines.Text())
					bad++
				}
				shown++
			}
			for err == nil {
				_, err = r.Next()
			}
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			for bad == 0 && lines.Scan() {
				t.Errorf("sysdig has more: %s", lines.Text())
				bad++
			}
			if shown < 10_000 {
				t.Errorf("%d events are compared", shown)
			}
		})
	}
}
