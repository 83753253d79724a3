// SPDX-License-Identifier: Apache-2.0

package charts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

const falcosidekick = "../../packaging/helm/falcosidekick"

func sidekick(t *testing.T, args ...string) *rendered {
	t.Helper()
	return templateOf(t, "falcosidekick", falcosidekick, args...)
}

// named returns the object of a type that has that name.
func named[T interface {
	runtime.Object
	GetName() string
}](r *rendered, name string) T {
	r.t.Helper()
	for _, o := range r.objects {
		if x, ok := o.(T); ok && x.GetName() == name {
			return x
		}
	}
	var none T
	r.t.Fatalf("there is no %T %s", none, name)
	return none
}

// settings returns the file of a Secret, which the forwarder itself must take.
func (r *rendered) settings(name string, environ ...string) map[string]any {
	r.t.Helper()
	text := named[*corev1.Secret](r, name).StringData["falcosidekick.yaml"]
	out := validated(r.t, text, environ...)
	if strings.Contains(out, "warning") || strings.Contains(out, "error") {
		r.t.Errorf("the forwarder complains: %s\n%s", out, text)
	}
	var c map[string]any
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		r.t.Fatal(err)
	}
	return c
}

var forwarder = sync.OnceValues(func() (string, error) {
	name := filepath.Join(filepath.Dir(helm), "falcosidekick")
	cmd := exec.Command("go", "-C", "../..", "build", "-o", name, "./daemon/sidekick")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	return name, errOf(err, out)
})

func errOf(err error, out []byte) error {
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// validated has the forwarder look at settings, and returns what it says.
func validated(t *testing.T, text string, environ ...string) string {
	t.Helper()
	program, err := forwarder()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "falcosidekick.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", name, "--validate")
	cmd.Env = environ
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s\n%s", err, out, text)
	}
	return string(out)
}

func at(c map[string]any, path string) any {
	var v any = c
	for _, p := range strings.Split(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

func TestFalcosidekickLint(t *testing.T) {
	out, err := run(t, "lint", "--strict", falcosidekick)
	if err != nil || !strings.Contains(out, "0 chart(s) failed") {
		t.Errorf("%v\n%s", err, out)
	}
}

// The user's own command, and what the user looks for afterwards.
func TestFalcosidekickUsersCommand(t *testing.T) {
	r := sidekick(t, "--set", "config.slack.webhookurl=https://hooks.slack.com/services/x", "--set", "webui.enabled=true")
	core, ui := named[*appsv1.Deployment](r, "falcosidekick"), named[*appsv1.Deployment](r, "falcosidekick-ui")
	if *core.Spec.Replicas != 2 || *ui.Spec.Replicas != 1 {
		t.Errorf("%d and %d replicas", *core.Spec.Replicas, *ui.Spec.Replicas)
	}
	for name, port := range map[string]int32{"falcosidekick": 2801, "falcosidekick-ui": 2802} {
		s := named[*corev1.Service](r, name)
		if s.Spec.Type != "ClusterIP" || s.Spec.Ports[0].Port != port {
			t.Errorf("service %s: %+v", name, s.Spec)
		}
	}
	c := r.settings("falcosidekick", "WEBUI_TOKEN=x")
	if at(c, "slack.webhookurl") != "https://hooks.slack.com/services/x" || at(c, "webui.url") != "http://falcosidekick-ui:2802" || at(c, "webui.enabled") != nil {
		t.Errorf("settings: %v", c)
	}
	u := r.settings("falcosidekick-ui", "WEBUI_PASSWORD=x", "WEBUI_TOKEN=x")
	if at(u, "webui.enabled") != true || at(u, "webui.listenaddress") != "0.0.0.0" || at(u, "slack") != nil || at(u, "listenport") != 0.0 {
		t.Errorf("settings of the page: %v", u)
	}
	token, users := named[*corev1.Secret](r, "falcosidekick-ui-token"), named[*corev1.Secret](r, "falcosidekick-ui-users")
	if len(token.StringData["WEBUI_TOKEN"]) < 32 || len(users.StringData["WEBUI_PASSWORD"]) < 16 {
		t.Errorf("secrets: %v %v", token.StringData, users.StringData)
	}
	for _, d := range []*appsv1.Deployment{core, ui} {
		pod := d.Spec.Template.Spec
		env := pod.Containers[0].EnvFrom
		if !slices.ContainsFunc(env, func(e corev1.EnvFromSource) bool { return e.SecretRef.Name == token.Name }) {
			t.Errorf("%s does not know the token", d.Name)
		}
		hardened(t, &pod)
		if !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Secret != nil && v.Secret.SecretName == d.Name }) {
			t.Errorf("%s has no settings", d.Name)
		}
	}
	if strings.Contains(r.text, "kind: ConfigMap") {
		t.Error("settings hold secrets, and a ConfigMap is none")
	}
	if v := named[*corev1.PersistentVolumeClaim](r, "falcosidekick-ui"); ui.Spec.Strategy.Type != "Recreate" || v == nil {
		t.Error("the page's events are not kept")
	}
}

