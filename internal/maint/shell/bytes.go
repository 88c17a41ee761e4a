package shell

import (
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// A script is text to the parser, and bytes to dash. Bytes that are no UTF-8 are
// parsed as characters for private use, of which the first stands for the byte 0.
const firstByte = '\U000F0000'

// asText returns a script as UTF-8. ok says that this was not nothing to do.
func asText(script string) (text string, ok bool, err error) {
	if strings.ToValidUTF8(script, "") == script {
		return script, false, nil
	}
	var b strings.Builder
	for i, c := range script {
		switch {
		case c >= firstByte && c <= firstByte+0xff:
			return "", false, &SyntaxError{fmt.Errorf("characters for private use beside bytes that are no UTF-8")}
		case c == '\uFFFD' && script[i] != 0xEF:
			b.WriteRune(firstByte + rune(script[i]))
		default:
			b.WriteRune(c)
		}
	}
	return b.String(), true, nil
}

// asBytes puts the bytes of a script in place of what asText made of them.
func asBytes(file *syntax.File) {
	restore := func(s *string) {
		if !strings.ContainsFunc(*s, func(c rune) bool { return c >= firstByte && c <= firstByte+0xff }) {
			return
		}
		var b strings.Builder
		for _, c := range *s {
			if c >= firstByte && c <= firstByte+0xff {
				b.WriteByte(byte(c - firstByte))
			} else {
				b.WriteRune(c)
			}
		}
		*s = b.String()
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Lit:
			restore(&n.Value)
		case *syntax.SglQuoted:
			restore(&n.Value)
		}
		return true
	})
}
