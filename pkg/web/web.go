// SPDX-License-Identifier: Apache-2.0

// Package web keeps alerts and shows them: a store (store.go; on SQLite or on
// PostgreSQL), an API (api.go) and a page in a browser that uses nothing but the
// API (page/). The forwarder serves it.
//
// An event comes in once, by Ingest or over HTTP, and is in the store before
// anybody says that it is. From there it goes to those who watch live (live.go);
// whoever has missed something reads it again. Counts are kept beside the events,
// so that a picture of a month does not read a month of events.
//
// What is in an event was written by those whom Falco watches. It is data
// everywhere: bound to statements, quoted in exports, and text in the page.
package web
