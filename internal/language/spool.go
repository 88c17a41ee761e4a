package language

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// Bounds of a jar: what of it is held in memory, how large it may be, in bytes, and how
// many members it may have, those of jars in it included.
const (
	maxHeld    = 8 << 20
	maxArchive = 2 << 30
	maxMembers = 200_000
)

// member begins the entry of a member in the directory of a ZIP archive (APPNOTE 4.3.12).
var member = []byte("PK\x01\x02")

// A spool keeps an archive, whose directory is at its end: in memory, and in a
// temporary file from some size on.
type spool struct {
	held    bytes.Buffer
	file    *os.File
	size    int64
	members int    // at most
	last    []byte // bytes which may begin an entry
	refused string // why it is not kept any more
}

func (s *spool) write(p []byte) error {
	if s.refused != "" {
		return nil
	}
	s.size += int64(len(p))
	across := append(s.last, p[:min(len(p), len(member)-1)]...)
	s.members += bytes.Count(across, member) + bytes.Count(p, member)
	tail := append(across[:len(s.last):len(s.last)], p[min(len(p), max(0, len(p)-len(member)+1)):]...)
	s.last = bytes.Clone(tail[max(0, len(tail)-len(member)+1):])
	switch {
	case s.size > maxArchive:
		s.refused = fmt.Sprintf("it has more than %d bytes", int64(maxArchive))
		return nil
	case s.members > maxMembers:
		s.refused = fmt.Sprintf("it has more than %d members", maxMembers)
		return nil
	case s.file == nil && s.held.Len()+len(p) <= maxHeld:
		s.held.Write(p)
		return nil
	}
	return s.spill(p)
}

// spill writes to the file, which has no name any more once it is open.
func (s *spool) spill(p []byte) error {
	if s.file == nil {
		f, err := os.CreateTemp("", "hardpan-jar-")
		if err != nil {
			return fmt.Errorf("%w: %w", errMachine, err)
		}
		s.file = f
		if err := os.Remove(f.Name()); err != nil {
			return fmt.Errorf("%w: %w", errMachine, err)
		}
		if _, err := f.Write(s.held.Bytes()); err != nil {
			return fmt.Errorf("%w: %w", errMachine, err)
		}
		s.held = bytes.Buffer{}
	}
	if _, err := s.file.Write(p); err != nil {
		return fmt.Errorf("%w: %w", errMachine, err)
	}
	return nil
}

// reader returns what was written.
func (s *spool) reader() io.ReaderAt {
	if s.file != nil {
		return s.file
	}
	return bytes.NewReader(s.held.Bytes())
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("%w: %w", errMachine, err)
	}
	return nil
}
