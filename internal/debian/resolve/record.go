package resolve

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
)

// A record is a package in one string: each field's length as a varint and its
// bytes. An index of 70,000 packages would take twice the memory as structs of
// strings, and all of it would have to be scanned by the garbage collector.
type record string

// recordField is the place of a field in a record; those that are read most come
// first.
type recordField int

const (
	recordVersion recordField = iota
	recordSHA256
	recordPreDepends
	recordDepends
	recordConflicts
	recordBreaks
	recordRecommends
	recordSuggests
	recordName
	recordArchitecture
	recordMultiArch
	recordSource
	recordSourceVersion
	recordEnhances
	recordProvides
	recordReplaces
	recordFilename
	recordSHA512
	recordNumbers // sizes, flags and the words' numbers
	recordFields
)

// text returns the package's string that a place of a record holds.
func (f recordField) text(p *debian.Package) *string {
	switch f {
	case recordVersion:
		return &p.Version
	case recordSHA256:
		return &p.SHA256
	case recordPreDepends:
		return &p.PreDepends
	case recordDepends:
		return &p.Depends
	case recordConflicts:
		return &p.Conflicts
	case recordBreaks:
		return &p.Breaks
	case recordRecommends:
		return &p.Recommends
	case recordSuggests:
		return &p.Suggests
	case recordName:
		return &p.Name
	case recordArchitecture:
		return &p.Architecture
	case recordMultiArch:
		return &p.MultiArch
	case recordSource:
		return &p.Source
	case recordSourceVersion:
		return &p.SourceVersion
	case recordEnhances:
		return &p.Enhances
	case recordProvides:
		return &p.Provides
	case recordReplaces:
		return &p.Replaces
	case recordFilename:
		return &p.Filename
	default:
		return &p.SHA512
	}
}

// get returns one field of the record.
func (r record) get(want recordField) string {
	s := string(r)
	for range want {
		_, s = cutRecord(s)
	}
	field, _ := cutRecord(s)
	return field
}

func cutRecord(s string) (field, rest string) {
	n, shift := 0, 0
	for s[0] >= 0x80 {
		n |= int(s[0]&0x7f) << shift
		shift += 7
		s = s[1:]
	}
	n |= int(s[0]) << shift
	return s[1 : n+1], s[n+1:]
}

// words numbers the values that many packages share.
type words struct {
	numbers map[string]uint64
	texts   []string
	buffer  []byte
}

// clone returns words to which may be added on their own.
func (w *words) clone() words {
	return words{numbers: maps.Clone(w.numbers), texts: slices.Clip(w.texts)}
}

func (w *words) number(s string) uint64 {
	if n, ok := w.numbers[s]; ok {
		return n
	}
	if w.numbers == nil {
		w.numbers = map[string]uint64{}
	}
	s = strings.Clone(s)
	n := uint64(len(w.texts))
	w.texts = append(w.texts, s)
	w.numbers[s] = n
	return n
}

func (w *words) pack(p *debian.Package) record {
	b := w.buffer[:0]
	for f := range recordNumbers {
		s := *f.text(p)
		if (f == recordSource && s == p.Name) || (f == recordSourceVersion && s == p.Version) {
			s = "" // as the index has it
		}
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	var numbers []byte
	flags := uint64(0)
	if p.Essential {
		flags |= 1
	}
	if p.Protected {
		flags |= 2
	}
	for _, n := range []uint64{
		uint64(p.Size), uint64(p.InstalledSize), flags, w.number(p.Priority), w.number(p.Section),
		w.number(p.Maintainer), w.number(p.Homepage), w.number(p.Archive),
	} {
		numbers = binary.AppendUvarint(numbers, n)
	}
	b = binary.AppendUvarint(b, uint64(len(numbers)))
	b = append(b, numbers...)
	w.buffer = b
	return record(b)
}

func (w *words) unpack(r record) debian.Package {
	var p debian.Package
	rest := string(r)
	for f := range recordNumbers {
		*f.text(&p), rest = cutRecord(rest)
	}
	if p.Source == "" {
		p.Source = p.Name
	}
	if p.SourceVersion == "" {
		p.SourceVersion = p.Version
	}
	packed, _ := cutRecord(rest)
	numbers := []byte(packed)
	next := func() uint64 {
		n, size := binary.Uvarint(numbers)
		numbers = numbers[size:]
		return n
	}
	p.Size, p.InstalledSize = int64(next()), int64(next())
	flags := next()
	p.Essential, p.Protected = flags&1 != 0, flags&2 != 0
	p.Priority, p.Section = w.texts[next()], w.texts[next()]
	p.Maintainer, p.Homepage, p.Archive = w.texts[next()], w.texts[next()], w.texts[next()]
	return p
}
