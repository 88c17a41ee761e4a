package builder

import (
	"bytes"
	"io"
	"os"
	"sync"

	"github.com/hardpan/hardpan/internal/harden/closure"
	"github.com/hardpan/hardpan/internal/tree"
)

// elfProbe looks at a file as it streams by and, where it is an ELF file, keeps
// it until its facts are read: small ones in memory, large ones in a nameless
// temporary file. Of any file it keeps the first line, as far as it may name an
// interpreter.
type elfProbe struct {
	sum   io.Writer
	start [closure.ScriptHead]byte
	read  int // bytes in start
	buf   *[maxProbe]byte
	head  []byte // of the file, in buf
	file  *os.File
	not   bool
}

// maxProbe is how many bytes of an ELF file are held in memory.
const maxProbe = 2 << 20

var probeBuffers = sync.Pool{New: func() any { return new([maxProbe]byte) }}

// newELFProbe returns a probe that passes on what it is given to sum.
func newELFProbe(sum io.Writer) *elfProbe { return &elfProbe{sum: sum} }

func (p *elfProbe) Write(b []byte) (int, error) {
	p.sum.Write(b)
	p.read += copy(p.start[p.read:], b)
	switch {
	case p.not:
		return len(b), nil
	case p.head == nil && len(b) >= 4 && !tree.IsELF(b): // most files are none
		p.not = true
		return len(b), nil
	case p.head == nil:
		p.buf = probeBuffers.Get().(*[maxProbe]byte)
		p.head = p.buf[:0]
	}
	if p.file == nil && len(p.head)+len(b) <= maxProbe {
		p.head = append(p.head, b...)
		p.not = len(p.head) >= 4 && !tree.IsELF(p.head)
		return len(b), nil
	}
	if p.file == nil {
		if err := p.spill(); err != nil {
			return 0, err
		}
	}
	return p.file.Write(b)
}

func (p *elfProbe) spill() error {
	f, err := os.CreateTemp("", "hardpan-elf-*")
	if err != nil {
		return err
	}
	os.Remove(f.Name())
	p.file = f
	_, err = f.Write(p.head)
	return err
}

// facts returns what the file says, nil where it is not ELF or not a sound one: a
// damaged binary in a test suite is no reason to refuse a package.
func (p *elfProbe) facts() *tree.ELF {
	var r io.ReaderAt = bytes.NewReader(p.head)
	switch {
	case p.not || !tree.IsELF(p.head):
		return nil
	case p.file != nil:
		r = p.file
	}
	e, err := tree.ReadELF(r)
	if err != nil {
		return nil
	}
	return e
}

// interpreter returns the program that runs the file where it is a script, else "".
func (p *elfProbe) interpreter() string { return closure.Interpreter(p.start[:p.read]) }

func (p *elfProbe) close() {
	if p.file != nil {
		p.file.Close()
	}
	if p.buf != nil {
		probeBuffers.Put(p.buf)
	}
}