// hardened: nobody is root, and nothing can be gained or written.
func hardened(t *testing.T, pod *corev1.PodSpec) {
	t.Helper()
	s := pod.Containers[0].SecurityContext
	if !slices.Equal(pod.Containers[0].Command, []string{"/usr/bin/falcosidekick"}) { // the image has a command, and no entry point
		t.Errorf("the command is %v", pod.Containers[0].Command)
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken || pod.HostNetwork || pod.HostPID || *pod.SecurityContext.RunAsUser == 0 ||
		!*s.RunAsNonRoot || !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || len(s.Capabilities.Drop) != 1 || len(s.Capabilities.Add) != 0 || s.Privileged != nil {
		t.Errorf("the pod may more than it needs: %+v %+v", pod.SecurityContext, s)
	}
}

func TestFalcosidekickNames(t *testing.T) {
	r := templateOf(t, "falco", falcosidekick, "--set", "webui.enabled=true")
	named[*appsv1.Deployment](r, "falco-falcosidekick")
	if c := r.settings("falco-falcosidekick"); at(c, "webui.url") != "http://falco-falcosidekick-ui:2802" {
		t.Errorf("settings: %v", c)
	}
	r = templateOf(t, strings.Repeat("x", 50), falcosidekick, "--set", "webui.enabled=true", "--set", "fleet.enabled=true", "--set", "fleet.connection.hostport=nats://x")
	for _, o := range r.objects {
		if m, ok := o.(interface{ GetName() string }); ok && len(m.GetName()) > 63 {
			t.Errorf("a name is too long: %s", m.GetName())
		}
	}
}

// Settings of all kinds come through as they are; secrets may come from outside.
func TestFalcosidekickConfig(t *testing.T) {
	r := sidekick(t, "-f", values(t, `
config:
  existingSecret: mine
  extraArgs: [--state-dir, /elsewhere]
  extraEnv: [{name: DEBUG, value: "true"}]
  customfields: "environment:production,region:eu"
  customtags: [a, b]
  templatedfields: {ns: '{{ index . "k8s.ns.name" }}'}
  spool: {sync: interval}
  elasticsearch: {hostport: "http://es:9200", index: falco, customheaders: {X-A: b}}
  aws: {useirsa: true, rolearn: "arn:aws:iam::1:role/x", region: eu-west-1, s3: {bucket: b}}
  outputs:
    - {name: second, type: webhook, settings: {address: "http://x"}, match: {priority: ">=warning"}}
  nosuch: {key: 1}
podLabels: {team: red}
customLabels: {cost: centre}
customAnnotations: {a: b}
service: {annotations: {c: d}, nodePort: 30801, type: NodePort}
priorityClassName: high
extraVolumes: [{name: ca, secret: {secretName: ca}}]
extraVolumeMounts: [{name: ca, mountPath: /etc/certs}]
podDisruptionBudget: {enabled: true}
serviceMonitor: {enabled: true}
networkPolicy: {enabled: true, from: [{namespaceSelector: {}}]}
`))
	text := named[*corev1.Secret](r, "falcosidekick").StringData["falcosidekick.yaml"]
	if out := validated(t, text); !strings.Contains(out, "warning: ") || !strings.Contains(out, "nosuch") || strings.Count(out, "warning") != 1 || !strings.Contains(out, "3 outputs are on") {
		t.Errorf("the forwarder says: %s\n%s", out, text)
	}
	if strings.Contains(text, "existingSecret") || strings.Contains(text, "useirsa") || strings.Contains(text, "extraEnv") {
		t.Errorf("what is the chart's is in the settings:\n%s", text)
	}
	d := one[*appsv1.Deployment](r)
	c := d.Spec.Template.Spec.Containers[0]
	if c.EnvFrom[0].SecretRef.Name != "mine" || c.Env[0].Name != "DEBUG" || !slices.Equal(c.Args, []string{"-c", "/etc/falcosidekick/falcosidekick.yaml", "--state-dir", "/elsewhere"}) {
		t.Errorf("%+v", c)
	}
	if sa := one[*corev1.ServiceAccount](r); sa.Annotations["eks.amazonaws.com/role-arn"] != "arn:aws:iam::1:role/x" || sa.Annotations["a"] != "b" {
		t.Errorf("%v", sa.Annotations)
	}
	s := one[*corev1.Service](r)
	if s.Spec.Ports[0].NodePort != 30801 || s.Annotations["c"] != "d" || s.Annotations["a"] != "b" || s.Labels["cost"] != "centre" || d.Spec.Template.Labels["team"] != "red" {
		t.Errorf("%+v", s)
	}
	one[*policyv1.PodDisruptionBudget](r)
	one[*networkingv1.NetworkPolicy](r)
	if r.kinds["ServiceMonitor"] != 1 {
		t.Error("no ServiceMonitor")
	}
	grown := sidekick(t, "--set", "config.customtags={a,b,c}")
	if one[*appsv1.Deployment](grown).Spec.Template.Annotations["checksum/config"] == d.Spec.Template.Annotations["checksum/config"] {
		t.Error("a change of the settings restarts nothing")
	}
}

func TestFalcosidekickTLS(t *testing.T) {
	r := sidekick(t, "--set", "config.tlsserver.deploy=true", "--set", "config.tlsserver.mutualtls=true", "--set", "config.tlsserver.existingSecret=certs")
	pod := one[*appsv1.Deployment](r).Spec.Template.Spec
	c := pod.Containers[0]
	if c.ReadinessProbe.HTTPGet.Port.IntValue() != 2810 || !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == "/etc/certs/server" }) ||
		!slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Secret != nil && v.Secret.SecretName == "certs" }) {
		t.Errorf("%+v", c)
	}
	text := named[*corev1.Secret](r, "falcosidekick").StringData["falcosidekick.yaml"]
	for _, want := range []string{"/healthz", "/readyz", "/metrics", "mutualtls: true"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if s := named[*corev1.Service](r, "falcosidekick"); len(s.Spec.Ports) != 2 || s.Spec.Ports[1].Port != 2810 {
		t.Errorf("%+v", s.Spec.Ports)
	}
	r = sidekick(t, "--set", "config.tlsserver.deploy=true", "--set", "config.tlsserver.servercrt=C", "--set", "config.tlsserver.serverkey=K")
	if s := named[*corev1.Secret](r, "falcosidekick-certs"); s.StringData["server.key"] != "K" {
		t.Errorf("%v", s.StringData)
	}
	if strings.Contains(named[*corev1.Secret](r, "falcosidekick").StringData["falcosidekick.yaml"], "serverkey") {
		t.Error("the key is in the settings too")
	}
}

