// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	awsv4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/twmb/franz-go/pkg/sasl"
)

// mskIAM logs in to Amazon's Kafka with an account of AWS: the broker gets the query of a signed
// request, as JSON. The library has such a thing, too, which knows no region but that in the
// broker's name; brokers behind a name of one's own have none.
type mskIAM struct {
	session *awsSession
	now     func() time.Time
}

// emptySHA256 is the hash of a request without a body.
const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func (*mskIAM) Name() string { return "AWS_MSK_IAM" }

func (m *mskIAM) Authenticate(ctx context.Context, broker string) (sasl.Session, []byte, error) {
	host, _, err := net.SplitHostPort(broker)
	if err != nil {
		return nil, nil, err
	}
	keys, err := m.session.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("AWS_MSK_IAM: %w", m.session.failure(err))
	}
	query := url.Values{"Action": {"kafka-cluster:Connect"}, "X-Amz-Expires": {"300"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+hostInURL(host)+"/?"+query.Encode(), nil)
	if err != nil {
		return nil, nil, err
	}
	signed, _, err := awsv4.NewSigner().PresignHTTP(ctx, keys, r, emptySHA256, "kafka-cluster", mskRegion(host, m.session.Region), m.now().UTC())
	if err != nil {
		return nil, nil, err
	}
	u, err := url.Parse(signed)
	if err != nil {
		return nil, nil, err
	}
	say := map[string]string{"version": "2020_10_22", "host": host, "user-agent": UserAgent}
	for name, values := range u.Query() {
		say[strings.ToLower(name)] = values[0]
	}
	text, err := json.Marshal(say)
	return mskSession{}, text, err
}

type mskSession struct{}

// Challenge ends the log-in: the broker has said who it is.
func (mskSession) Challenge(answer []byte) (bool, []byte, error) {
	if len(answer) == 0 {
		return false, nil, errors.New("AWS_MSK_IAM: the broker's answer is empty")
	}
	return true, nil, nil
}

// mskRegion is the region in the name of a broker, b-1.NAME.ID.kafka.REGION.amazonaws.com, or else that of the settings.
func mskRegion(host, configured string) string {
	for _, domain := range []string{".amazonaws.com", ".amazonaws.com.cn"} {
		if name, ok := strings.CutSuffix(strings.ToLower(host), domain); ok {
			if _, region, ok := strings.Cut(name, ".kafka."); ok {
				return region
			}
			if _, region, ok := strings.Cut(name, ".kafka-serverless."); ok {
				return region
			}
		}
	}
	return configured
}

func hostInURL(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
