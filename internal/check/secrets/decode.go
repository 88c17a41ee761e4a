package secrets

import (
	"bytes"
	"encoding/base64"
)

// Bounds of what is taken for base64 (RFC 4648), in characters: the least is what an
// access key of 18 bytes has, and the first ones of a run say whether it is text.
const (
	minEncoded  = 24
	maxEncoded  = 256 << 10
	probedBytes = 12
)

// encodedChars are the letters of both alphabets of base64.
var encodedChars = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_") {
		set[c] = true
	}
	return set
}()

// encoded yields where the text has base64 that text lies under, and what that is. Lines
// that are broken at 60 characters or later belong together.
func encoded(text []byte) func(yield func(at int, plain []byte) bool) {
	return func(yield func(int, []byte) bool) {
		end := 0 // of the run before
		for i := minEncoded - 1; i < len(text); i += minEncoded {
			if !encodedChars[text[i]] || i < end {
				continue
			}
			from := i
			for from > end && encodedChars[text[from-1]] {
				from--
			}
			if end = runEnd(text, from); end-from < minEncoded {
				continue
			}
			if plain := decode(text[from:min(end, from+maxEncoded)]); plain != nil && !yield(from, plain) {
				return
			}
		}
	}
}

// runEnd returns where the run of base64 ends that begins at from.
func runEnd(text []byte, from int) int {
	line := from
	for i := from; ; i++ {
		switch {
		case i < len(text) && encodedChars[text[i]]:
		case i+1 < len(text) && text[i] == '\n' && i-line >= 60 && encodedChars[text[i+1]]:
			line = i + 1
		default:
			return i
		}
	}
}

// decode returns what lies under a run, nil if that is no text.
func decode(run []byte) []byte {
	run = bytes.ReplaceAll(run, []byte("\n"), nil)
	coding := base64.RawStdEncoding
	if bytes.ContainsAny(run, "-_") {
		coding = base64.RawURLEncoding
	}
	var head [probedBytes]byte
	if _, err := coding.Decode(head[:], run[:4*probedBytes/3]); err != nil || !printable(head[:]) {
		return nil
	}
	if len(run)%4 == 1 {
		run = run[:len(run)-1]
	}
	plain := make([]byte, coding.DecodedLen(len(run)))
	n, err := coding.Decode(plain, run)
	if err != nil || !printable(plain[:n]) {
		return nil
	}
	return plain[:n]
}

// printable reports whether all is ASCII text.
func printable(b []byte) bool {
	for _, c := range b {
		if !isPrintable(c) {
			return false
		}
	}
	return true
}

func isPrintable(c byte) bool {
	return c >= ' ' && c < 0x7f || c == '\n' || c == '\t' || c == '\r'
}