func TestFalcosidekickVolumes(t *testing.T) {
	r := sidekick(t, "--set", "persistence.enabled=true", "--set", "persistence.size=5Gi", "--set", "replicaCount=3")
	s := one[*appsv1.StatefulSet](r)
	if q := s.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests["storage"]; *s.Spec.Replicas != 3 || q.String() != "5Gi" || s.Spec.VolumeClaimTemplates[0].Name != "state" {
		t.Errorf("%+v", s.Spec)
	}
	if slices.ContainsFunc(s.Spec.Template.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == "state" }) {
		t.Error("two volumes are called state")
	}
	if r.kinds["Deployment"] != 0 {
		t.Error("a Deployment beside it")
	}
}

func TestFalcosidekickPage(t *testing.T) {
	if _, err := run(t, "template", "falcosidekick", falcosidekick, "--set", "webui.enabled=true", "--set", "webui.replicaCount=2"); err == nil || !strings.Contains(err.Error(), "PostgreSQL") {
		t.Errorf("two pages with a file each: %v", err)
	}
	r := sidekick(t, "-f", values(t, `
webui:
  enabled: true
  replicaCount: 2
  user: "me:secret:word"
  disableauth: true
  config: {retention: {age: 720h}}
  database: {url: "postgres://u:p@db/falco"}
  ingress: {enabled: true, className: nginx, annotations: {x: z}, hosts: [{host: falco.example.org}], tls: [{hosts: [falco.example.org], secretName: s}]}
`))
	d := named[*appsv1.Deployment](r, "falcosidekick-ui")
	if e := d.Spec.Template.Spec.Containers[0].Env; len(e) != 1 || e[0].Name != "WEBUI_DATABASE" || e[0].ValueFrom.SecretKeyRef.Name != "falcosidekick-ui-database" {
		t.Errorf("%+v", e)
	}
	if r.kinds["PersistentVolumeClaim"] != 0 || named[*corev1.Secret](r, "falcosidekick-ui-users").StringData["WEBUI_PASSWORD"] != "secret:word" {
		t.Errorf("%v", r.kinds)
	}
	u := r.settings("falcosidekick-ui", "WEBUI_PASSWORD=x")
	if at(u, "webui.user") != "me" || at(u, "webui.anonymous_read") != true || at(u, "webui.retention.age") != "720h" {
		t.Errorf("%v", u)
	}
	if strings.Contains(named[*corev1.Secret](r, "falcosidekick-ui").StringData["falcosidekick.yaml"], "postgres") {
		t.Error("the password of the database is where it need not be")
	}
	i := one[*networkingv1.Ingress](r)
	if i.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name != "falcosidekick-ui" || *i.Spec.IngressClassName != "nginx" || i.Annotations["x"] != "z" {
		t.Errorf("%+v", i.Spec)
	}
}

