// SPDX-License-Identifier: Apache-2.0

package filter

// The grammar. Blanks may stand between all tokens, except before "[" and between
// the name of a function and its "(".
//
//	expr      = and { "or"  ( blank and | "(" expr ")" ) }
//	and       = not { "and" ( blank not | "(" expr ")" ) }
//	not       = { "not" blank } ( "not(" expr ")" | check )
//	check     = "(" expr ")" | ( call | field ) tail | ident
//	field     = fieldname [ "[" ( quoted | barearg ) "]" ]
//	call      = function "(" arg { "," arg } ")" [ "[" ( quoted | barearg ) "]" ]
//	arg       = number | quoted | "(" [ item { "," item } ] ")" | call | field
//	item      = number | quoted | call | field
//	tail      = "exists"
//	          | ( "<=" | "<" | ">=" | ">" ) ( number | rhs )
//	          | strop modifier list
//	          | strop ( value | rhs )
//	          | ( "intersects" | "in" | "pmatch" ) ( list | rhs )
//	strop     = "==" | "=" | "!=" | ( "glob" | "iglob" | "contains" | "icontains" | "bcontains" |
//	            "startswith" | "bstartswith" | "endswith" | "regex" ) blank
//	modifier  = blank ( "oneof" | "anyof" | "allof" ) blank
//	list      = "(" [ value { "," value } ] ")" | ident
//	rhs       = "val(" field ")" | call
//	value     = quoted | bare
//
// A "(" glued to "and" or "or" makes that group alone the operand.

// Depths of nesting at which the parser gives up.
const (
	DefaultDepth = 100
	RulesDepth   = 1000
)

// Syntax says how a text is parsed. The zero value is the usual way.
type Syntax struct {
	Depth  int  // 0: DefaultDepth
	Strict bool // as the original, with its QUIRKs
}

const transformers = "'val', 'tolower', 'toupper', 'b64', 'basename', 'len', 'join', 'concat', 'getopt'"

const operators = "'exists', '<=', '<', '>=', '>', '==', '=', '!=', 'glob', 'iglob', 'contains', 'icontains', " +
	"'bcontains', 'startswith', 'bstartswith', 'endswith', 'regex', 'intersects', 'in', 'pmatch'"

type parser struct {
	lexer
	depth, max int
}

func (s Syntax) parser(src *Source) *parser {
	p := &parser{lexer: lexer{src: src, text: src.Text, strict: s.Strict}, max: s.Depth}
	if p.max == 0 {
		p.max = DefaultDepth
	}
	return p
}

