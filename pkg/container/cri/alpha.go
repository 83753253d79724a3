// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"context"
	"strings"

	"google.golang.org/grpc"
)

// Before version 1 of the protocol there was v1alpha2: the only one that containerd
// serves up to 1.5, and CRI-O up to 1.19. The messages are the same, byte for byte;
// the service has another name.
const (
	service      = "/runtime.v1.RuntimeService/"
	alphaService = "/runtime.v1alpha2.RuntimeService/"
)

// Alpha makes a connection one of the older version.
func Alpha() []grpc.DialOption {
	older := func(method string) string { return strings.Replace(method, service, alphaService, 1) }
	return []grpc.DialOption{
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption) error {
			return invoke(ctx, older(method), req, reply, c, o...)
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, c *grpc.ClientConn, method string, stream grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
			return stream(ctx, d, c, older(method), o...)
		}),
	}
}
