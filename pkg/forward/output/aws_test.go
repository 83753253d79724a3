// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

// fauxqs starts a server of npm that plays SQS, SNS, S3 and STS; init says what is
// there. It wants a younger node than Debian's, which npm has too.
func fauxqs(t *testing.T, init string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "falco", "fauxqs-2.4.1")
	cli := filepath.Join(dir, "node_modules/fauxqs/dist/cli.js")
	node := filepath.Join(dir, "node_modules/node/bin/node")
	if _, err := os.Stat(filepath.Join(dir, "done")); err != nil {
		debian(t, "/usr/bin/npm", "npm")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private": true}`), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--prefix", ".", "fauxqs@2.4.1", "node@22")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("npm: %v\n%s", err, out)
		}
		if err := os.WriteFile(filepath.Join(dir, "done"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	conf := filepath.Join(t.TempDir(), "init.json")
	if err := os.WriteFile(conf, []byte(init), 0o644); err != nil {
		t.Fatal(err)
	}
	p := freePort(t)
	for k, v := range map[string]string{"FAUXQS_PORT": p, "FAUXQS_INIT": conf, "FAUXQS_DEFAULT_REGION": outputtest.AWSRegion, "FAUXQS_LOGGER": "false", "FAUXQS_HOST": "localhost"} {
		t.Setenv(k, v)
	}
	daemon(t, node, cli)
	url := "http://127.0.0.1:" + p
	until(t, "fauxqs", func() bool {
		res, err := http.Get(url + "/health")
		if err == nil {
			res.Body.Close()
		}
		return err == nil
	})
	return url
}

// awsConfig is that of the test's own client.
func awsConfig(url string) aws.Config {
	return aws.Config{Region: outputtest.AWSRegion, BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider(outputtest.AWSKey, outputtest.AWSSecret, "")}
}

// signed checks the signature, and then what check says.
func signed(service string, check func(r *outputtest.Request) error) func(r *outputtest.Request) error {
	return func(r *outputtest.Request) error {
		if err := outputtest.SigV4(r, service); err != nil {
			return err
		}
		if check == nil {
			return nil
		}
		return check(r)
	}
}

// STS says who we are, once, before the first event: keys that are wrong hold up the output, an STS
// that is away does not.
func TestAWSChecksWhoWeAre(t *testing.T) {
	target := func(r *outputtest.Request) error {
		if !strings.Contains(string(r.Body), "Action=GetCallerIdentity") {
			return fmt.Errorf("body %q", r.Body)
		}
		return nil
	}
	who := outputtest.Serve(t, outputtest.Want{Check: signed("sts", target), Body: `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
		<GetCallerIdentityResult><Arn>arn:aws:iam::1:user/falco</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`})
	fn := outputtest.Serve(t, outputtest.Want{Check: signed("lambda", nil)})
	o := outputtest.Open(t, "awslambda", "aws: {"+outputtest.AWS+", stsendpoint: "+who.URL+", lambda: {functionname: f, endpoint: "+fn.URL+"}}")
	who.Script(outputtest.Answer{Status: 403, Body: `<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>no</Message></Error></ErrorResponse>`})
	outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Configuration)
	if err := o.Send(t, outputtest.Events(3)...); err != nil {
		t.Fatal(err)
	}
	if a, b := len(who.Requests()), len(fn.Requests()); a != 1 || b != 3 {
		t.Errorf("STS was asked %d times, the function called %d times; want 1 and 3", a, b)
	}
	o = outputtest.Open(t, "awslambda", "aws: {"+outputtest.AWS+", stsendpoint: 'http://127.0.0.1:1', lambda: {functionname: f, endpoint: "+fn.URL+"}}")
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Errorf("without STS: %v", err)
	}
}

// A role is taken on with the keys, and its own keys sign.
func TestAWSTakesOnARole(t *testing.T) {
	sts := outputtest.Serve(t, outputtest.Want{Check: signed("sts", func(r *outputtest.Request) error {
		if s := string(r.Body); !strings.Contains(s, "Action=AssumeRole") || !strings.Contains(s, "ExternalId=ext") || !strings.Contains(s, "RoleArn=arn") {
			return fmt.Errorf("body %q", s)
		}
		return nil
	}), Body: `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ROLE</AccessKeyId>
		<SecretAccessKey>s</SecretAccessKey><SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`})
	fn := outputtest.Serve(t, outputtest.Want{Header: map[string]string{"X-Amz-Security-Token": "token"}, Check: func(r *outputtest.Request) error {
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=ROLE/") {
			return errors.New("not signed with the role's key")
		}
		return nil
	}})
	o := outputtest.Open(t, "awslambda", "aws: {"+outputtest.AWS+", checkidentity: false, rolearn: 'arn:aws:iam::1:role/r', externalid: ext, stsendpoint: "+sts.URL+", lambda: {functionname: f, endpoint: "+fn.URL+"}}")
	if err := o.Send(t, outputtest.Events(2)...); err != nil {
		t.Fatal(err)
	}
	sts.One()
}