// Parse reads the condition src.Text. Its errors are *Error.
func (s Syntax) Parse(src *Source) (Expr, error) {
	p := s.parser(src)
	if p.text == "" {
		return nil, p.errorf("filter input string is empty")
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.blank(); !p.done() {
		return nil, p.errorf("unexpected token after '%s', expecting 'or', 'and'", p.last)
	}
	return e, nil
}

// Operand reads the field or call that src.Text starts with and returns the
// bytes that it takes.
func (s Syntax) Operand(src *Source) (Operand, int, error) {
	p := s.parser(src)
	o, err := p.callOrField()
	if err == nil && o == nil {
		err = p.errorf("expected a field or a transformer")
	}
	return o, p.pos, err
}

// RightHand reads src.Text as what stands right of an operator: val(field) or a
// call, and nothing else.
func (s Syntax) rightHand(src *Source) (r Right, whole bool) {
	p := s.parser(src)
	r, ok, err := p.rhs()
	return r, ok && err == nil && p.done()
}

func (p *parser) push() error {
	if p.depth++; p.depth > p.max {
		return p.errorf("exceeded max depth limit of %d", p.max)
	}
	return nil
}

func (p *parser) or() (Expr, error) {
	pos, kids, err := p.chain("or", p.and)
	if err != nil || len(kids) == 1 {
		return first(kids), err
	}
	return &Or{pos, kids}, nil
}

func (p *parser) and() (Expr, error) {
	pos, kids, err := p.chain("and", p.not)
	if err != nil || len(kids) == 1 {
		return first(kids), err
	}
	return &And{pos, kids}, nil
}

func first(kids []Expr) Expr {
	if len(kids) == 0 {
		return nil
	}
	return kids[0]
}

// chain reads operands with the keyword between them.
func (p *parser) chain(keyword string, operand func() (Expr, error)) (pos Pos, kids []Expr, err error) {
	p.blank()
	pos = p.at(p.pos)
	for {
		e, err := operand()
		if err != nil {
			return pos, nil, err
		}
		kids = append(kids, e)
		for {
			p.blank()
			if !p.word(keyword) {
				return pos, kids, nil
			}
			if p.blank() {
				break
			}
			if e, err = p.group(); err != nil {
				return pos, nil, err
			}
			if e == nil {
				return pos, nil, p.errorf("expected blank or '(' after '%s'", keyword)
			}
			kids = append(kids, e)
		}
	}
}

// group reads an expression in parentheses; it returns nil if there is no "(".
func (p *parser) group() (Expr, error) {
	if !p.char('(') {
		return nil, nil
	}
	if err := p.push(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.blank(); !p.char(')') {
		return nil, p.errorf("expected a ')' token")
	}
	return e, nil
}

func (p *parser) not() (Expr, error) {
	p.blank()
	pos, negated := p.at(p.pos), false
	for p.wordBlank("not") {
		p.blank()
		negated = !negated
	}
	var e Expr
	var err error
	if r := p.rest(); len(r) > 3 && r[:4] == "not(" {
		p.take(3)
		negated = !negated
		e, err = p.group()
	} else {
		e, err = p.check()
	}
	if err != nil || !negated {
		return e, err
	}
	return &Not{pos, e}, nil
}

func (p *parser) check() (Expr, error) {
	p.blank()
	if e, err := p.group(); e != nil || err != nil {
		return e, err
	}
	pos := p.at(p.pos)
	left, err := p.callOrField()
	if err != nil {
		return nil, err
	}
	if left != nil {
		c := &Check{Pos: pos, Left: left}
		return c, p.tail(c)
	}
	if name, ok := p.ident(); ok {
		return &Ident{pos, name}, nil
	}
	return nil, p.errorf("expected a '(' token, a field check, or an identifier")
}

// tail reads the operator and what is right of it.
func (p *parser) tail(c *Check) error {
	p.blank()
	for o := OpExists; o < numOps; o++ {
		switch {
		case o >= OpGlob && o <= OpRegex:
			if !p.wordBlank(opNames[o]) {
				continue
			}
		case !p.word(opNames[o]):
			continue
		}
		c.Op = o
		break
	}
	var err error
	switch {
	case c.Op == OpNone:
		return p.errorf("expected a valid check operator: one of %s", operators)
	case c.Op == OpExists:
		return nil
	case c.Op.order():
		p.blank()
		var ok bool
		if c.Right, ok, err = p.rhs(); ok || err != nil {
			return err
		}
		pos := p.at(p.pos)
		text, ok := p.number()
		if !ok {
			return p.errorf("expected a number value or a field with a valid transformer: %s", transformers)
		}
		c.Right.Values = []Value{{pos, text, false}}
		return nil
	case c.Op.List():
		p.blank()
		if c.Right, err = p.listOrRHS(); err == nil && c.Right.Values == nil && c.Right.Of == nil && !c.Right.List {
			err = p.errorf("expected a list, an identifier, or a field with a valid transformer: %s", transformers)
		}
		return err
	}
	if p.blank() {
		if c.Mod = p.modifier(); c.Mod != ModNone {
			ok := false
			if c.Right.Values, c.Right.List, ok, err = p.list(); err == nil && !ok {
				err = p.errorf("expected a list or an identifier")
			}
			return err
		}
	}
	var ok bool
	if c.Right, ok, err = p.rhs(); ok || err != nil {
		return err
	}
	v, ok, err := p.value()
	if err == nil && !ok {
		err = p.errorf("expected a string value or a field with a valid transformer: %s", transformers)
	}
	c.Right.Values = []Value{v}
	return err
}

// modifier takes a modifier and the blanks behind it, if a list follows. Else
// the word is an ordinary value.
func (p *parser) modifier() Mod {
	start, last := p.pos, p.last
	for m := ModOneOf; m <= ModAllOf; m++ {
		if !p.wordBlank(modNames[m]) {
			continue
		}
		p.blank()
		r := p.rest()
		if n := identLen(r, p.strict); n > 0 && r[:n] != "and" && r[:n] != "or" && r[:n] != "not" || r != "" && r[0] == '(' {
			return m
		}
		p.pos, p.last = start, last
	}
	return ModNone
}

func (p *parser) listOrRHS() (Right, error) {
	r, ok, err := p.rhs()
	if ok || err != nil {
		return r, err
	}
	r.Values, r.List, _, err = p.list()
	return r, err
}

// list reads values in parentheses, or one identifier.
func (p *parser) list() (values []Value, parens, ok bool, err error) {
	pos := p.at(p.pos)
	if !p.char('(') {
		name, ok := p.ident()
		if !ok {
			return nil, false, false, nil
		}
		return []Value{{pos, name, false}}, false, true, nil
	}
	p.blank()
	v, ok, err := p.value()
	if err != nil && p.strict {
		ok, err = false, nil // QUIRK 5
	}
	for ok && err == nil {
		values = append(values, v)
		p.blank()
		if !p.char(',') {
			break
		}
		p.blank()
		if v, ok, err = p.value(); err == nil && !ok {
			err = p.errorf("expected a string value")
		}
	}
	if err != nil {
		return nil, true, true, err
	}
	if p.blank(); !p.char(')') {
		return nil, true, true, p.errorf("expected a ')' token")
	}
	return values, true, true, nil
}

func (p *parser) value() (v Value, ok bool, err error) {
	pos := p.at(p.pos)
	if text, ok, err := p.quoted(); ok {
		return Value{pos, text, true}, true, err
	}
	text, ok := p.bare()
	return Value{pos, text, false}, ok, nil
}
