// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/falco-go/falco/pkg/spool"
)

// AWSAccount are the settings that all outputs to AWS have in common.
type AWSAccount struct {
	AccessKeyID   string `key:"accesskeyid" doc:"without it the SDK looks where it always does: environment, files, the machine's role"`
	SecretKey     Secret `key:"secretaccesskey"`
	SessionToken  Secret `key:"sessiontoken"`
	Region        string `key:"region"`
	RoleARN       string `key:"rolearn" doc:"role to take on"`
	ExternalID    string `key:"externalid" doc:"what the role asks for"`
	CheckIdentity bool   `key:"checkidentity" default:"true" doc:"ask STS who we are before the first event"`
	STSEndpoint   string `key:"stsendpoint" doc:"URL of STS, if not the usual one"`
}

// awsSession is an account in use.
type awsSession struct {
	aws.Config
	env   *Env
	check bool
	ask   func(ctx context.Context) (string, error)

	mu      sync.Mutex
	checked bool
}

// open reads the account. region is where the receiver is, if its name tells;
// endpoint takes the place of the service's.
func (a *AWSAccount) open(env *Env, h *HTTP, region, endpoint string) (*awsSession, error) {
	t, err := env.Transport(h)
	if err != nil {
		return nil, err
	}
	// The SDK wants a client of its own kind, to which it adds what AWS_CA_BUNDLE names.
	client := awshttp.NewBuildableClient().WithTimeout(requestTimeout).WithTransportOptions(func(own *http.Transport) {
		own.TLSClientConfig, own.Proxy, own.DialContext = t.TLSClientConfig, t.Proxy, t.DialContext
		own.TLSHandshakeTimeout, own.MaxIdleConnsPerHost = t.TLSHandshakeTimeout, t.MaxIdleConnsPerHost
	})
	opts := []func(*config.LoadOptions) error{
		config.WithHTTPClient(client), config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }), config.WithAppID(UserAgent),
	}
	if region == "" {
		region = a.Region
	}
	if region != "" {
		opts = append(opts, config.WithRegion(region))
	}
	switch {
	case a.AccessKeyID != "" && a.SecretKey != "":
		opts = append(opts, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(a.AccessKeyID, string(a.SecretKey), string(a.SessionToken))))
	case a.AccessKeyID != "" || a.SecretKey != "":
		return nil, errors.New("of accesskeyid and secretaccesskey one is not set")
	}
	conf, err := config.LoadDefaultConfig(context.Background(), opts...)
	if err != nil {
		return nil, err
	}
	if conf.Region == "" {
		return nil, errors.New("aws.region is not set")
	}
	s := &awsSession{Config: conf, env: env, check: a.CheckIdentity && (endpoint == "" || a.STSEndpoint != "")}
	if a.STSEndpoint != "" {
		if err := CheckURL("aws.stsendpoint", a.STSEndpoint); err != nil {
			return nil, err
		}
	}
	asker := sts.NewFromConfig(conf, func(o *sts.Options) {
		if a.STSEndpoint != "" {
			o.BaseEndpoint = &a.STSEndpoint
		}
	})
	if a.RoleARN != "" {
		s.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(asker, a.RoleARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "falcosidekick"
			if a.ExternalID != "" {
				o.ExternalID = &a.ExternalID
			}
		}))
	}
	if endpoint != "" {
		if err := CheckURL("endpoint", endpoint); err != nil {
			return nil, err
		}
		s.BaseEndpoint = &endpoint
	}
	if s.check {
		who := sts.NewFromConfig(s.Config, func(o *sts.Options) {
			o.BaseEndpoint = nil
			if a.STSEndpoint != "" {
				o.BaseEndpoint = &a.STSEndpoint
			}
		})
		s.ask = func(ctx context.Context) (string, error) {
			out, err := who.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			if err != nil {
				return "", err
			}
			return aws.ToString(out.Arn), nil
		}
	}
	return s, nil
}

const identityTimeout = 3 * time.Second

