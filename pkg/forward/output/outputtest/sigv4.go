// SPDX-License-Identifier: Apache-2.0

package outputtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Keys of AWS in tests.
const (
	AWSKey    = "AKIDEXAMPLE"
	AWSSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	AWSRegion = "eu-west-1"
)

// AWS is the section of settings with these keys.
const AWS = "accesskeyid: " + AWSKey + ", secretaccesskey: " + AWSSecret + ", region: " + AWSRegion

// SigV4 checks the signature of a request to a service of AWS, as its documentation describes
// it (Signature Version 4), with nothing of the SDK that has made it.
func SigV4(r *Request, service string) error {
	auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return errors.New("no signature")
	}
	part := map[string]string{}
	for _, p := range strings.Split(auth, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		part[k] = v
	}
	at := r.Header.Get("X-Amz-Date")
	if len(at) != 16 {
		return fmt.Errorf("header X-Amz-Date is %q", at)
	}
	scope := at[:8] + "/" + AWSRegion + "/" + service + "/aws4_request"
	if want := AWSKey + "/" + scope; part["Credential"] != want {
		return fmt.Errorf("the signature's Credential is %q, want %q", part["Credential"], want)
	}
	sum := sha256.Sum256(r.Body)
	payload := hex.EncodeToString(sum[:])
	if said := r.Header.Get("X-Amz-Content-Sha256"); said != "" && said != payload {
		return fmt.Errorf("header X-Amz-Content-Sha256 is %q, the body's is %q", said, payload)
	}
	names := strings.Split(part["SignedHeaders"], ";")
	for _, must := range []string{"host", "x-amz-date"} {
		if !slices.Contains(names, must) {
			return fmt.Errorf("header %s is not signed", must)
		}
	}
	path := r.Path
	if path == "" {
		path = "/"
	}
	if service != "s3" { // all but S3 escape once more
		path = strings.ReplaceAll(path, "%", "%25")
		path = strings.ReplaceAll(path, ":", "%3A")
	}
	canonical := []string{r.Method, path, sortedQuery(r.Query)}
	for _, n := range names {
		value := strings.Join(r.Header.Values(n), ",")
		switch n {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(len(r.Body))
		}
		canonical = append(canonical, n+":"+strings.Join(strings.Fields(value), " "))
	}
	canonical = append(canonical, "", part["SignedHeaders"], payload)
	return sameSignature(part["Signature"], at, scope, strings.Join(canonical, "\n"))
}

// SigV4Query checks a signature that stands in the query of a GET without a body: host is the
// only header.
func SigV4Query(q url.Values, host, service string) error {
	at := q.Get("X-Amz-Date")
	if len(at) != 16 {
		return fmt.Errorf("X-Amz-Date is %q", at)
	}
	scope := at[:8] + "/" + AWSRegion + "/" + service + "/aws4_request"
	for name, want := range map[string]string{"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": AWSKey + "/" + scope, "X-Amz-SignedHeaders": "host"} {
		if q.Get(name) != want {
			return fmt.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	rest := maps.Clone(q)
	rest.Del("X-Amz-Signature")
	nothing := sha256.Sum256(nil)
	return sameSignature(q.Get("X-Amz-Signature"), at, scope, strings.Join([]string{"GET", "/", sortedQuery(rest.Encode()), "host:" + host, "", "host", hex.EncodeToString(nothing[:])}, "\n"))
}

func sameSignature(got, at, scope, canonical string) error {
	sum := sha256.Sum256([]byte(canonical))
	text := "AWS4-HMAC-SHA256\n" + at + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	key := []byte("AWS4" + AWSSecret)
	for _, s := range append(strings.Split(scope, "/"), text) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(s))
		key = mac.Sum(nil)
	}
	if got != hex.EncodeToString(key) {
		return fmt.Errorf("the signature is wrong; canonical request:\n%s", canonical)
	}
	return nil
}

func sortedQuery(raw string) string {
	q, _ := url.ParseQuery(raw)
	var out []string
	for k, vs := range q {
		for _, v := range vs {
			out = append(out, url.QueryEscape(k)+"="+strings.ReplaceAll(url.QueryEscape(v), "+", "%20"))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "&")
}
