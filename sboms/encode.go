package sboms

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// encode returns the document as JSON for programs and people.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("cannot encode SBOM: %w", err)
	}
	return indented(b.Bytes()), nil
}

// indented returns what [json.Indent] makes, with one space, of JSON as an encoder
// writes it. That one looks at each byte again for whether it is JSON, which takes
// longer than all the rest.
func indented(src []byte) []byte {
	dst := make([]byte, 0, len(src)+len(src)/2)
	depth := 0
	line := func() {
		dst = append(dst, '\n')
		for range depth {
			dst = append(dst, ' ')
		}
	}
	for i := 0; i < len(src); {
		c := src[i]
		switch c {
		case '"':
			end := i + stringLength(src[i:])
			dst = append(dst, src[i:end]...)
			i = end
			continue
		case '{', '[':
			dst = append(dst, c)
			if next := src[i+1]; next == '}' || next == ']' {
				dst = append(dst, next)
				i++
			} else {
				depth++
				line()
			}
		case '}', ']':
			depth--
			line()
			dst = append(dst, c)
		case ',':
			dst = append(dst, c)
			line()
		case ':':
			dst = append(dst, ':', ' ')
		default:
			dst = append(dst, c)
		}
		i++
	}
	return dst
}

// stringLength returns how many bytes the string takes that b begins with, its quotation
// marks included.
func stringLength(b []byte) int {
	for n := 1; ; {
		n += bytes.IndexByte(b[n:], '"')
		escapes := 0
		for b[n-1-escapes] == '\\' {
			escapes++
		}
		n++
		if escapes%2 == 0 {
			return n
		}
	}
}