// ready says once who we are. Keys that are wrong stop the output; an STS that cannot be
// reached does not.
func (s *awsSession) ready(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.check || s.checked {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	arn, err := s.ask(ctx)
	if err != nil {
		err = s.failure(err)
		if class, _ := ClassOf(err); class == Configuration || class == Final {
			return Misconfiguredf("STS: %w", err)
		}
		s.env.Log.Warnf("%s: STS does not say who we are: %v", s.env.Title, err)
	} else {
		s.env.Log.Infof("%s: we are %s", s.env.Title, arn)
	}
	s.checked = true
	return nil
}

// codes of AWS that the status of the answer does not tell.
var awsCodes = map[string]Class{
	"ThrottlingException": Retryable, "Throttling": Retryable, "ThrottledException": Retryable, "RequestThrottled": Retryable,
	"RequestThrottledException": Retryable, "TooManyRequestsException": Retryable, "ProvisionedThroughputExceededException": Retryable,
	"RequestLimitExceeded": Retryable, "SlowDown": Retryable, "BandwidthLimitExceeded": Retryable, "LimitExceededException": Retryable,
	"ServiceUnavailableException": Retryable, "ServiceUnavailable": Retryable, "InternalError": Retryable, "OperationAbortedException": Retryable,
	"RequestTimeout": Retryable, "RequestTimeoutException": Retryable, "OverLimit": Retryable, "KMSThrottling": Retryable, "KmsThrottled": Retryable,
	"ResourceConflictException": Retryable, "ResourceNotReadyException": Retryable, "RequestTimeTooSkewed": Retryable, "BadDigest": Retryable,

	"AccessDenied": Configuration, "AccessDeniedException": Configuration, "AuthorizationError": Configuration, "AuthorizationErrorException": Configuration,
	"InvalidClientTokenId": Configuration, "InvalidAccessKeyId": Configuration, "UnrecognizedClientException": Configuration, "InvalidSecurity": Configuration,
	"SignatureDoesNotMatch": Configuration, "InvalidSignatureException": Configuration, "ExpiredToken": Configuration, "ExpiredTokenException": Configuration,
	"IncompleteSignature": Configuration, "MissingAuthenticationToken": Configuration, "OptInRequired": Configuration, "AuthorizationHeaderMalformed": Configuration,
	"NoSuchBucket": Configuration, "PermanentRedirect": Configuration, "AccessControlListNotSupported": Configuration, "IllegalLocationConstraintException": Configuration,
	"AWS.SimpleQueueService.NonExistentQueue": Configuration, "QueueDoesNotExist": Configuration, "InvalidAddress": Configuration,
	"NotFound": Configuration, "NotFoundException": Configuration, "EndpointDisabled": Configuration, "ResourceNotFoundException": Configuration,
	"KMSDisabledException": Configuration, "KMSNotFoundException": Configuration, "KMSAccessDeniedException": Configuration,

	"RequestTooLargeException": Big, "EntityTooLarge": Big, "RequestEntityTooLargeException": Big,
	"AWS.SimpleQueueService.BatchRequestTooLong": Big, "BatchRequestTooLong": Big, "InvalidParameterException": Final,
}

// failure gives an error of the SDK its class, and leaves out all but what matters of its text.
func (s *awsSession) failure(err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Class: Retryable, Err: err}
	res, answered := errors.AsType[*smithyhttp.ResponseError](err)
	if answered = answered && res.Response != nil && res.Response.Response != nil && res.HTTPStatusCode() > 0; answered {
		e.Status = res.HTTPStatusCode()
		a := &Answer{Status: e.Status, Header: res.Response.Header}
		byStatus := Classify(a, s.env.Now())
		e.Class, e.After = ClassOf(byStatus)
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code, message := api.ErrorCode(), api.ErrorMessage()
		if i := strings.LastIndexByte(code, '#'); i >= 0 {
			code = code[i+1:]
		}
		text := fmt.Sprintf("%s: %s", code, message)
		if e.Status != 0 {
			text = fmt.Sprintf("%d %s", e.Status, text)
		}
		e.Err = errors.New(Line(text))
		if class, known := awsCodes[code]; known {
			e.Class = class
			if class == Retryable && e.After == 0 && answered {
				e.After = spool.RetryAfter(res.Response.Header.Get("Retry-After"), s.env.Now())
			}
		}
	} else if u, ok := errors.AsType[*url.Error](err); ok {
		e.Err = u.Err
	} else if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		e.Err = op.Err
	}
	return e
}

// entry gives one of a batch's entries its class: fault is the sender's.
func awsEntry(code, message string, fault bool) error {
	class, known := awsCodes[code]
	if !known {
		if class = Retryable; fault {
			class = Final
		}
	}
	return &Error{Class: class, Err: fmt.Errorf("%s: %s", Line(code), Line(message))}
}

// arnRegion returns the region in an ARN, "" if text is none.
func arnRegion(text string) string {
	if p := strings.SplitN(text, ":", 6); len(p) == 6 && p[0] == "arn" {
		return p[3]
	}
	return ""
}
