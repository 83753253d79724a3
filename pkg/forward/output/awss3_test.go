// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

// s3Server plays S3: signature, checksum, and names that are safe.
func s3Server(t *testing.T, bucket string, header map[string]string) *outputtest.Server {
	return outputtest.Serve(t, outputtest.Want{Method: "PUT", Header: header, Query: map[string]string{"x-id": "PutObject"}, Check: signed("s3", func(r *outputtest.Request) error {
		path, err := url.PathUnescape(r.Path)
		if err != nil {
			return err
		}
		key, ok := strings.CutPrefix(path, "/"+bucket+"/")
		if !ok || key == "" || len(key) > 1024 || !utf8.ValidString(key) || strings.ContainsAny(key, "%:") || strings.Contains(key, "//") {
			return fmt.Errorf("path %q", r.Path)
		}
		sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(r.Body))
		if got, want := r.Header.Get("X-Amz-Checksum-Crc32"), base64.StdEncoding.EncodeToString(sum); got != want {
			return fmt.Errorf("CRC32 is %q, want %q", got, want)
		}
		return nil
	})})
}

func TestS3(t *testing.T) {
	s := s3Server(t, "b", map[string]string{"X-Amz-Acl": "bucket-owner-full-control", "Content-Type": "application/json", "Content-Encoding": "-"})
	o := outputtest.Open(t, "awss3", "aws: {"+outputtest.AWS+", s3: {bucket: b, endpoint: "+s.URL+"}}")
	if err := o.Send(t, outputtest.Event(1)); err != nil {
		t.Fatal(err)
	}
	r := s.One()
	if want := "/b/falco/2026-05-17/2026-05-17T15-31-56.747609046Z-" + outputtest.UUID(1) + ".json"; r.Path != want {
		t.Errorf("path %q, want %q", r.Path, want)
	}
	outputtest.SameJSON(t, r.Body, outputtest.Event(1).JSON())
	for _, c := range []struct {
		status int
		code   string
		want   output.Class
	}{
		{404, "NoSuchBucket", output.Configuration}, {403, "AccessDenied", output.Configuration}, {503, "SlowDown", output.Retryable}, {500, "InternalError", output.Retryable},
		{400, "AccessControlListNotSupported", output.Configuration}, {400, "EntityTooLarge", output.Big}, {400, "RequestTimeout", output.Retryable},
		{400, "InvalidArgument", output.Final}, {301, "PermanentRedirect", output.Configuration}, {0, "", output.Retryable},
	} {
		s.Script(outputtest.Answer{Status: c.status, Body: "<Error><Code>" + c.code + "</Code><Message>m</Message></Error>"})
		outputtest.Class(t, one(o.Send(t, outputtest.Event(0))), c.want)
	}
}

func TestS3Options(t *testing.T) {
	s := s3Server(t, "b", map[string]string{"X-Amz-Acl": "-", "X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "k"})
	o := outputtest.Open(t, "awss3", "aws: {"+outputtest.AWS+", s3: {bucket: b, prefix: '/a/b/', objectcannedacl: '', serversideencryption: 'aws:kms', kmskeyid: k, endpoint: "+s.URL+"}}")
	if err := o.Send(t, outputtest.Event(1)); err != nil {
		t.Fatal(err)
	}
	if r := s.One(); !strings.HasPrefix(r.Path, "/b/a/b/2026-05-17/") {
		t.Errorf("path %q", r.Path)
	}
	if _, err := outputtest.TryOpen(t, "awss3", "aws: {"+outputtest.AWS+", s3: {bucket: b, kmskeyid: k}}"); err == nil {
		t.Error("kmskeyid without serversideencryption")
	}
}

// A second attempt makes the same object, so that nothing is there twice.
func TestS3IntoARealServer(t *testing.T) {
	url := fauxqs(t, `{"buckets": ["alerts"]}`)
	client := s3.NewFromConfig(awsConfig(url), func(o *s3.Options) { o.UsePathStyle = true })
	list := func(prefix string) (keys []string) {
		t.Helper()
		out, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: ptr("alerts"), Prefix: &prefix})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range out.Contents {
			keys = append(keys, *c.Key)
		}
		return keys
	}
	get := func(key string) []byte {
		t.Helper()
		out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: ptr("alerts"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(out.Body)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	single := outputtest.Open(t, "awss3", "aws: {"+outputtest.AWS+", s3: {bucket: alerts, prefix: single, endpoint: "+url+"}}")
	many := outputtest.Open(t, "awss3", "aws: {"+outputtest.AWS+", s3: {bucket: alerts, prefix: many, layout: batch, batchsize: 40, endpoint: "+url+"}}")
	yandex := outputtest.Open(t, "yandexs3", "yandex: {accesskeyid: a, secretaccesskey: b, s3: {bucket: alerts, prefix: yandex, endpoint: "+url+"}}")
	for range 2 {
		for _, o := range []*outputtest.Opened{single, many, yandex} {
			if err := o.Send(t, outputtest.Events(100)...); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, prefix := range []string{"single/", "yandex/"} {
		keys := list(prefix)
		if len(keys) != 100 {
			t.Fatalf("%s: %d objects, want 100", prefix, len(keys))
		}
		outputtest.SameJSON(t, get(keys[7]), outputtest.Event(7).JSON())
	}
	keys := list("many/")
	if len(keys) != 3 || keys[0] != "many/dt=2026-05-17/hh=15/node-1-"+outputtest.UUID(0)+".ndjson.gz" {
		t.Fatalf("objects %q", keys)
	}
	n := 0
	for _, k := range keys {
		z, err := gzip.NewReader(bytes.NewReader(get(k)))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
			outputtest.SameJSON(t, []byte(line), outputtest.Event(n).JSON())
			n++
		}
	}
	if n != 100 {
		t.Errorf("%d lines, want 100", n)
	}
	gone := outputtest.Open(t, "awss3", "aws: {"+outputtest.AWS+", s3: {bucket: nosuch, endpoint: "+url+"}}")
	outputtest.Class(t, one(gone.Send(t, outputtest.Event(0))), output.Configuration)
}

func TestS3Hostile(t *testing.T) {
	s := s3Server(t, "b", nil)
	outputtest.Hostile(t, outputtest.Open(t, "awss3", "aws: {"+outputtest.AWS+", s3: {bucket: b, layout: batch, endpoint: "+s.URL+"}}"))
	outputtest.Hostile(t, outputtest.Open(t, "awss3", "aws: {"+outputtest.AWS+", s3: {bucket: b, endpoint: "+s.URL+"}}"))
}

func ptr[T any](v T) *T { return &v }
