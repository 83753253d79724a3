// SPDX-License-Identifier: Apache-2.0

package field

import (
	"encoding/json"
	"strings"

	"github.com/falco-go/falco/pkg/schema"
)

// inJSON gives the values of r as an alert has them in JSON; package format does
// this for outputs.
func inJSON(r *Ref, vs []Value) any {
	switch {
	case len(vs) == 0 || r.Def.Has(FilterOnly):
		return nil
	case r.Def.Has(List) && !r.Arg.Given:
		out := make([]any, len(vs))
		for i := range vs {
			out[i] = oneInJSON(r, vs[i])
		}
		return out
	case len(vs) > 1:
		return string(joinTexts(r, vs))
	}
	return oneInJSON(r, vs[0])
}

func oneInJSON(r *Ref, v Value) any {
	if r.Def.Has(JSONNum) {
		return float64(v.Num)
	}
	text := strings.ToValidUTF8(string(r.AppendText(nil, v)), "\uFFFD")
	switch r.Type {
	case String, Path, Bytes, IP, IPNet:
		return text
	}
	if r.Fmt == schema.FormatHex || r.Fmt == schema.FormatOct || r.Type == Other && r.Fmt == schema.FormatNA {
		return text
	}
	if r.Fmt == schema.FormatPaddedDec {
		return float64(v.Num)
	}
	var out any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return err
	}
	return out
}
