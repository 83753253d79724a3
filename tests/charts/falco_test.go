// SPDX-License-Identifier: Apache-2.0

package charts

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

func TestLint(t *testing.T) {
	out, err := run(t, "lint", "--strict", falco)
	if err != nil || !strings.Contains(out, "0 chart(s) failed") {
		t.Errorf("%v\n%s", err, out)
	}
}

// rulesFile is the file of values that the user handed in, or, where that is not there, one like it.
func rulesFile(t *testing.T) string {
	t.Helper()
	shared := os.Getenv("FALCO_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	name := filepath.Join(shared, "data/user-rules/falcoCustomRule.yaml")
	if _, err := os.Stat(name); err == nil {
		return name
	}
	t.Log("FALCO_SHARED not found: with values of our own")
	return values(t, "customRules:\n  falco_custom_network_rule.yaml: |-\n    - list: website_ips\n      items: ['\"197.255.20.45\"']\n")
}

// What users type, and what they must get.
func TestUsersCommand(t *testing.T) {
	r := template(t, "--set", "falco.jsonOutput=true", "--set", "falco.httpOutput.enabled=true",
		"--set", "falco.httpOutput.url=http://falcosidekick:2801", "-f", rulesFile(t))
	r.expect(map[string]string{
		"json_output": "true",
		"http_output": `{"enabled":true,"url":"http://falcosidekick:2801"}`,
		"rules_files": `["/etc/falco/falco_rules.yaml","/etc/falco/falco_rules.local.yaml","/etc/falco/rules.d"]`,
	})
	if r.kinds["DaemonSet"] != 1 || r.kinds["Deployment"] != 0 {
		t.Errorf("kinds: %v", r.kinds)
	}
	text := r.configMap("falco-rules")["falco_custom_network_rule.yaml"]
	if !strings.Contains(text, `items: ['"197.255.20.45"']`) {
		t.Errorf("the rules file is\n%s", text)
	}
	var rules []map[string]any
	if err := yaml.Unmarshal([]byte(text), &rules); err != nil || len(rules) == 0 {
		t.Errorf("the rules file does not load: %v", err)
	}
	if c := r.falco(); !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == "rules" && m.MountPath == "/etc/falco/rules.d" }) {
		t.Errorf("rules are not mounted: %v", c.VolumeMounts)
	}
}

// By the names of today, and both: what is set under either name counts, today's wins.
func TestNames(t *testing.T) {
	r := template(t, "-f", values(t, `falco:
  json_output: true
  jsonOutput: false
  rulesFile: [/etc/falco/a.yaml]
  timeFormatISO8601: false
  jsonIncludeTagsProperty: false
  logLevel: debug
  outputTimeout: 500
  syscallEventDrops: {actions: [log], rate: 1, maxBurst: 10}
  fileOutput: {enabled: true, keepAlive: true, filename: /var/log/x}
  programOutput:
    enabled: true
    keepAlive: false
    program: |
      jq .
  webserver: {listenPort: 9000, k8sAuditEndpoint: /k8s-audit}
  priority: notice
  outputs: {rate: 1, maxBurst: 1000}
`))
	r.expect(map[string]string{
		"json_output": "true", "rules_files": `["/etc/falco/a.yaml"]`, "time_format_iso_8601": "false",
		"json_include_tags_property": "false", "log_level": `"debug"`, "output_timeout": "500", "priority": `"notice"`,
		"syscall_event_drops": `{"actions":["log"],"max_burst":10,"rate":1}`,
		"file_output":         `{"enabled":true,"filename":"/var/log/x","keep_alive":true}`,
		"program_output":      `{"enabled":true,"keep_alive":false,"program":"jq .\n"}`,
		"outputs":             "null",
	})
	if p := r.falco().LivenessProbe.HTTPGet.Port.IntValue(); p != 9000 {
		t.Errorf("the probe asks port %d", p)
	}
}

// What is mounted and allowed is what is used.
func TestNodeAccess(t *testing.T) {
	r := template(t)
	pod := one[*appsv1.DaemonSet](r).Spec.Template.Spec
	var paths []string
	for _, v := range pod.Volumes {
		if v.HostPath != nil {
			paths = append(paths, v.HostPath.Path)
		}
	}
	slices.Sort(paths)
	want := []string{"/boot", "/etc", "/lib/modules", "/proc", "/run/containerd", "/run/crio", "/run/host-containerd", "/run/k3s/containerd", "/run/podman", "/usr", "/var/run"}
	if !slices.Equal(paths, want) {
		t.Errorf("of the node are mounted %q, want %q", paths, want)
	}
	if pod.HostPID || pod.HostNetwork || pod.HostIPC || *pod.AutomountServiceAccountToken {
		t.Error("the pod has more of the node than it needs")
	}
	c := pod.Containers[0]
	for _, m := range c.VolumeMounts {
		if strings.HasPrefix(m.MountPath, "/host") && !m.ReadOnly {
			t.Errorf("%s may be written", m.MountPath)
		}
	}
	if !*c.SecurityContext.Privileged || !*c.SecurityContext.ReadOnlyRootFilesystem {
		t.Errorf("security context %+v", c.SecurityContext)
	}
	env := map[string]bool{}
	for _, e := range c.Env {
		env[e.Name] = true
	}
	if !env["HOST_ROOT"] || !env["FALCO_HOSTNAME"] || !env["FALCO_K8S_NODE_NAME"] {
		t.Errorf("environment %v", env)
	}
	if pod.InitContainers[0].Name != "falco-driver-loader" {
		t.Errorf("init containers %v", pod.InitContainers)
	}
	for _, image := range []string{c.Image, pod.InitContainers[0].Image} {
		if !strings.HasPrefix(image, "ghcr.io/falco-go/") {
			t.Errorf("image %s is not ours", image)
		}
	}

	r = template(t, "--set", "driver.kmod.devicePlugin=example.org/falco")
	c = r.falco()
	if c.SecurityContext.Privileged != nil || !slices.Equal(c.SecurityContext.Capabilities.Add, []corev1.Capability{"PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH"}) {
		t.Errorf("security context %+v", c.SecurityContext)
	}
	if q := c.Resources.Limits["example.org/falco"]; q.Value() != 1 {
		t.Errorf("limits %v", c.Resources.Limits)
	}
}

