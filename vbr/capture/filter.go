package capture

import (
	"fmt"

	"golang.org/x/net/bpf"
)

const (
	// MaxFilter is the longest expression, in octets.
	MaxFilter = 1024
	// maxProgram is the kernel's (BPF_MAXINSNS, linux/bpf_common.h), less what untagged puts in front.
	maxProgram = 4096 - 8
)

// FilterError says where an expression is wrong.
type FilterError struct {
	At    int    // the character, from 1 on
	Word  string // what is there; "" for the end
	Legal string // what may be there
}

func (e *FilterError) Error() string {
	word := "its end"
	if e.Word != "" {
		word = fmt.Sprintf("%q", e.Word)
	}
	return fmt.Sprintf("character %d, %s; legal: %s", e.At, word, e.Legal)
}

// Compile makes a program of an expression that takes the first snap octets of an Ethernet frame that it matches, and nothing of any other. An empty
// expression matches all. The error is a *FilterError.
func Compile(expression string, snap uint32) ([]bpf.Instruction, error) {
	if len(expression) > MaxFilter {
		return nil, &FilterError{MaxFilter + 1, "", fmt.Sprintf("an expression of at most %d octets", MaxFilter)}
	}
	n, err := parse(expression)
	if err != nil {
		return nil, err
	}
	var p program
	accept, reject := p.label(), p.label()
	p.node(n, accept, reject, accept)
	p.mark(accept)
	p.add(bpf.RetConstant{Val: snap})
	p.mark(reject)
	p.add(bpf.RetConstant{Val: 0})
	if len(p.code) > maxProgram {
		return nil, &FilterError{len(expression), "", fmt.Sprintf("an expression of fewer terms: this one takes %d instructions of %d", len(p.code), maxProgram)}
	}
	p.link()
	return p.code, nil
}

// node is a condition: and, or, not, test.
type node any

type (
	and []node // of none: true
	or  []node
	not struct{ of node }
	// test compares what was loaded, under a mask if there is one.
	test struct {
		load  []bpf.Instruction
		mask  uint32 // 0: none
		cond  bpf.JumpTest
		value uint32
	}
)

// label is a place in a program that may not be known yet.
type label int

// program is one in the making. Jumps go forward only, as they must.
type program struct {
	code   []bpf.Instruction
	labels []int         // places, by label
	jumps  map[int]label // where the jump at a place goes
}

func (p *program) label() label {
	p.labels = append(p.labels, -1)
	return label(len(p.labels) - 1)
}

func (p *program) mark(l label) { p.labels[l] = len(p.code) }

func (p *program) add(i ...bpf.Instruction) { p.code = append(p.code, i...) }

func (p *program) jump(to label) {
	if p.jumps == nil {
		p.jumps = make(map[int]label)
	}
	p.jumps[len(p.code)] = to
	p.add(bpf.Jump{})
}

// link sets the jumps, which are relative to the next instruction.
func (p *program) link() {
	for at, to := range p.jumps {
		p.code[at] = bpf.Jump{Skip: uint32(p.labels[to] - at - 1)}
	}
}

// node adds what goes to yes if the condition holds, else to no. Of the two next is the one that will come right behind, if either.
func (p *program) node(n node, yes, no, next label) {
	switch n := n.(type) {
	case not:
		p.node(n.of, no, yes, next)
	case and:
		p.list(n, yes, no, next, true)
	case or:
		p.list(n, yes, no, next, false)
	case test:
		p.test(n, yes, no, next)
	}
}

// list goes on with the next condition as long as they are what is said, true or false.
func (p *program) list(l []node, yes, no, next label, while bool) {
	for i, n := range l {
		if i == len(l)-1 {
			p.node(n, yes, no, next)
			return
		}
		on := p.label()
		if while {
			p.node(n, on, no, on)
		} else {
			p.node(n, yes, on, on)
		}
		p.mark(on)
	}
	p.jump(yes) // an and of none
}

func (p *program) test(t test, yes, no, next label) {
	p.add(t.load...)
	if t.mask != 0 {
		p.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: t.mask})
	}
	switch next {
	case yes:
		p.add(bpf.JumpIf{Cond: t.cond, Val: t.value, SkipTrue: 1})
		p.jump(no)
	case no:
		p.add(bpf.JumpIf{Cond: t.cond, Val: t.value, SkipFalse: 1})
		p.jump(yes)
	default:
		p.add(bpf.JumpIf{Cond: t.cond, Val: t.value, SkipFalse: 1})
		p.jump(yes)
		p.jump(no)
	}
}
