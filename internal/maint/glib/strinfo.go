package glib

import "encoding/binary"

// strinfo is the list of the strings that a key may have, as it is stored (GLib's
// strinfo.c): for each a number, then the byte 0xff, or 0xfe where it is another name
// for a string, the string, zeros and 0xff, words of four bytes in all.
type strinfo []byte

// maxStrinfo is the length that a string may have, bytes. A longer one is not stored.
const maxStrinfo = 65

func strinfoWords(s string, alias bool) []byte {
	if len(s) > maxStrinfo {
		return nil
	}
	b := make([]byte, max(8, (len(s)+6)&^3))
	b[0] = 0xff
	if alias {
		b[0] = 0xfe
	}
	copy(b[1:], s)
	b[len(b)-1] = 0xff
	return b
}

// find returns the index of the word before a string, -1 where there is none.
func (si strinfo) find(s string, alias bool) int {
	if len(si) == 0 {
		return -1
	}
	words := string(strinfoWords(s, alias))
	for i := 4; i+len(words) <= len(si); {
		j := 0
		for j < len(words) && string(si[i+j:i+j+4]) == words[j:j+4] {
			j += 4
		}
		if j == len(words) {
			return i/4 - 1
		}
		i += max(4, j)
	}
	return -1
}

func (si strinfo) contains(s string) bool { return si.find(s, false) >= 0 || si.find(s, true) >= 0 }

func (si strinfo) containsValue(n uint32) bool {
	for i := 0; i+5 <= len(si); i += 4 {
		if binary.LittleEndian.Uint32(si[i:]) == n && (i == 0 || si[i-1] == 0xff) && si[i+4] == 0xff {
			return true
		}
	}
	return false
}

func (si strinfo) add(s string, n uint32, alias bool) strinfo {
	return append(binary.LittleEndian.AppendUint32(si[:len(si):len(si)], n), strinfoWords(s, alias)...)
}
