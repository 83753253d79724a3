// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/field"
)

// class groups types by the operators that they allow (rules-language.md §4.1).
type class uint8

const (
	classOther class = iota
	classNumber
	classBool
	classText
	classBytes
	classAddress
	classNet
)

func classOf(t field.Type) class {
	switch t {
	case field.String, field.Path:
		return classText
	case field.Bytes:
		return classBytes
	case field.Bool:
		return classBool
	case field.IP:
		return classAddress
	case field.IPNet:
		return classNet
	case field.Other:
		return classOther
	}
	return classNumber
}

// width returns the bits of a number, and whether it has a sign.
func width(t field.Type) (n int, signed bool) {
	switch t {
	case field.Int8:
		return 8, true
	case field.Int16:
		return 16, true
	case field.Int32:
		return 32, true
	case field.Int64, field.FD, field.PID, field.Errno:
		return 64, true
	case field.Uint8, field.Signal:
		return 8, false
	case field.Uint16, field.Port:
		return 16, false
	case field.Uint32, field.Flags, field.Mode:
		return 32, false
	}
	return 64, false
}

// allowed checks that o can be used on a value of the type.
func allowed(o Op, mod Mod, v *operand) error {
	if v.list {
		if o == OpIn || o == OpIntersects {
			return nil
		}
		return fmt.Errorf("filter error: '%s' operator not supported list filters", o)
	}
	what, ok := "", false
	switch classOf(v.typ) {
	case classNumber:
		what, ok = "numeric filters", o.equal() || o == OpNE || o.order() || o == OpIn || o == OpIntersects
	case classBool:
		what, ok = "numeric filters", o.equal() || o == OpNE || o == OpIn || o == OpIntersects
	case classText:
		what, ok = "string filters", o != OpBContains && o != OpBStartsWith
	case classBytes:
		what = "buffer filters"
		switch o {
		case OpEQ, OpEQ2, OpNE, OpIn, OpIntersects, OpContains, OpStartsWith, OpEndsWith, OpBContains, OpBStartsWith:
			ok = true
		}
	case classAddress, classNet:
		what, ok = "ip address and network filters", o.equal() || o == OpNE || o == OpIn || o == OpIntersects
		if mod != ModNone && !ok {
			return fmt.Errorf("filter error: '%s' with modifier not supported for %s", o, what)
		}
	default:
		return fmt.Errorf("filter error: '%s' operator not supported for fields that are no single value: only 'exists' is", o)
	}
	if ok {
		return nil
	}
	return fmt.Errorf("filter error: '%s' operator not supported for %s", o, what)
}

// literal is a value of a condition, converted.
type literal struct {
	str          string // text, bytes
	num          uint64
	below, above bool // the number is less, greater than the type can hold
	ip           netip.Addr
	net          netip.Prefix
	re           *regexp.Regexp
}

// convert reads text as a literal of type t (rules-language.md §4.4).
func (c *Compiler) convert(text string, t field.Type, pos Pos) (l literal, err error) {
	switch classOf(t) {
	case classText, classBytes:
		if strings.IndexByte(text, 0) >= 0 {
			return l, fmt.Errorf(`filter error: filter value cannot contain a NUL byte (\x00)`)
		}
		l.str = text
		return l, nil
	case classBool:
		switch text {
		case "true":
			l.num = 1
		case "false":
		default:
			err = fmt.Errorf("filter error: unrecognized boolean value %s", text)
		}
		return l, err
	case classAddress:
		l.ip, err = parseAddr(text)
		return l, err
	case classNet:
		l.net, err = parseNet(text)
		return l, err
	}
	if t == field.Port {
		return c.convertPort(text, pos)
	}
	return c.convertNumber(text, t, pos)
}

func (c *Compiler) convertNumber(text string, t field.Type, pos Pos) (l literal, err error) {
	digits := strings.TrimLeft(text, " \t\n\v\f\r")
	negative := false
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		negative = digits[0] == '-'
		digits = digits[1:]
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return l, fmt.Errorf("%s is not a valid number", text)
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	huge := err != nil
	size, signed := width(t)
	if t == field.Double {
		f := float64(n)
		if negative {
			f = -f
		}
		l.num = doubleBits(f)
		return l, nil
	}
	switch {
	case c.Strict && signed:
		l.num = wrapSigned(n, negative, huge, size)
	case c.Strict:
		if huge {
			n = 1<<64 - 1
		}
		if negative {
			n = -n
		}
		l.num = n & (1<<size - 1)
		if size == 64 {
			l.num = n
		}
	case negative && signed:
		l.below = huge || n > 1<<(size-1)
		l.num = -n
	case negative && n == 1 && !huge: // user.loginuid = -1
		l.num = 1<<size - 1
	case negative:
		l.below = huge || n > 0
	case signed:
		l.above = huge || n > 1<<(size-1)-1
		l.num = n
	default:
		l.above = huge || size < 64 && n>>size != 0
		l.num = n
	}
	if l.below || l.above {
		c.warn(pos, "'%s' is out of the range of type '%s': the check always gives the same result", text, t.SchemaName())
	}
	return l, nil
}

// wrapSigned is what the original makes of a signed literal: 64 bits saturate,
// fewer wrap.
func wrapSigned(n uint64, negative, huge bool, width int) uint64 {
	v := int64(n)
	switch {
	case negative && (huge || n > 1<<63):
		v = -1 << 63
	case negative:
		v = -v
	case huge || n > 1<<63-1:
		v = 1<<63 - 1
	}
	shift := 64 - width
	return uint64(v << shift >> shift)
}

