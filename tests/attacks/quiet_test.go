// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/tests/vm"
)

// quietDebian is a server: web, database, log-ins, jobs, and what builds packages.
var quietDebian = vm.Debian{Suite: "bookworm", Systemd: true, Packages: []string{
	"cron", "curl", "dpkg-dev", "fakeroot", "gcc", "libc6-dev", "logrotate", "make", "mariadb-server", "nginx-light", "openssh-client", "openssh-server",
	"procps", "rsyslog", "sudo",
}}

// administrator is what was done before the machine boots: a user, log-ins without passwords, services.
const administrator = `
useradd -m -s /bin/bash joe
for home in /root /home/joe; do mkdir -p $home/.ssh; done
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cat /root/.ssh/id_ed25519.pub >>/root/.ssh/authorized_keys
cp /root/.ssh/id_ed25519.pub /home/joe/.ssh/authorized_keys
chown -R joe: /home/joe
systemctl enable ssh nginx mariadb cron rsyslog
apt-get update
apt-get install -y -d --no-install-recommends bc tree sqlite3 acl # the guest has no network
`

var didLine = regexp.MustCompile(`(?m)^did (\d+) (.+)$`)

// An ordinary day, from the boot on, raises no alert of NOTICE or above but those that rules/README.md argues.
func TestQuiet(t *testing.T) {
	if os.Getenv("FALCO_LONG") == "" || os.Getenv(vm.Enabled) == "" {
		t.Skip("long: FALCO_LONG=1, in a guest: " + vm.Enabled + "=1")
	}
	vm.RequireDebian(t)
	shared, err := vm.GetRoot(quietDebian, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	root, err := shared.Clone(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := root.Run("sh", "-ec", administrator); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rounds := cmp.Or(os.Getenv("FALCO_ROUNDS"), "20")
	result := vm.Run(t, vm.Config{
		Root: root, WatchBoot: true, Rules: []string{stock}, Act: "quiet.sh", Env: []string{"ROUNDS=" + rounds, "DEBIAN_FRONTEND=noninteractive"},
		Timeout: 3 * time.Hour,
	})
	if result.ExitCode != 0 {
		t.Errorf("quiet.sh ended with %d:\n%s", result.ExitCode, result.Act)
	}
	done := map[string]int{}
	for _, m := range didLine.FindAllStringSubmatch(result.Act, -1) {
		done[m[2]], _ = strconv.Atoi(m[1])
	}
	n, _ := strconv.Atoi(rounds)
	for what, want := range map[string]int{
		"package installed": n, "package removed": n, "package built": n, "built package installed": n, "web requests": n, "database queries": n,
		"boot": 1, "log-in": 5 * n, "log-in of a user": 5 * n, "copy": n, "logs rotated": n, "daily jobs": n, "sudo": n, "services restarted": n, "cron": 1,
	} {
		if done[what] != want {
			t.Errorf("%s: %d times, want %d", what, done[what], want)
		}
	}
	ordinary := listed(t, "## Alerts of an ordinary day")
	counts := map[string]int{}
	for _, alert := range result.Alerts {
		p, err := rules.ParsePriority(alert.Priority)
		if err == nil && p > rules.Notice {
			continue
		}
		counts[alert.Rule]++
		if !slices.Contains(ordinary, alert.Rule) {
			t.Errorf("%s", alert.Output)
		}
	}
	t.Logf("%d rounds: %d events, %d lost, alerts by rule %v, done %v", n, result.Ledger.Produced, result.Ledger.Lost, counts, done)
}

// listed are the names in bold that begin the items below a heading of rules/README.md.
func listed(t *testing.T, heading string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(rulesDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "## ") {
			inside = line == heading
		}
		if name, reason, found := strings.Cut(line, ":** "); inside && found {
			if len(reason) < 20 {
				t.Errorf("%s: no reason", line)
			}
			names = append(names, strings.TrimPrefix(name, "- **"))
		}
	}
	return names
}
