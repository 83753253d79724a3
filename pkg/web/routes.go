// SPDX-License-Identifier: Apache-2.0

package web

import "net/http"

func (s *Server) routesV2() []route {
	facet := param{"fields", "string", "dimensions, comma separated or repeated"}
	list := []param{{"limit", "integer", "from 1 to 1000"}, {"cursor", "string", "next of the page before"},
		{"order", "string", "desc (newest first) or asc"}, {"total", "boolean", "count all, too"}}
	hist := []param{{"interval", "string", "auto, or a span such as 5m"}, {"split", "string", "a dimension"},
		{"tz", "string", "the zone in which days begin"}, {"buckets", "integer", "at the most, from 2 to 300"}}
	action := func(name, about string) route {
		return route{method: "POST", path: "/api/v2/outputs/{id}/" + name, role: RoleAdmin, result: statusV2{}, summary: about,
			handle: func(c *call) error { return s.outputAction(c, name) }}
	}
	return []route{
		{method: "GET", path: "/api/v2/events", role: RoleViewer, filters: true, params: list, result: eventsV2{}, summary: "events, a page at a time", handle: s.list},
		{method: "POST", path: "/api/v2/events", role: RoleIngest, ingest: true, body: []wire{}, result: postedV2{}, summary: "take events: one, a list, or one a line", handle: s.post},
		{method: "PATCH", path: "/api/v2/events", role: RoleAnalyst, body: triage{}, result: changed{}, summary: "say what has become of events", handle: s.annotate},
		{method: "DELETE", path: "/api/v2/events", role: RoleAdmin, filters: true, params: []param{{"confirm", "string", "what the first answer says"}},
			result: changed{}, summary: "delete the events that the filters choose", handle: s.remove},
		{method: "GET", path: "/api/v2/events/{uuid}", role: RoleViewer, result: eventAndMore{}, summary: "an event with its deliveries and neighbours", handle: s.one},
		{method: "GET", path: "/api/v2/facets", role: RoleViewer, filters: true, params: []param{facet, {"top", "integer", "values of each"}},
			result: facetsV2{}, summary: "how many events have which value", handle: s.facets},
		{method: "GET", path: "/api/v2/histogram", role: RoleViewer, filters: true, params: hist, result: histogramV2{}, summary: "events by time", handle: s.histogram},
		{method: "GET", path: "/api/v2/top", role: RoleViewer, filters: true, params: []param{{"by", "string", "a dimension or an output field"}, {"n", "integer", "values"}},
			result: topV2{}, summary: "the most frequent values, beside the time before", handle: s.top},
		{method: "GET", path: "/api/v2/stream", role: RoleViewer, filters: true, params: []param{{"after", "integer", "the id of the last event"}},
			media: "text/event-stream", summary: "events as they come", handle: s.stream},
		{method: "GET", path: "/api/v2/export", role: RoleViewer, filters: true, params: []param{{"format", "string", "ndjson, csv or json"}},
			media: "application/x-ndjson", summary: "all events that the filters choose", handle: s.export},
		{method: "GET", path: "/api/v2/rules", role: RoleViewer, params: []param{{"since", "string", "of the counts"}}, result: rulesV2{}, summary: "rules and how often they matched", handle: s.rules},
		{method: "GET", path: "/api/v2/sensors", role: RoleViewer, result: sensorsV2{}, summary: "the daemons' own numbers", handle: s.listSensors},
		{method: "GET", path: "/api/v2/outputs", role: RoleViewer, result: outputsV2{}, summary: "where events go, and how well", handle: s.outputs},
		{method: "GET", path: "/api/v2/outputs/{id}/dead", role: RoleAnalyst, result: deadV2{}, summary: "events that an output has given up", handle: s.dead},
		action("test", "send a test event"), action("pause", "stop sending"), action("resume", "send again"), action("replay", "send what was given up once more"),
		{method: "GET", path: "/api/v2/views", role: RoleViewer, result: viewsV2{}, summary: "saved filters", handle: s.views},
		{method: "PUT", path: "/api/v2/views", role: RoleAnalyst, body: view{}, result: statusV2{}, summary: "save a filter; with an empty query, forget it", handle: s.putView},
		{method: "GET", path: "/api/v2/status", role: RoleViewer, result: statusPage{}, summary: "the store, what is kept, who looks on", handle: s.status},
		{method: "GET", path: "/api/v2/config", role: RoleViewer, result: map[string]any{}, summary: "the configuration, without secrets", handle: s.config},
		{method: "GET", path: "/api/v2/version", role: RoleViewer, result: map[string]string{}, summary: "the version", handle: func(c *call) error {
			return c.json(http.StatusOK, s.versionV1())
		}},
		{method: "GET", path: "/api/v2/users", role: RoleAdmin, result: usersV2{}, summary: "who may log in", handle: s.users},
		{method: "POST", path: "/api/v2/users", role: RoleAdmin, body: newUser{}, result: statusV2{}, summary: "make a user, or change one", handle: s.putUser},
		{method: "DELETE", path: "/api/v2/users/{name}", role: RoleAdmin, result: statusV2{}, summary: "remove a user", handle: s.dropUser},
		{method: "GET", path: "/api/v2/tokens", role: RoleAdmin, result: usersV2{}, summary: "the tokens of programs", handle: s.tokens},
		{method: "POST", path: "/api/v2/tokens", role: RoleAdmin, body: newToken{}, result: madeToken{}, summary: "make a token; it is shown once", handle: s.makeToken},
		{method: "DELETE", path: "/api/v2/tokens/{name}", role: RoleAdmin, result: statusV2{}, summary: "withdraw a token", handle: s.dropToken},
		{method: "GET", path: "/api/v2/audit", role: RoleAdmin, result: auditV2{}, summary: "who has done what", handle: s.auditLog},
		{method: "GET", path: "/api/v2/me", result: meV2{}, summary: "who asks, and how one logs in", handle: s.me},
		{method: "POST", path: "/api/v2/login", body: credentials{}, result: meV2{}, summary: "log in", handle: s.login},
		{method: "POST", path: "/api/v2/logout", role: RoleViewer, result: statusV2{}, summary: "log out", handle: s.logout},
		{method: "POST", path: "/api/v2/setup", body: setup{}, result: meV2{}, summary: "make the first user", handle: s.setup},
		{method: "GET", path: "/api/v2/oidc/login", media: "text/html", summary: "log in at the identity provider", handle: s.oidcBegin},
		{method: "GET", path: "/api/v2/oidc/callback", media: "text/html", summary: "come back from there", handle: s.oidcEnd},
		{method: "GET", path: "/api/openapi.json", result: map[string]any{}, summary: "this document", handle: func(c *call) error {
			return c.json(http.StatusOK, s.openAPI())
		}},
		{method: "GET", path: "/healthz", result: map[string]string{}, summary: "whether the server runs", handle: func(c *call) error {
			return c.json(http.StatusOK, map[string]string{"status": "ok"})
		}},
		{method: "GET", path: "/readyz", result: map[string]string{}, summary: "whether the store answers", handle: s.ready},
		{method: "GET", path: "/metrics", role: RoleViewer, media: "text/plain", summary: "the page's own numbers, for Prometheus", handle: s.metrics},
	}
}
