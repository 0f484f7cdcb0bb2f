// Package tiro connects to Tiro's services.
package tiro

import (
	"cmp"
	"context"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// Connect opens a connection to the service of uploads and jobs.
func Connect() (*grpc.ClientConn, error) {
	return connect(cmp.Or(os.Getenv("TIRO_ADDRESS"), "127.0.0.1:50051"))
}

// ConnectStreaming opens a connection to the service of live streams.
func ConnectStreaming() (*grpc.ClientConn, error) {
	return connect(cmp.Or(os.Getenv("TIRO_STREAMING_ADDRESS"), os.Getenv("TIRO_ADDRESS"), "127.0.0.1:50052"))
}

// Context carries the API key, if there is one, to the calls that are made with it.
func Context(ctx context.Context) context.Context {
	if key := os.Getenv("TIRO_API_KEY"); key != "" {
		return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key)
	}
	return ctx
}

func connect(address string) (*grpc.ClientConn, error) {
	// Of a server with TLS: credentials.NewTLS(&tls.Config{RootCAs: ...}).
	return grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}