func TestWithoutDriver(t *testing.T) {
	r := template(t, "--set", "driver.enabled=false", "--set", "controller.kind=deployment")
	d := one[*appsv1.Deployment](r)
	c := d.Spec.Template.Spec.Containers[0]
	if !slices.Equal(c.Args, []string{"/usr/bin/falco", "--disable-source", "syscall"}) {
		t.Errorf("arguments %q", c.Args)
	}
	if len(d.Spec.Template.Spec.InitContainers) != 0 || c.SecurityContext.Privileged != nil {
		t.Error("it is privileged, or loads a driver")
	}
	for _, v := range d.Spec.Template.Spec.Volumes {
		if v.HostPath != nil {
			t.Errorf("%s of the node is mounted", v.HostPath.Path)
		}
	}
}

// The engine is the module, by whatever name; what is gone stops the release, all of it in one message.
func TestDriverKinds(t *testing.T) {
	for _, kind := range []string{"auto", "kmod", "module", "modern_ebpf", "modern-bpf"} {
		template(t, "--set", "driver.kind="+kind).expect(map[string]string{
			"engine": `{"kind":"kmod","kmod":{"buf_size_preset":4,"drop_failed_exit":false}}`,
		})
	}
	for _, c := range []struct {
		set  []string
		want []string
	}{
		{[]string{"driver.kind=gvisor", "driver.ebpf.path=x"}, []string{"driver.kind=gvisor", "driver.ebpf"}},
		{[]string{"falco.grpc.enabled=true", "falco.grpc_output.enabled=true"}, []string{"falco.grpc", "falco.grpc_output"}},
		{[]string{"driver.kind=telepathy"}, []string{"telepathy"}},
	} {
		args := []string{"template", "falco", falco}
		for _, s := range c.set {
			args = append(args, "--set", s)
		}
		_, err := run(t, args...)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", c.set, err, want)
			}
		}
	}
}

func TestForwarder(t *testing.T) {
	r := template(t, "--set", "falcosidekick.enabled=true")
	r.expect(map[string]string{"json_output": "true", "http_output": `{"enabled":true,"url":"http://falco-falcosidekick:2801/"}`})
	r = template(t, "--set", "falcosidekick.enabled=true", "--set", "falcosidekick.fullfqdn=true", "--set", "falcosidekick.listenPort=99")
	r.expect(map[string]string{"http_output": `{"enabled":true,"url":"http://falco-falcosidekick.falco.svc.cluster.local:99/"}`})
	// It is installed along, and takes what stands below its name.
	r = template(t, "--set", "falcosidekick.enabled=true", "--set", "falcosidekick.config.slack.webhookurl=https://hooks.slack.com/services/a/b/c",
		"--set", "falcosidekick.webui.enabled=true", "--set", "falcosidekick.service.port=2899")
	r.expect(map[string]string{"http_output": `{"enabled":true,"url":"http://falco-falcosidekick:2899/"}`})
	if port := named[*corev1.Service](r, "falco-falcosidekick").Spec.Ports[0].Port; port != 2899 {
		t.Errorf("the forwarder's Service has port %d", port)
	}
	named[*corev1.Service](r, "falco-falcosidekick-ui")
	if text := named[*corev1.Secret](r, "falco-falcosidekick").StringData["falcosidekick.yaml"]; !strings.Contains(text, "services/a/b/c") {
		t.Errorf("the forwarder's settings are\n%s", text)
	}
	r = template(t, "--set", "falcosidekick.enabled=true", "--set", "falco.http_output.url=http://elsewhere/")
	r.expect(map[string]string{"http_output": `{"enabled":true,"url":"http://elsewhere/"}`})
}

