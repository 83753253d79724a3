// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// players are the packages whose TestConformance… tests play the cases of the
// rules language.
var players = []string{"./pkg/rules", "./daemon"}

// TestEveryCaseIsPlayed holds the subtests that pass against the cases that are
// written down: each case is played, whatever group it stands in, and no
// subtest is about a case that is not there.
func TestEveryCaseIsPlayed(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs other tests")
	}
	name := os.Getenv("RULES_CONFORMANCE")
	if name == "" {
		name = shared(t, "spec/rules-conformance.yaml")
	}
	name, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	collectIDs(&root, written)
	if len(written) < 10 {
		t.Fatalf("%s has only %d cases", name, len(written))
	}
	cmd := exec.Command("go", append([]string{"test", "-v", "-run", "^TestConformance"}, players...)...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "RULES_CONFORMANCE="+name)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%.4000s", cmd, err, out)
	}
	played := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ +--- (PASS|FAIL|SKIP): TestConformance\w*/(\S+)`).FindAllStringSubmatch(string(out), -1) {
		switch id := m[2]; {
		case m[1] == "SKIP": // somebody else's
		case !written[id]:
			t.Errorf("%s is played and is no case of %s", id, name)
		default:
			played[id] = true
		}
	}
	var missing []string
	for id := range written {
		if !played[id] {
			missing = append(missing, id)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("%d of %d cases are not played: %s", len(missing), len(written), strings.Join(missing, " "))
	}
	t.Logf("%d cases, each is played", len(written)-len(missing))
}

// collectIDs finds the cases, which are the mappings with an id.
func collectIDs(n *yaml.Node, ids map[string]bool) {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "id" && n.Content[i+1].Kind == yaml.ScalarNode {
			ids[n.Content[i+1].Value] = true
		}
	}
	for _, k := range n.Content {
		collectIDs(k, ids)
	}
}
