// SPDX-License-Identifier: Apache-2.0

// Servers runs one of the receivers that the forwarder's tests send to: those that are to be had in
// Go, but whose libraries would disturb ours.
//
//	servers stan 127.0.0.1:4222      the NATS Streaming server, cluster "falco"
//	servers gcs 127.0.0.1:4443       fake-gcs-server over HTTP, bucket "alerts"
//	servers s3 127.0.0.1:9000        gofakes3, bucket "alerts"
//	servers pubsub 127.0.0.1:8085    Google's pstest behind the JSON interface, topic projects/p/topics/alerts;
//	                                 GET /messages returns what it has
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	natsd "github.com/nats-io/nats-server/v2/server"
	stand "github.com/nats-io/nats-streaming-server/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: servers stan|gcs|s3|pubsub HOST:PORT")
	}
	host, text, err := net.SplitHostPort(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		log.Fatal(err)
	}
	switch os.Args[1] {
	case "stan":
		err = stan(host, int(port))
	case "gcs":
		err = gcs(host, uint16(port))
	case "s3":
		err = s3(os.Args[2])
	case "pubsub":
		err = pubsub(os.Args[2])
	default:
		err = fmt.Errorf("no server is called %q", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
	select {}
}

func stan(host string, port int) error {
	o := stand.GetDefaultOptions()
	o.ID = "falco"
	n := &natsd.Options{Host: host, Port: port, NoSigs: true}
	_, err := stand.RunServerWithOpts(o, n)
	return err
}

func gcs(host string, port uint16) error {
	_, err := fakestorage.NewServerWithOptions(fakestorage.Options{Scheme: "http", Host: host, Port: port,
		InitialObjects: []fakestorage.Object{{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: "alerts", Name: "first"}, Content: []byte("x")}}})
	return err
}

func s3(addr string) error {
	backend := s3mem.New()
	if err := backend.CreateBucket("alerts"); err != nil {
		return err
	}
	return http.ListenAndServe(addr, gofakes3.New(backend).Server())
}

// pubsub puts the JSON interface, which is that of gRPC in protojson, before pstest.
func pubsub(addr string) error {
	fake := pstest.NewServer()
	conn, err := grpc.NewClient(fake.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	client := pubsubpb.NewPublisherClient(conn)
	if _, err := client.CreateTopic(context.Background(), &pubsubpb.Topic{Name: "projects/p/topics/alerts"}); err != nil {
		return err
	}
	http.HandleFunc("POST /v1/", func(w http.ResponseWriter, r *http.Request) {
		topic, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v1/"), ":publish")
		body, err := io.ReadAll(r.Body)
		req := &pubsubpb.PublishRequest{}
		if err == nil {
			err = protojson.Unmarshal(body, req) // unknown members are errors
		}
		if err != nil || !ok {
			http.Error(w, fmt.Sprint("bad request: ", err), http.StatusBadRequest)
			return
		}
		req.Topic = topic
		res, err := client.Publish(r.Context(), req)
		if err != nil {
			code := map[string]int{"NotFound": 404, "InvalidArgument": 400, "ResourceExhausted": 429}[status.Code(err).String()]
			if code == 0 {
				code = 500
			}
			http.Error(w, err.Error(), code)
			return
		}
		text, err := protojson.Marshal(res)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.Write(text)
	})
	http.HandleFunc("GET /messages", func(w http.ResponseWriter, r *http.Request) {
		type message struct {
			Data        string
			Attributes  map[string]string
			OrderingKey string
		}
		out := []message{}
		for _, m := range fake.Messages() {
			out = append(out, message{string(m.Data), m.Attributes, m.OrderingKey})
		}
		json.NewEncoder(w).Encode(out)
	})
	return http.ListenAndServe(addr, nil)
}
