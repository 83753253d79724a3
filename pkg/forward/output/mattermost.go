// SPDX-License-Identifier: Apache-2.0

package output

type mattermostConfig struct {
	WebhookURL   Secret    `key:"webhookurl" enables:"true" doc:"URL of an incoming webhook"`
	Footer       string    `key:"footer" default:"https://github.com/falcosecurity/falcosidekick"`
	Icon         string    `key:"icon" default:"https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png" doc:"URL of a picture"`
	Username     string    `key:"username" default:"Falcosidekick"`
	OutputFormat string    `key:"outputformat" default:"all" oneof:"all,text,fields"`
	Message      *Template `key:"messageformat" doc:"a template of the text above the attachment"`
	HTTP
}

var mattermost = Define(Kind{
	Name: "mattermost", Title: "Mattermost", Section: "mattermost", Limits: ChatLimits, Rate: perSecond, Digest: chatDigest,
}, func(cfg *mattermostConfig, env *Env) (Output, error) {
	o, err := newChat(env, &cfg.HTTP, cfg.WebhookURL, func(e *Event) ([]byte, error) {
		return JSON(&attachmentMessage{Text: formatted(cfg.Message, e, env, defuse), Username: cfg.Username, IconURL: cfg.Icon,
			Attachments: []attachment{attach(e, cfg.OutputFormat, cfg.Footer, defuse, "rule", "hostname", "priority", "source", "tags", "fields", "time")}})
	})
	if err != nil {
		return nil, err
	}
	o.check = acknowledged
	return o, nil
})
