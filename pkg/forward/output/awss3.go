// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// S3 keeps events as objects, at AWS, at Yandex, or with whoever else speaks the protocol.

type s3Config struct {
	Bucket   string `key:"bucket" enables:"true"`
	Endpoint string `key:"endpoint" doc:"URL of the service, if not the usual one"`
	ACL      string `key:"objectcannedacl" default:"bucket-owner-full-control" oneof:",private,public-read,public-read-write,authenticated-read,aws-exec-read,bucket-owner-read,bucket-owner-full-control" doc:"empty: none is sent, for buckets that have no ACLs"`
	S3Options
	ObjectStore
	AWSAccount `key:"/aws"`
	HTTP
}

// S3Options are what a store may want to be told.
type S3Options struct {
	PathStyle string `key:"pathstyle" default:"auto" oneof:"auto,true,false" doc:"the bucket in the path of the URL; auto: if endpoint is set"`
	SSE       string `key:"serversideencryption" oneof:",AES256,aws:kms,aws:kms:dsse"`
	KMSKey    string `key:"kmskeyid"`
}

var awss3 = Define(Kind{
	Name: "awss3", Title: "AWSS3", Section: "aws.s3", Workers: 2,
	Adjust: func(cfg any, k *Kind) { k.Batch = cfg.(*s3Config).batch() },
}, newS3)

type s3Output struct {
	store   *ObjectStore
	opts    *S3Options
	bucket  string
	acl     string
	session *awsSession
	client  *s3.Client
}

func newS3(cfg *s3Config, env *Env) (Output, error) {
	return openS3(env, cfg.Bucket, cfg.Endpoint, cfg.ACL, &cfg.S3Options, &cfg.ObjectStore, &cfg.AWSAccount, &cfg.HTTP)
}

func openS3(env *Env, bucket, endpoint, acl string, opts *S3Options, store *ObjectStore, account *AWSAccount, h *HTTP) (Output, error) {
	if opts.KMSKey != "" && opts.SSE == "" {
		return nil, errors.New("kmskeyid needs serversideencryption")
	}
	s, err := account.open(env, h, "", endpoint)
	if err != nil {
		return nil, err
	}
	client := s3.NewFromConfig(s.Config, func(o *s3.Options) {
		o.UsePathStyle = opts.PathStyle == "true" || opts.PathStyle == "auto" && endpoint != ""
		// The checksum is one that all know; the SDK's own way needs trailers, which not all do.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	})
	return &s3Output{store, opts, bucket, acl, s, client}, nil
}

func (o *s3Output) Send(ctx context.Context, batch []*Event) error {
	if err := o.session.ready(ctx); err != nil {
		return err
	}
	errs := make([]error, len(batch))
	for _, obj := range o.store.objects(batch) {
		err := o.session.failure(o.put(ctx, &obj))
		for _, i := range obj.events {
			errs[i] = err
		}
	}
	return Results(errs)
}

func (o *s3Output) put(ctx context.Context, obj *object) error {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(obj.body))
	in := &s3.PutObjectInput{Bucket: &o.bucket, Key: &obj.key, Body: bytes.NewReader(obj.body), ContentType: &obj.contentType,
		ContentLength: aws.Int64(int64(len(obj.body))), ChecksumCRC32: aws.String(base64.StdEncoding.EncodeToString(sum)),
		ACL: types.ObjectCannedACL(o.acl), ServerSideEncryption: types.ServerSideEncryption(o.opts.SSE)}
	if o.opts.KMSKey != "" {
		in.SSEKMSKeyId = &o.opts.KMSKey
	}
	_, err := o.client.PutObject(ctx, in)
	return err
}

func (o *s3Output) Close() error { return nil }