// A fleet, with the values that the documentation has.
func TestFalcosidekickFleet(t *testing.T) {
	for engine, keys := range map[string][2]map[string]any{
		"nats":  {{"nats.jetstream": true, "nats.hostport": "nats://nats:4222"}, {"consume.nats.hostport": "nats://nats:4222", "consume.nats.create": true, "consume.nats.replicas": 3.0, "nats": nil}},
		"kafka": {{"kafka.topic": "falco"}, {"consume.kafka.topic": "falco", "kafka": nil}},
	} {
		r := sidekick(t, "-f", filepath.Join(falcosidekick, "fleet", engine+"-values.yaml"), "--set", "config.slack.webhookurl=https://x")
		for i, name := range []string{"falcosidekick-node", "falcosidekick"} {
			c := r.settings(name)
			for k, want := range keys[i] {
				if at(c, k) != want {
					t.Errorf("%s: %s is %v, want %v", name, k, at(c, k), want)
				}
			}
			if (at(c, "slack") == nil) != (i == 0) {
				t.Errorf("%s: slack is %v", name, at(c, "slack"))
			}
		}
		d := one[*appsv1.DaemonSet](r)
		hardened(t, &d.Spec.Template.Spec)
		s := named[*corev1.Service](r, "falcosidekick-node")
		if s.Spec.InternalTrafficPolicy == nil || *s.Spec.InternalTrafficPolicy != corev1.ServiceInternalTrafficPolicyLocal {
			t.Error("events may leave the node before they are in a spool")
		}
	}
	for _, args := range [][]string{{"fleet.engine=rabbits", "there is nats and kafka"}, {"fleet.engine=nats", "hostport is missing"}} {
		if _, err := run(t, "template", "falcosidekick", falcosidekick, "--set", "fleet.enabled=true", "--set", args[0]); err == nil || !strings.Contains(err.Error(), args[1]) {
			t.Errorf("%s: %v", args[0], err)
		}
	}
}

// The server that the documentation offers.
func TestFalcosidekickFleetServer(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(falcosidekick, "fleet/nats.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r := objectsOf(t, string(text))
	s := one[*appsv1.StatefulSet](r)
	c := s.Spec.Template.Spec.Containers[0]
	if r.kinds["Service"] != 1 || *s.Spec.Replicas != 3 || one[*corev1.Service](r).Name != s.Spec.ServiceName || len(s.Spec.VolumeClaimTemplates) != 1 || *c.SecurityContext.AllowPrivilegeEscalation {
		t.Errorf("%v %+v", r.kinds, s.Spec)
	}
	if !strings.Contains(r.configMap("nats")["nats.conf"], "nats://nats-2.nats:6222") {
		t.Error("the servers do not know each other")
	}
}

// The notes name services that are there.
func TestFalcosidekickNotes(t *testing.T) {
	chart := filepath.Join(t.TempDir(), "falcosidekick") // helm shows notes to those who have a cluster
	if err := os.CopyFS(chart, os.DirFS(falcosidekick)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(chart, "templates/notes.yaml"), []byte(`notes: {{ include (print .Template.BasePath "/NOTES.txt") . | toJson }}`), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, "template", "falcosidekick", chart, "-n", "falco", "--set", "webui.enabled=true", "-s", "templates/notes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Notes string }
	if err := yaml.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	notes := doc.Notes
	for _, want := range []string{"http://falcosidekick.falco:2801/", "svc/falcosidekick-ui 2802:2802", "secret falcosidekick-ui-users", "persistence.enabled"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no %q in\n%s", want, notes)
		}
	}
}
