// SPDX-License-Identifier: Apache-2.0

// Package wire is what the engines that speak gRPC have in common: a connection to
// a local socket, and errors in our own words.
package wire

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/falco-go/falco/pkg/container"
)

// maxMessage bounds an answer in bytes, as containerd itself does.
const maxMessage = 16 << 20

// Connect returns a connection to the socket called path. The first attempt is made
// by hand: gRPC wraps the reason why it fails in several layers.
func Connect(ctx context.Context, path string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	var d net.Dialer
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) }
	trial, err := dial(ctx, path)
	if err != nil {
		return nil, err
	}
	trial.Close()
	return grpc.NewClient("passthrough:///"+path, append(options,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithContextDialer(dial))...)
}

// Why returns an error of gRPC as one of ours; say makes one of those that have no
// name here.
func Why(err error, say func(*status.Status) error) error {
	s, ok := status.FromError(err)
	switch {
	case err == nil, !ok:
		return err
	case s.Code() == codes.NotFound:
		return container.ErrNotFound
	case s.Code() == codes.DeadlineExceeded:
		return context.DeadlineExceeded
	}
	return say(s)
}
