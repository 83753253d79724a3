// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/falco-go/falco/pkg/capture"

// Tables returns s as a capture fills it, for whoever brings the records himself.
// SeedCapture lets a Reader bring them.
func (s *State) Tables() capture.Tables { return &captureSeed{s: s} }