func TestAWSRefusesWhatCannotWork(t *testing.T) {
	for _, k := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		t.Setenv(k, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/does/not/exist")
	for _, yaml := range []string{
		"aws: {accesskeyid: a, region: r, lambda: {functionname: f}}",
		"aws: {accesskeyid: a, secretaccesskey: secret, lambda: {functionname: f}}",
		"aws: {" + outputtest.AWS + ", lambda: {functionname: f, endpoint: 'ftp://x'}}",
	} {
		if _, err := outputtest.TryOpen(t, "awslambda", yaml); err == nil || strings.Contains(err.Error(), "secret") && !strings.Contains(err.Error(), "secretaccesskey") {
			t.Errorf("%s: error is %v", yaml, err)
		}
	}
}

func TestLambda(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Path: "/2015-03-31/functions/falco/invocations", Check: signed("lambda", nil), Schema: webhookSchema,
		Query: map[string]string{"Qualifier": "live"}, Header: map[string]string{"X-Amz-Invocation-Type": "RequestResponse", "X-Amz-Log-Type": "Tail"},
		Reply: map[string]string{"X-Amz-Log-Result": "U1RBUlQK"}, Body: `{"ok":true}`})
	o := outputtest.Open(t, "awslambda", "aws: {"+outputtest.AWS+", lambda: {functionname: falco, qualifier: live, endpoint: "+s.URL+"}}")
	if err := o.Send(t, outputtest.Event(1)); err != nil {
		t.Fatal(err)
	}
	outputtest.SameJSON(t, s.One().Body, outputtest.Event(1).JSON())
	s.Script(outputtest.Answer{Status: 200, Header: map[string]string{"X-Amz-Function-Error": "Unhandled"}, Body: `{"errorMessage":"boom"}`})
	err := o.Send(t, outputtest.Event(1))
	if outputtest.Class(t, err, output.Retryable); !strings.Contains(err.Error(), "boom") {
		t.Errorf("error is %v", err)
	}
	for _, c := range []struct {
		status int
		code   string
		want   output.Class
	}{
		{404, "ResourceNotFoundException", output.Configuration}, {413, "RequestTooLargeException", output.Big}, {429, "TooManyRequestsException", output.Retryable},
		{403, "AccessDeniedException", output.Configuration}, {400, "InvalidRequestContentException", output.Final}, {500, "ServiceException", output.Retryable},
		{400, "ThrottlingException", output.Retryable}, {0, "", output.Retryable},
	} {
		s.Script(outputtest.Answer{Status: c.status, Body: `{"Message":"no"}`, Header: map[string]string{"X-Amzn-Errortype": c.code, "Retry-After": "7"}})
		err := o.Send(t, outputtest.Event(0))
		outputtest.Class(t, err, c.want)
		if _, after := output.ClassOf(err); c.status == 429 && after.Seconds() != 7 {
			t.Errorf("Retry-After of %v, want 7s", after)
		}
		if c.code != "" && !strings.Contains(err.Error(), c.code) {
			t.Errorf("error %v does not say %s", err, c.code)
		}
	}
}

func TestLambdaEventAndArray(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Check: signed("lambda", nil), Schema: `{"type": "array", "maxItems": 3, "items": ` + webhookSchema + `}`,
		Header: map[string]string{"X-Amz-Invocation-Type": "Event", "X-Amz-Log-Type": "-"}, Status: 202})
	o := outputtest.Open(t, "awslambda", "aws: {"+outputtest.AWS+", lambda: {functionname: 'arn:aws:lambda:eu-west-1:1:function:f', invocationtype: event, batchsize: 3, endpoint: "+s.URL+"}}")
	if err := o.Send(t, outputtest.Events(7)...); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Requests()); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

func TestLambdaHostile(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Check: signed("lambda", nil), Schema: webhookSchemaCut, MaxBody: 6 << 20})
	outputtest.Hostile(t, outputtest.Open(t, "awslambda", "aws: {"+outputtest.AWS+", lambda: {functionname: f, endpoint: "+s.URL+"}}"))
}

// webhookSchemaCut is that of events which may have been cut.
var webhookSchemaCut = strings.Replace(webhookSchema, `"hostname":`, `"truncated": {"const": true}, "hostname":`, 1)

// body decodes a request of AWS's JSON protocols.
func awsBody[T any](r *outputtest.Request) (v T, err error) {
	err = json.Unmarshal(r.Body, &v)
	return v, err
}