func TestMetrics(t *testing.T) {
	r := template(t, "--set", "metrics.enabled=true", "--set", "serviceMonitor.create=true")
	if r.kinds["ServiceMonitor"] != 1 || r.kinds["Service"] != 1 || r.kinds["Pod"] != 1 {
		t.Errorf("kinds: %v", r.kinds)
	}
	s := one[*corev1.Service](r)
	if s.Labels["type"] != "falco-metrics" || s.Spec.Ports[0].Port != 8765 {
		t.Errorf("service %+v", s)
	}
	for key, value := range s.Spec.Selector {
		if one[*appsv1.DaemonSet](r).Spec.Template.Labels[key] != value {
			t.Errorf("the service looks for %s=%s, which the pods are not", key, value)
		}
	}
	if !strings.Contains(r.configMap("falco")["falco.yaml"], "prometheus_metrics_enabled: true") {
		t.Error("metrics are not served")
	}
}

func TestNetworkPolicy(t *testing.T) {
	r := template(t, "--set", "networkPolicy.enabled=true", "--set", "falco.http_output.enabled=true", "--set", "falco.http_output.url=http://falcosidekick:2801/")
	p := one[*networkingv1.NetworkPolicy](r)
	if len(p.Spec.Egress) != 2 || p.Spec.Egress[1].Ports[0].Port.IntValue() != 2801 || p.Spec.Ingress[0].Ports[0].Port.IntValue() != 8765 {
		t.Errorf("%+v", p.Spec)
	}
}

// On OpenShift there are constraints, and a role that uses them; elsewhere there is no role at all.
func TestOpenShift(t *testing.T) {
	r := template(t)
	if r.kinds["Role"] != 0 || r.kinds["SecurityContextConstraints"] != 0 {
		t.Errorf("kinds: %v", r.kinds)
	}
	r = template(t, "--api-versions", "security.openshift.io/v1")
	if r.kinds["Role"] != 1 || r.kinds["RoleBinding"] != 1 || r.kinds["SecurityContextConstraints"] != 1 {
		t.Errorf("kinds: %v", r.kinds)
	}
}

// All else that people set ends up where it belongs.
func TestTheRest(t *testing.T) {
	r := template(t, "-f", values(t, `fullnameOverride: ""
nameOverride: ""
podPriorityClassName: system-node-critical
podAnnotations: {a: b}
podLabels: {c: d}
nodeSelector: {e: f}
tolerations: [{operator: Exists}]
imagePullSecrets: [{name: s}]
tty: true
timezone: Europe/Rome
proxy: {httpProxy: "http://p:3128"}
docker: {enabled: false}
containerd: {enabled: true, socket: /run/c.sock}
extraArgs: [-A]
daemonset: {env: {G: h}}
extra:
  args: [-M, "60"]
  env: [{name: FALCO_HOSTNAME, value: me}]
certs: {server: {key: k, crt: c}, ca: {crt: a}, client: {key: k, crt: c}}
mounts:
  volumes: [{name: x, emptyDir: {}}]
  volumeMounts: [{name: x, mountPath: /x}]
services: [{name: audit, type: NodePort, ports: [{port: 9765, nodePort: 30007, protocol: TCP, name: audit}]}]
falcoctl: {artifact: {install: {enabled: true}}}
`))
	d := one[*appsv1.DaemonSet](r)
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	if !slices.Equal(c.Args, []string{"/usr/bin/falco", "-M", "60", "-A"}) || !c.TTY || pod.PriorityClassName != "system-node-critical" ||
		d.Spec.Template.Annotations["a"] != "b" || d.Spec.Template.Labels["c"] != "d" || pod.NodeSelector["e"] != "f" ||
		pod.Tolerations[0].Operator != "Exists" || pod.ImagePullSecrets[0].Name != "s" {
		t.Errorf("%+v", pod)
	}
	env := map[string]string{}
	for _, e := range c.Env {
		if _, twice := env[e.Name]; twice {
			t.Errorf("%s is there twice", e.Name)
		}
		env[e.Name] = e.Value
	}
	if env["TZ"] != "Europe/Rome" || env["http_proxy"] != "http://p:3128" || env["G"] != "h" || env["FALCO_HOSTNAME"] != "me" {
		t.Errorf("environment %v", env)
	}
	if r.kinds["Secret"] != 2 || r.kinds["Service"] != 1 {
		t.Errorf("kinds: %v", r.kinds)
	}
	text := r.configMap("falco")["falco.yaml"]
	if strings.Contains(text, "docker.sock") || !strings.Contains(text, "/run/c.sock") {
		t.Errorf("engines:\n%s", text)
	}
}

// The same values, another configuration: the pods are made anew.
func TestChecksums(t *testing.T) {
	sum := func(args ...string) string {
		return one[*appsv1.DaemonSet](template(t, args...)).Spec.Template.Annotations["checksum/config"]
	}
	if a, b, c := sum(), sum(), sum("--set", "falco.priority=notice"); a != b || a == c {
		t.Errorf("checksums %s, %s, %s", a, b, c)
	}
}

// The configuration that pods get is one that the daemon takes.
func TestDaemonTakesIt(t *testing.T) {
	for _, args := range [][]string{
		nil,
		{"--set", "metrics.enabled=true", "--set", "falco.jsonOutput=true"},
		{"--set", "driver.enabled=false"},
	} {
		takes(t, template(t, args...).configMap("falco")["falco.yaml"])
	}
}
