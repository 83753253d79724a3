// SPDX-License-Identifier: Apache-2.0

package forward

import "github.com/falco-go/falco/pkg/forward/output"

// Logger is where the forwarder speaks to the operator.
type Logger interface {
	output.Logger
	Errorf(format string, args ...any)
}

// silent says nothing.
type silent struct{ output.NoLog }

func (silent) Errorf(string, ...any) {}
