// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// complaints are mistakes that compare as right and that only a kernel which looks for bugs finds, each with what it says of
// it. In this order: the first lock that is taken wrongly switches lockdep off, and so does KASAN's first find.
var complaints = []struct {
	mutant
	says string
}{
	{mutant{nth: 1, file: "gate.c", was: "kfree(container_of(rcu, struct falco_selection, rcu));", is: "(void)rcu;"},
		`kmemleak: unreferenced object[^\x00]*comm "watch"`},
	{mutant{nth: 1, file: "consumer.c", was: "return major << 44 |", is: "return major << (44 * (minor + 2)) |"},
		`UBSAN: shift-out-of-bounds in \S*consumer\.c`},
	{mutant{nth: 1, file: "record.c", was: "\t\tc.ret = ret;", is: "\t\tc.ret = ret;\n\t\tkfree(kmalloc(8, GFP_KERNEL));"},
		`BUG: sleeping function called from invalid context`},
	{mutant{nth: 1, file: "gate.c", was: "lockdep_is_held(&falco_lock)", is: "lockdep_is_held(&falco_rings_lock)"},
		`WARNING: suspicious RCU usage[^\x00]*gate\.c`},
	{mutant{nth: 1, file: "consumer.c", was: "list_add_tail(&c->list, &consumers);", is: "list_add_tail(&c->list, &consumers);\n\tmutex_lock(&falco_lock);\n\tmutex_unlock(&falco_lock);"},
		`WARNING: possible circular locking dependency[^\x00]*falco_rings_lock`},
	{mutant{nth: 1, file: "ring.c", was: "kvcalloc(1 + n, sizeof(*r->pages)", is: "kvcalloc(n, sizeof(*r->pages)"},
		`BUG: KASAN: \S+ in falco_ring_map`},
}

// TestDebugKernel holds that the debug kernel finds what it is there for, and that the harness hears of it: a run without a
// complaint means something.
func TestDebugKernel(t *testing.T) {
	name := os.Getenv("FALCO_KERNEL")
	if recipe, err := vm.FindRecipe(name); os.Getenv(vm.Enabled) == "" || err != nil || !recipe.Debug() {
		t.Skip("only with a guest and FALCO_KERNEL=6.1-debug, or make test-debug-kernel")
	}
	kernel, err := vm.GetKernel(name, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	programs := build(t)
	var wrong []mutant
	for _, c := range complaints {
		wrong = append(wrong, c.mutant)
	}
	modules := buildMutants(t, kernel, t.TempDir(), wrong)
	script := ""
	for _, module := range modules {
		script += "echo " + filepath.Base(module) + "; insmod /files/" + filepath.Base(module) +
			" && /files/watch /files/acts exit 0 >/dev/null; rmmod falco || exit 1\n"
	}
	result := vm.Try(t, vm.Config{
		Kernel: name, NoDaemon: true, NoModule: true, KernelArgs: []string{"kasan_multi_shot"},
		Files: append(modules, programs.watch, programs.acts), Script: script,
	})
	if result.ExitCode != 0 {
		t.Errorf("exit code %d: %s", result.ExitCode, tail(result.Act))
	}
	told := strings.Join(result.Trouble, "\x00")
	for _, splat := range result.Splats {
		told += "\x00" + splat.Text
	}
	for _, c := range complaints {
		if !regexp.MustCompile(c.says).MatchString(told) {
			t.Errorf("nothing like %q of %s: %s", c.says, c.file, c.is)
		}
	}
	if t.Failed() {
		t.Logf("%q\n%s", result.Trouble, result.Console)
	}
	t.Logf("%d complaints, %v", len(result.Splats)+len(result.Trouble), result.Total)
}
