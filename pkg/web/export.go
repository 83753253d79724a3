// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

var csvColumns = []string{"time", "priority", "rule", "source", "hostname", "ns", "pod", "image", "tags", "output", "state", "note", "uuid", "output_fields"}

// export streams all that the filters choose, newest first. What has begun to be
// sent cannot turn into an error: a broken transfer has no end.
func (s *Server) export(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	format := c.r.URL.Query().Get("format")
	media := map[string]string{"": "application/x-ndjson", "ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8", "json": "application/json"}[format]
	if media == "" {
		return bad("format: %q is none of ndjson, csv, json", short(format, 32))
	}
	if format == "" {
		format = "ndjson"
	}
	http.NewResponseController(c.w).SetWriteDeadline(time.Time{})
	h := c.w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", `attachment; filename="falco-events.`+format+`"`)
	var w io.Writer = c.w
	if strings.Contains(c.r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(c.w)
		defer z.Close()
		w = z
	}
	b := bufio.NewWriterSize(w, 64<<10)
	if err := s.write(c, b, q, format); err != nil {
		s.conf().Log("export: %v", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (s *Server) write(c *call, b *bufio.Writer, q *Query, format string) error {
	enc := json.NewEncoder(b)
	table := csv.NewWriter(b)
	n := 0
	switch format {
	case "csv":
		if err := table.Write(csvColumns); err != nil {
			return err
		}
	case "json":
		b.WriteString("[\n")
	}
	err := s.store.Each(c.r.Context(), q, func(e *Event) error {
		n++
		if format == "csv" {
			return table.Write(csvRow(e))
		}
		if format == "json" && n > 1 {
			b.WriteString(",")
		}
		return enc.Encode(shown(e))
	})
	if err != nil {
		return err
	}
	if format == "json" {
		b.WriteString("]\n")
	}
	table.Flush()
	if err := table.Error(); err != nil {
		return err
	}
	return b.Flush()
}

func csvRow(e *Event) []string {
	v := shown(e)
	fields, err := json.Marshal(v.Fields)
	if err != nil {
		fields = nil
	}
	row := []string{v.Time, v.Priority, v.Rule, v.Source, v.Hostname, v.NS, v.Pod, v.Image, strings.Join(v.Tags, " "), v.Output, v.State, v.Note, v.UUID, string(fields)}
	for i := range row {
		row[i] = inert(row[i])
	}
	return row
}

// inert keeps a spreadsheet from taking a text for a formula.
func inert(s string) string {
	if s != "" && slices.Contains([]byte("=+-@\t\r\n"), s[0]) {
		return "'" + s
	}
	return s
}
