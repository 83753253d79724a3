// SPDX-License-Identifier: Apache-2.0

package filter

// rhs reads val(field) or a call.
func (p *parser) rhs() (r Right, ok bool, err error) {
	pos := p.at(p.pos)
	if !p.word("val(") {
		c, err := p.call()
		if c == nil || err != nil {
			return r, false, err
		}
		return Right{Of: c}, true, nil
	}
	p.blank()
	f, err := p.field()
	if err != nil {
		return r, false, err
	}
	if f == nil {
		return r, false, p.errorf("expected a field within 'val' transformer")
	}
	if p.blank(); !p.char(')') {
		return r, false, p.errorf("expected a ')' token closing the transformer")
	}
	if f.Arg == "" && !f.HasArg {
		if f.Arg, f.HasArg, err = p.index(); err != nil {
			return r, false, err
		}
	}
	f.Pos = pos
	return Right{Of: f, Val: true}, true, nil
}

// callOrField returns nil if neither stands here.
func (p *parser) callOrField() (Operand, error) {
	if c, err := p.call(); c != nil || err != nil {
		return c, err
	}
	if f, err := p.field(); f != nil || err != nil {
		return f, err
	}
	return nil, nil
}

func (p *parser) field() (*Field, error) {
	pos := p.at(p.pos)
	name, ok := p.fieldName()
	if !ok {
		return nil, nil
	}
	arg, has, err := p.index()
	if err != nil {
		return nil, err
	}
	return &Field{pos, name, arg, has}, nil
}

// index reads an argument in brackets, if there is one.
func (p *parser) index() (arg string, has bool, err error) {
	if !p.char('[') {
		return "", false, nil
	}
	p.blank()
	arg, ok, err := p.quoted()
	if err != nil {
		return "", false, err
	}
	if !ok {
		if arg, ok = p.bareArg(); !ok {
			return "", false, p.errorf("expected a valid field argument: a quoted string or a bare string")
		}
	}
	start := p.pos
	if p.blank(); !p.char(']') {
		p.pos = start
		return "", false, p.errorf("expected a ']' token")
	}
	return arg, true, nil
}

// call returns nil if no call stands here.
func (p *parser) call() (*Call, error) {
	pos := p.at(p.pos)
	fn, ok := p.function()
	if !ok {
		return nil, nil
	}
	if err := p.push(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	c := &Call{Pos: pos, Fn: fn}
	for {
		p.blank()
		a, err := p.arg(true)
		if err != nil {
			return nil, err
		}
		c.Args = append(c.Args, a)
		if p.blank(); !p.char(',') {
			break
		}
	}
	if !p.char(')') {
		return nil, p.errorf("expected a ')' token closing the transformer")
	}
	var err error
	c.Arg, c.HasArg, err = p.index()
	return c, err
}

func (p *parser) arg(tuples bool) (Operand, error) {
	pos := p.at(p.pos)
	if text, ok := p.number(); ok {
		return &Literal{pos, text, true}, nil
	}
	if text, ok, err := p.quoted(); ok {
		return &Literal{pos, text, false}, err
	}
	if tuples && p.char('(') {
		return p.tuple(pos)
	}
	if o, err := p.callOrField(); o != nil || err != nil {
		return o, err
	}
	if tuples {
		return nil, p.errorf("expected field transformer argument: field, transformer, quoted string, number, or transformer list")
	}
	return nil, p.errorf("expected transformer list argument: field, transformer, quoted string, or number")
}

func (p *parser) tuple(pos Pos) (Operand, error) {
	t := &Tuple{Pos: pos}
	if p.blank(); p.char(')') {
		return t, nil
	}
	for {
		p.blank()
		a, err := p.arg(false)
		if err != nil {
			return nil, err
		}
		t.Items = append(t.Items, a)
		if p.blank(); !p.char(',') {
			break
		}
	}
	if !p.char(')') {
		return nil, p.errorf("expected ')'")
	}
	return t, nil
}
