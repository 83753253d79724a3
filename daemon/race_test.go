// SPDX-License-Identifier: Apache-2.0

//go:build race

package main

// raced is whether the race detector looks on, which makes everything slow.
const raced = true
