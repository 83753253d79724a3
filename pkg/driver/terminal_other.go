// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package driver

import "os"

// TerminalWidth knows no terminals here.
func TerminalWidth(*os.File) (int, bool) { return 0, false }
