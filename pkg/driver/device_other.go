// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package driver

import (
	"os"
	"time"

	"github.com/falco-go/falco/pkg/schema"
)

// Device cannot be opened here.
type Device struct{}

// Mapping is the memory of one CPU's ring.
type Mapping struct {
	CPU           int
	Control, Data []byte
}

// Open fails with ErrUnsupported, as all else here.
func Open(string) (*Device, error) { return nil, ErrUnsupported }

// Attach fails with ErrUnsupported.
func Attach(file *os.File) (*Device, error) {
	file.Close()
	return nil, ErrUnsupported
}

func (*Device) Dup() (*os.File, error)   { return nil, ErrUnsupported }
func (*Device) Unmap() error             { return ErrUnsupported }
func (*Device) Close() error             { return ErrUnsupported }
func (*Device) Info() (*Info, error)     { return nil, ErrUnsupported }
func (*Device) Configure(Config) error   { return ErrUnsupported }
func (*Device) SetFilter(Filter) error   { return ErrUnsupported }
func (*Device) Start() error             { return ErrUnsupported }
func (*Device) Stop() error              { return ErrUnsupported }
func (*Device) Wait(time.Duration) error { return ErrUnsupported }
func (*Device) Stats(int) (Stats, error) { return Stats{}, ErrUnsupported }
func (*Device) TypeStats(int) (*[schema.NumEvents]TypeStats, error) {
	return nil, ErrUnsupported
}
func (*Device) Map(int) (Mapping, bool, error) { return Mapping{}, false, ErrUnsupported }

// BootTime is unknown here.
func BootTime() uint64 { return 0 }

// MonotonicTime is unknown here.
func MonotonicTime() uint64 { return 0 }

// EpochOffset is unknown here.
func EpochOffset() int64 { return 0 }
