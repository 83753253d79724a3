// SPDX-License-Identifier: Apache-2.0

// Package charts renders our charts as users do, with helm itself, and looks at what
// comes out: Kubernetes must know every field of it.
package charts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

const falco = "../../packaging/helm/falco"

// helm is the program, built once.
var helm string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "falco-charts-")
	if err == nil {
		helm = filepath.Join(dir, "helm")
		var out []byte
		if out, err = exec.Command("go", "build", "-o", helm, "helm.sh/helm/v3/cmd/helm").CombinedOutput(); err != nil {
			err = fmt.Errorf("build helm: %w\n%s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// run calls helm without any settings of the machine.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	home := t.TempDir()
	cmd := exec.Command(helm, args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "KUBECONFIG="+filepath.Join(home, "none"), "HELM_CACHE_HOME="+home)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	if err != nil {
		return out.String(), fmt.Errorf("helm %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), complaint.String())
	}
	return out.String(), nil
}

// rendered are the objects that a release consists of.
type rendered struct {
	t       *testing.T
	objects []runtime.Object
	kinds   map[string]int
	text    string
}

// template renders as "helm template falco CHART -n falco ARGS" and has every object checked.
func template(t *testing.T, args ...string) *rendered {
	t.Helper()
	return templateOf(t, "falco", falco, args...)
}

// templateOf is template for a release of another name and chart.
func templateOf(t *testing.T, release, chart string, args ...string) *rendered {
	t.Helper()
	out, err := run(t, append([]string{"template", release, chart, "-n", "falco"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return objectsOf(t, out)
}

// objectsOf reads manifests, and has every object checked.
func objectsOf(t *testing.T, out string) *rendered {
	t.Helper()
	r := &rendered{t: t, kinds: map[string]int{}, text: out}
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	docs := yamlutil.NewYAMLReader(bufferedReader(out))
	for {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return r
		} else if err != nil {
			t.Fatal(err)
		}
		var head struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(doc, &head); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		if head.Kind == "" {
			continue // nothing but comments
		}
		r.kinds[head.Kind]++
		if !scheme.Scheme.Recognizes(schema.FromAPIVersionAndKind(head.APIVersion, head.Kind)) {
			if !slices.Contains([]string{"ServiceMonitor", "SecurityContextConstraints"}, head.Kind) {
				t.Errorf("nobody knows a %s of %s", head.Kind, head.APIVersion)
			}
			continue
		}
		// Unknown fields, fields given twice and values of another type are errors.
		o, _, err := strict.Decode(doc, nil, nil)
		if err != nil {
			t.Errorf("%s: %v\n%s", head.Kind, err, doc)
			continue
		}
		validateOpenAPI(t, head.APIVersion, head.Kind, doc)
		r.objects = append(r.objects, o)
	}
}

// one returns the only object of a type.
func one[T runtime.Object](r *rendered) T {
	r.t.Helper()
	var found []T
	for _, o := range r.objects {
		if x, ok := o.(T); ok {
			found = append(found, x)
		}
	}
	if len(found) != 1 {
		var none T
		r.t.Fatalf("there are %d of %T", len(found), none)
	}
	return found[0]
}

// configMap returns the data of a ConfigMap.
func (r *rendered) configMap(name string) map[string]string {
	r.t.Helper()
	for _, o := range r.objects {
		if c, ok := o.(*corev1.ConfigMap); ok && c.Name == name {
			return c.Data
		}
	}
	r.t.Fatalf("there is no ConfigMap %s", name)
	return nil
}

// config is falco.yaml as the pods get it.
func (r *rendered) config() map[string]any {
	r.t.Helper()
	var c map[string]any
	if err := yaml.Unmarshal([]byte(r.configMap("falco")["falco.yaml"]), &c); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// expect compares keys of the configuration, as JSON.
func (r *rendered) expect(want map[string]string) {
	r.t.Helper()
	c := r.config()
	for key, text := range want {
		have, err := json.Marshal(c[key])
		if err != nil {
			r.t.Fatal(err)
		}
		if string(have) != text {
			r.t.Errorf("%s is %s, want %s", key, have, text)
		}
	}
}

// falco is the main container of the DaemonSet.
func (r *rendered) falco() corev1.Container {
	r.t.Helper()
	return one[*appsv1.DaemonSet](r).Spec.Template.Spec.Containers[0]
}

func values(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// takes has our daemon read a configuration, with stock rules.
func takes(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "falco.yaml")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs("../../rules/falco_rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "-C", "../..", "run", "./daemon", "-c", name, "-o", "rules_files[0]="+rules, "--dry-run")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, text)
	} else if strings.Contains(string(out), "schema validation: failed") || strings.Contains(string(out), "warning") {
		t.Errorf("the daemon complains:\n%s", out)
	}
}
