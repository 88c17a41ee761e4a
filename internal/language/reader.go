package language

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"path"
	"strings"
)

// kind is what a path makes of its file.
type kind int

const (
	program kind = iota // or anything else that its content has to tell
	pythonMetadata
	pythonRecord    // RECORD of a dist-info directory
	pythonInstalled // installed-files.txt of an egg-info directory
	packageJSON
	javaArchive
)

// kindOf tells by its path what a file may say.
func kindOf(name string) kind {
	dir, base := path.Split(name)
	parent := path.Base(dir)
	distInfo := strings.HasSuffix(parent, ".dist-info")
	eggInfo := strings.HasSuffix(parent, ".egg-info") || parent == "EGG-INFO"
	switch {
	case distInfo && base == "METADATA", eggInfo && base == "PKG-INFO", strings.HasSuffix(base, ".egg-info"):
		return pythonMetadata
	case distInfo && base == "RECORD":
		return pythonRecord
	case eggInfo && base == "installed-files.txt":
		return pythonInstalled
	case base == "package.json" && isPackageRoot(name):
		return packageJSON
	case isArchive(name):
		return javaArchive
	}
	return program
}

// A Reader takes the content of a file and returns what it says. Its zero value is of
// no use; [NewReader] makes one.
type Reader struct {
	name string
	kind kind
	text bytes.Buffer // of metadata; of a program its first bytes
	over bool         // it has more than is taken of it
	elf  *search      // of a program, once it is known to be one
	jar  *spool
	long hash.Hash // nil where it is not asked for
}

// NewReader returns a reader of the file of that path and size, nil if no such file
// says anything.
func NewReader(name string, size int64) *Reader {
	r := &Reader{name: strings.TrimPrefix(name, "/"), kind: kindOf(name)}
	switch {
	case r.kind == program && size < smallestProgram:
		return nil
	case r.kind == javaArchive:
		r.jar, r.long = &spool{}, sha512.New()
	}
	return r
}

// Write takes a part of the content. Its errors are the machine's.
func (r *Reader) Write(p []byte) (int, error) {
	n := len(p)
	switch r.kind {
	case program:
		p = r.program(p)
	case javaArchive:
		if err := r.jar.write(p); err != nil {
			return 0, err
		}
	default:
		if most := r.most(); r.text.Len()+len(p) > most {
			r.over = true
		} else {
			r.text.Write(p)
		}
	}
	if r.long != nil {
		r.long.Write(p)
	}
	return n, nil
}

// program takes a part of what may be a program, and returns what is to be hashed.
func (r *Reader) program(p []byte) []byte {
	if r.over {
		return nil
	}
	if r.elf == nil {
		r.text.Write(p)
		p = r.text.Bytes()
		if len(p) < headSize {
			return nil
		}
		if r.elf = newSearch(p[:headSize]); r.elf == nil {
			r.over = true
			r.text = bytes.Buffer{}
			return nil
		}
		if r.elf.noted {
			r.long = sha512.New()
		}
	}
	r.elf.write(p)
	return p
}

// most is how many bytes of metadata are read.
func (r *Reader) most() int {
	if r.kind == pythonRecord || r.kind == pythonInstalled {
		return maxList
	}
	return maxText
}

// Close ends the file and returns what it says, nil if that is nothing.
func (r *Reader) Close() (*File, error) {
	var f *File
	var err error
	switch r.kind {
	case program:
		if r.elf != nil {
			f = r.elf.file()
		}
	case javaArchive:
		f, err = readArchive(r.name, r.jar)
		err = closing(r.jar, err)
	default:
		f = r.metadata()
	}
	if f == nil || len(f.Packages) == 0 && len(f.Files) == 0 && f.Unread == "" {
		return nil, err
	}
	if r.long != nil && len(f.Packages) > 0 {
		f.SHA512 = hex.EncodeToString(r.long.Sum(nil))
	}
	return f, err
}

func (r *Reader) metadata() *File {
	if r.over {
		return &File{Unread: fmt.Sprintf("it has more than %d bytes", r.most())}
	}
	switch r.kind {
	case pythonMetadata:
		return readMetadata(r.text.Bytes())
	case pythonRecord:
		return readRecord(Directory(r.name), r.text.Bytes())
	case pythonInstalled:
		return readInstalled(path.Dir(r.name), r.text.Bytes())
	}
	return readPackageJSON(r.text.Bytes())
}

// closing closes an archive after what was done with it gave err.
func closing(s *spool, err error) error {
	if closed := s.close(); err == nil {
		err = closed
	}
	return err
}
