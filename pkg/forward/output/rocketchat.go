// SPDX-License-Identifier: Apache-2.0

package output

type rocketchatConfig struct {
	WebhookURL   Secret    `key:"webhookurl" enables:"true" doc:"URL of an incoming webhook"`
	Icon         string    `key:"icon" default:"https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png" doc:"URL of a picture"`
	Username     string    `key:"username" default:"Falcosidekick"`
	OutputFormat string    `key:"outputformat" default:"all" oneof:"all,text,fields" doc:"text: no attachment, the text of messageformat alone"`
	Message      *Template `key:"messageformat" doc:"a template of the text above the attachment"`
	HTTP
}

var rocketchat = Define(Kind{
	Name: "rocketchat", Title: "Rocketchat", Section: "rocketchat", Limits: ChatLimits, Rate: perSecond, Digest: chatDigest,
}, func(cfg *rocketchatConfig, env *Env) (Output, error) {
	o, err := newChat(env, &cfg.HTTP, cfg.WebhookURL, func(e *Event) ([]byte, error) {
		m := &attachmentMessage{Text: formatted(cfg.Message, e, env, defuse), Username: cfg.Username, IconURL: cfg.Icon}
		if cfg.OutputFormat != "text" {
			m.Attachments = []attachment{attach(e, cfg.OutputFormat, "", defuse, "rule", "priority", "source", "tags", "fields", "time", "hostname")}
		} else if m.Text == "" {
			m.Text = defuse(clean(e.Output)) // nothing at all would be refused
		}
		return JSON(m)
	})
	if err != nil {
		return nil, err
	}
	o.check = acknowledged
	return o, nil
})
