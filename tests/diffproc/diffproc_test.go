// SPDX-License-Identifier: Apache-2.0

// Package diffproc holds what the daemon believes of a machine's processes
// against what that machine's /proc says, while a population of processes does
// at random whatever changes it, and after it has come to rest.
//
// FALCO_SEED=n takes the steps of an earlier run, FALCO_ONLY=step takes just one
// kind of step (churn/churn.c has their names), FALCO_LONG=1 goes on for five minutes.
package diffproc

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// script prints, after a word of its own each, what falco ps --diff-proc found.
const script = `
mkfifo /tmp/end
/files/churn %s %d %s < /tmp/end > /tmp/said &
exec 3> /tmp/end
while ! grep -q still /tmp/said; do
	echo "== while it lives"
	falco ps --diff-proc 2>&1
done
cat /tmp/said
echo "== at rest"
falco ps --diff-proc 2>&1
echo "exit code $?"
falco ps | wc -l
`

func TestProcAgrees(t *testing.T) {
	seed, seconds := os.Getenv("FALCO_SEED"), 20
	if seed == "" {
		seed = fmt.Sprint(time.Now().Unix() % 1000000)
	}
	if os.Getenv("FALCO_LONG") != "" {
		seconds = 300
	}
	t.Logf("FALCO_SEED=%s", seed)
	churn, err := vm.BuildC("churn/churn.c", nil)
	if err != nil {
		t.Fatal(err)
	}
	result := vm.Run(t, vm.Config{
		Script:  fmt.Sprintf(script, seed, seconds, os.Getenv("FALCO_ONLY")),
		Files:   []string{churn},
		Timeout: time.Duration(seconds)*3*time.Second + 3*time.Minute,
	})
	if lost := result.Ledger.Lost; lost != 0 {
		t.Errorf("%d events were lost", lost)
	}
	_, rest, found := strings.Cut(result.Act, "== at rest\n")
	if !found || !strings.Contains(result.Act, "still ") {
		t.Fatalf("the population did not come to rest:\n%s", result.Act)
	}
	if !strings.Contains(rest, "exit code 0\n") || strings.Contains(result.Act, "do not agree") {
		t.Errorf("falco and /proc do not agree:\n%s", result.Act)
	}
	t.Logf("%s", rest)
}
