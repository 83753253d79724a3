// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/rules"
)

var writtenStep = regexp.MustCompile(`(?m)^(?:act (\d+)|twin) '([^']+)'`)

// writtenActs are the steps of acts.sh in order, as their files are called.
func writtenActs(t *testing.T) (steps []string) {
	t.Helper()
	for _, m := range writtenStep.FindAllStringSubmatch(read(t, "acts.sh"), -1) {
		if m[1] == "" {
			m[1] = "0"
		}
		steps = append(steps, m[1]+" "+fileName(m[2]))
	}
	return steps
}

// wrong says what is not as the name of a scene says it, "" if all is: "2 RULE" fires twice and nothing else does.
func (s *scene) wrong() string {
	count, rule, _ := strings.Cut(s.name, " ")
	times, err := strconv.Atoi(count)
	if err != nil {
		return "no step of acts.sh: " + s.name
	}
	var wrong []string
	for _, alert := range s.fired {
		if times == 0 || fileName(alert.Rule) != rule {
			wrong = append(wrong, "not expected: "+alert.Rule+": "+alert.Output)
		}
	}
	if len(s.fired) != times {
		wrong = append(wrong, fmt.Sprintf("fired %d times, want %d", len(s.fired), times))
	}
	return strings.Join(wrong, "\n")
}

// Each act sets off its rule as often as it says and nothing else; its twins set off nothing.
func TestActs(t *testing.T) {
	for _, kernel := range kernels {
		t.Run(kernel, func(t *testing.T) {
			if kernel != kernels[0] && os.Getenv("FALCO_LONG") == "" {
				t.Skip("long: FALCO_LONG=1")
			}
			result := play(t, kernel, "acts.sh", stock)
			all, between := scenes(result.Alerts)
			for _, alert := range between {
				t.Errorf("between two steps: %s: %s", alert.Rule, alert.Output)
			}
			written := writtenActs(t)
			if len(all) != len(written) {
				t.Errorf("%d steps were seen, %d are written", len(all), len(written))
			}
			acts := 0
			for i, s := range all {
				t.Run(fmt.Sprintf("%02d %s", i+1, s.name), func(t *testing.T) {
					if i < len(written) && written[i] != s.name {
						t.Errorf("step is %q", written[i])
					}
					if wrong := s.wrong(); wrong != "" {
						t.Error(wrong)
					}
				})
				if !strings.HasPrefix(s.name, "0 ") {
					acts++
				}
			}
			t.Logf("%s: %d acts, %d twins, %d alerts, %d events", kernel, acts, len(all)-acts, len(result.Alerts)-2*len(all), result.Ledger.Produced)
		})
	}
}

// Every rule that can fire has an act and a twin.
func TestActsAreWhole(t *testing.T) {
	acts, twins := map[string]bool{}, map[string]bool{}
	for _, step := range writtenActs(t) {
		times, rule, _ := strings.Cut(step, " ")
		if times == "0" {
			twins[rule] = true
		} else {
			acts[rule] = true
		}
	}
	for _, r := range stockSet(t).Rules {
		name := fileName(r.Name)
		if awake(r) && (!acts[name] || !twins[name]) {
			t.Errorf("%s: act %v, twin %v", r.Name, acts[name], twins[name])
		}
		delete(acts, name)
		delete(twins, name)
	}
	for name := range acts {
		t.Errorf("an act for no rule: %s", name)
	}
	for name := range twins {
		t.Errorf("a twin for no rule: %s", name)
	}
}

// awake tells whether a rule of the stock file can fire as it is shipped: it is here, and waits for no hook to be filled.
func awake(r *rules.Rule) bool { return r.Enabled && !strings.HasPrefix(r.Desc, "Asleep until ") }

func stockSet(t *testing.T) *rules.Set { return loadSet(t, stock) }

// loadSet loads rule files, which must succeed without a warning.
func loadSet(t *testing.T, names ...string) *rules.Set {
	t.Helper()
	var files []rules.File
	for _, name := range names {
		files = append(files, rules.File{Name: name, Content: []byte(read(t, name))})
	}
	set, results := rules.Load(files, rules.Options{Priority: rules.Debug})
	for i := range results {
		if !results[i].Successful() || len(results[i].Warnings) > 0 {
			t.Fatal(results[i].Text(true))
		}
	}
	return set
}
