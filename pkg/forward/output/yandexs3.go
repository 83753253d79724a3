// SPDX-License-Identifier: Apache-2.0

package output

type yandexS3Config struct {
	Bucket   string `key:"bucket" enables:"true"`
	Endpoint string `key:"endpoint" default:"https://storage.yandexcloud.net"`
	S3Options
	ObjectStore
	Account struct {
		AccessKeyID string `key:"accesskeyid"`
		SecretKey   Secret `key:"secretaccesskey"`
		Region      string `key:"region" default:"ru-central1"`
	} `key:"/yandex"`
	HTTP
}

var yandexs3 = Define(Kind{
	Name: "yandexs3", Title: "YandexS3", Section: "yandex.s3", Workers: 2,
	Adjust: func(cfg any, k *Kind) { k.Batch = cfg.(*yandexS3Config).batch() },
}, func(cfg *yandexS3Config, env *Env) (Output, error) {
	a := &AWSAccount{AccessKeyID: cfg.Account.AccessKeyID, SecretKey: cfg.Account.SecretKey, Region: cfg.Account.Region}
	return openS3(env, cfg.Bucket, cfg.Endpoint, "", &cfg.S3Options, &cfg.ObjectStore, a, &cfg.HTTP)
})
