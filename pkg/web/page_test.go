// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
)

func pageText(t *testing.T, name string) string {
	t.Helper()
	text, err := pageFiles.ReadFile("page/" + name)
	must(t, err)
	return string(text)
}

func modules(t *testing.T) map[string]string {
	t.Helper()
	names, err := fs.Glob(pageFiles, "page/*.js")
	must(t, err)
	out := map[string]string{}
	for _, n := range names {
		out[path.Base(n)] = pageText(t, path.Base(n))
	}
	return out
}

// Each text of the page has its Chinese.
func TestTranslated(t *testing.T) {
	zh := pageText(t, "i18n.js")
	start := strings.Index(zh, "const zh = {")
	zh = zh[start : start+strings.Index(zh[start:], "\n};")]
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?:'((?:[^'\\]|\\.)*)'|([A-Za-z]+)): '`).FindAllStringSubmatch(zh, -1) {
		known[m[1]+m[2]] = true
	}
	n := 0
	for name, text := range modules(t) {
		for _, m := range regexp.MustCompile(`\b(?:t|tile|card|num|meter|choice|head|this\.section|pair)\('((?:[^'\\]|\\.)*)'`).FindAllStringSubmatch(text, -1) {
			n++
			if key := m[1]; !known[key] && !regexp.MustCompile(`^[A-Z]{2,4}$|^Go$|^\d`).MatchString(key) {
				t.Errorf("%s: %q has no translation", name, key)
			}
		}
	}
	if n < 150 || len(known) < 150 {
		t.Errorf("%d uses, %d translations: the test sees too little", n, len(known))
	}
}

// Texts become text: nothing in the page makes HTML or code of a string, and nothing
// names another place.
func TestPageIsInert(t *testing.T) {
	bad := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|createContextualFragment|https?://[a-z0-9.-]*[a-z]`)
	allowed := regexp.MustCompile(`http://127\.0\.0\.1|http://www\.w3\.org/2000/svg`)
	for name, text := range modules(t) {
		for _, m := range bad.FindAllString(allowed.ReplaceAllString(text, ""), -1) {
			t.Errorf("%s: %s", name, m)
		}
	}
	index := pageText(t, "index.html")
	if regexp.MustCompile(`<script>|<style|style=|onclick|//`).MatchString(index) {
		t.Error("index.html holds code or style of its own, or names another place")
	}
}

// uPlotSum is of uplot@1.6.32, dist/uPlot.iife.min.js.
const uPlotSum = "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"

// What is vendored is what was published, and the whole page is small.
func TestVendoredAndSmall(t *testing.T) {
	sum := sha256.Sum256([]byte(pageText(t, "vendor/uPlot.iife.min.js")))
	if got := hex.EncodeToString(sum[:]); got != uPlotSum {
		t.Errorf("uPlot has the sum %s", got)
	}
	if !strings.Contains(pageText(t, "vendor/uPlot.LICENSE.txt"), "MIT License") {
		t.Error("uPlot's licence is missing")
	}
	a, err := loadAssets()
	must(t, err)
	total := 0
	for name, f := range a.files {
		total += len(f.small)
		z, err := gzip.NewReader(bytes.NewReader(f.small))
		must(t, err)
		var plain bytes.Buffer
		if _, err := plain.ReadFrom(z); err != nil || !bytes.Equal(plain.Bytes(), f.plain) {
			t.Errorf("%s: packed wrongly: %v", name, err)
		}
	}
	if total > 250<<10 {
		t.Errorf("the page has %d bytes packed; the budget is 250 KiB", total)
	}
	t.Logf("%d KiB packed", total>>10)
}