func (c *Compiler) convertPort(text string, pos Pos) (l literal, err error) {
	if text == "" {
		return l, nil
	}
	if strings.Trim(text, "0123456789") == "" {
		n, err := strconv.ParseUint(text, 10, 64)
		switch {
		case c.Strict:
			l.num = n & 0xffff
		case err != nil || n > 0xffff:
			l.above = true
			c.warn(pos, "'%s' is no port number: the check always gives the same result", text)
		default:
			l.num = n
		}
		return l, nil
	}
	if isAlpha(text[0]) || isDigit(text[0]) {
		for _, network := range []string{"tcp", "udp"} {
			if n, err := net.LookupPort(network, text); err == nil {
				l.num = uint64(n)
				return l, nil
			}
		}
	}
	return l, fmt.Errorf("unrecognized protocol %s", text)
}

func parseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if strings.IndexByte(text, '.') >= 0 {
		if err != nil || !a.Is4() {
			return a, fmt.Errorf("unrecognized IPv4 address %s", text)
		}
		return a, nil
	}
	if err != nil || a.Zone() != "" {
		return a, fmt.Errorf("unrecognized IPv6 address %s", text)
	}
	return a, nil
}

func parseNet(text string) (p netip.Prefix, err error) {
	addr, length, ok := strings.Cut(text, "/")
	if !ok {
		return p, fmt.Errorf("unrecognized IP network %s", text)
	}
	n, numErr := strconv.ParseUint(length, 10, 16)
	a, err := netip.ParseAddr(addr)
	if strings.IndexByte(addr, '.') >= 0 {
		switch {
		case err != nil || !a.Is4():
			return p, fmt.Errorf("unrecognized IP address %s", addr)
		case numErr != nil || n > 32:
			return p, fmt.Errorf("invalid netmask %s", length)
		}
		return netip.PrefixFrom(a, int(n)).Masked(), nil
	}
	switch {
	case err != nil || a.Zone() != "":
		return p, fmt.Errorf("unrecognized IPv6 address %s", addr)
	case numErr != nil:
		return p, fmt.Errorf("invalid v6 netmask: %s", length)
	case n < 1 || n > 128:
		return p, fmt.Errorf("invalid v6 netmask %s", length)
	}
	return netip.PrefixFrom(a, int(n)).Masked(), nil
}

func hexBytes(text string) (string, error) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("filter error: bcontains and bstartswith operator support hex strings only")
	}
	return string(b), nil
}

// regexWords translates what Go says about a pattern into what RE2 says.
var regexWords = map[syntax.ErrorCode]string{
	syntax.ErrMissingBracket:        "missing ]",
	syntax.ErrMissingParen:          "missing )",
	syntax.ErrUnexpectedParen:       "unexpected )",
	syntax.ErrMissingRepeatArgument: "no argument for repetition operator",
	syntax.ErrInvalidRepeatOp:       "bad repetition operator",
	syntax.ErrInvalidRepeatSize:     "invalid repetition size",
	syntax.ErrInvalidPerlOp:         "invalid perl operator",
	syntax.ErrTrailingBackslash:     `trailing \`,
}

// compileRegex makes a pattern for whole values out of a POSIX one. Anchoring is
// done on the parsed pattern, because POSIX mode reads ^ and $ as line anchors.
func compileRegex(text string) (*regexp.Regexp, error) {
	tree, err := syntax.Parse(text, syntax.POSIX)
	if err == nil {
		var re *regexp.Regexp
		if re, err = regexp.Compile(`\A(?:` + tree.String() + `)\z`); err == nil {
			return re, nil
		}
	}
	if e, ok := err.(*syntax.Error); ok {
		word := regexWords[e.Code]
		if word == "" {
			word = string(e.Code)
		}
		return nil, fmt.Errorf("invalid regex pattern: %s: %s", word, e.Expr)
	}
	return nil, fmt.Errorf("invalid regex pattern: %w", err)
}

// plainRegex reports whether a simpler operator could do what the pattern does.
func plainRegex(s string) bool {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "^"), "$")
	repeat := func(s string) bool { return len(s) == 2 && s[0] == '.' && strings.IndexByte("+*?", s[1]) >= 0 }
	if len(s) >= 2 && repeat(s[:2]) {
		s = s[2:]
	}
	if n := len(s); n >= 2 && repeat(s[n-2:]) {
		s = s[:n-2]
	}
	return !strings.ContainsAny(s, `.+*?^$()[]{}|\`)
}

// warnText warns about texts that look like something else.
func (c *Compiler) warnText(v Value) {
	text := trimBlanks(v.Text)
	if strings.IndexByte(text, '.') < 0 && strings.IndexByte(text, '(') < 0 {
		return
	}
	if _, err := c.Fields.Parse(text); err == nil {
		c.warn(v.Pos, "'%s' may be a valid field misused as a const string value", v.Text)
		return
	}
	if strings.IndexByte(text, '(') < 0 {
		return
	}
	r, ok := Syntax{Strict: c.Strict}.rightHand(&Source{Text: text})
	if !ok {
		return
	}
	quiet := &Compiler{Fields: c.Fields, Strict: c.Strict}
	if _, err := quiet.operand(r.Of, !r.Val); err == nil {
		c.warn(v.Pos, "'%s' may be a valid field transformer misused as a const string value", v.Text)
	}
}
