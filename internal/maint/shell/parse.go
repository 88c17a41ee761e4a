package shell

import (
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// interpreter is the kind of program that a file of the image is.
type interpreter int

const (
	isUnknown interpreter = iota
	isSh
	isBash
)

// shebang returns which shell a script is for, by its first line, and the name of
// what runs it.
func shebang(text string) (interpreter, string) {
	line, _, _ := strings.Cut(text, "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if !strings.HasPrefix(line, "#!") || len(words) == 0 {
		if strings.HasPrefix(text, "\x7fELF") {
			return isUnknown, "an ELF program"
		}
		return isSh, "sh"
	}
	name := words[0]
	if strings.HasSuffix(name, "/env") && len(words) > 1 {
		name = words[1]
	}
	name = name[strings.LastIndexByte(name, '/')+1:]
	switch name {
	case "sh", "dash", "posh":
		return isSh, name
	case "bash":
		return isBash, name
	}
	return isUnknown, name
}

// shebangOptions returns the options that a script's first line sets, as
// "#!/bin/sh -e".
func shebangOptions(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if strings.HasPrefix(line, "#!") && len(words) > 1 && strings.HasPrefix(words[len(words)-1], "-") {
		return words[len(words)-1]
	}
	return ""
}

// Check parses a script without running it.
func Check(name, text string) error {
	kind, program := shebang(text)
	if kind == isUnknown {
		return Unsupported("%s code", program)
	}
	_, err := parse(name, text, kind == isBash)
	return err
}

// SyntaxError says that a text is no script, or none that can be read here.
type SyntaxError struct{ Err error }

func (e *SyntaxError) Error() string { return e.Err.Error() }

// Unwrap returns the parser's error.
func (e *SyntaxError) Unwrap() error { return e.Err }

// parse reads a text in the language of the script, which costs what it is long.
func (r *run) parse(name, text string) (*syntax.File, error) {
	if err := r.work(16 * len(text)); err != nil {
		return nil, err
	}
	return parse(name, text, r.bash)
}

// parse reads the text of a script. The error is a [*SyntaxError] or a
// [*LimitError].
func parse(name, text string, bash bool) (file *syntax.File, err error) {
	if len(text) > maxScript {
		return nil, &LimitError{fmt.Sprintf("script of %d bytes", len(text))}
	}
	if nestings(text) > maxNestings {
		return nil, &LimitError{fmt.Sprintf("script with %d constructs that may be in one another", maxNestings)}
	}
	defer func() {
		if fault := recover(); fault != nil {
			err = &SyntaxError{fmt.Errorf("%s: the parser failed: %v", name, fault)}
		}
	}()
	text, hasBytes, err := asText(text)
	if err != nil {
		return nil, err
	}
	lang := syntax.LangPOSIX
	if bash {
		lang = syntax.LangBash
	}
	file, err = syntax.NewParser(syntax.Variant(lang)).Parse(strings.NewReader(text), name)
	if err != nil && !bash {
		// dash finds some of bash's syntax wrong only when it comes to it, and so does
		// this shell then.
		if again, err2 := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), name); err2 == nil {
			file, err = again, nil
		}
	}
	if err != nil {
		return nil, &SyntaxError{err}
	}
	if hasBytes {
		asBytes(file)
	}
	return file, nil
}

// maxNestings bounds the constructs of a script that may be in one another, for the
// parser goes down into each. The scripts of Debian have some hundreds.
const maxNestings = 20_000

// nestings returns how many constructs of a text may be in one another at most:
// whatever can open one is counted, be it quoted or closed again.
func nestings(text string) int {
	n, word := 0, 0
	for i := range len(text) {
		switch c := text[i]; c {
		case '(', '{', '`', '[':
			n++
		case '!', '~', '-', '+', '?', '=': // unary and right-associative operators
			if i > 0 && (text[i-1] == c || text[i-1] == ' ') {
				n++
			}
		}
		if c := text[i]; c >= 'a' && c <= 'z' {
			word++
			continue
		}
		if word > 0 && openers[text[i-word:i]] {
			n++
		}
		word = 0
	}
	return n
}

// openers are the words behind which a command may come that is part of the present
// one.
var openers = map[string]bool{
	"if": true, "while": true, "until": true, "for": true, "case": true, "select": true, "function": true, "time": true,
	"coproc": true, "do": true, "then": true, "else": true, "elif": true,
}
