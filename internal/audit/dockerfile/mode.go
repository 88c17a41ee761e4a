package dockerfile

import (
	"strconv"
	"strings"
)

// applyMode returns what chmod(1) makes of a mode, and whether it is understood.
func applyMode(mode string, before uint32, dir bool) (uint32, bool) {
	if n, err := strconv.ParseUint(mode, 8, 12); err == nil {
		return uint32(n), true
	}
	at := before
	for clause := range strings.SplitSeq(mode, ",") {
		next, ok := applyClause(clause, at, dir)
		if !ok {
			return before, false
		}
		at = next
	}
	return at, mode != ""
}

// applyClause applies one clause of a symbolic mode, such as go-w.
func applyClause(clause string, before uint32, dir bool) (uint32, bool) {
	i := strings.IndexAny(clause, "+-=")
	if i < 0 {
		return before, false
	}
	who := clause[:i]
	if strings.Trim(who, "ugoa") != "" {
		return before, false
	}
	if who == "" {
		who = "a"
	}
	who = strings.ReplaceAll(who, "a", "ugo")
	at := before
	for rest := clause[i:]; rest != ""; {
		op := rest[0]
		end := strings.IndexAny(rest[1:], "+-=")
		letters := rest[1:]
		if end >= 0 {
			letters = rest[1 : 1+end]
		}
		rest = rest[1+len(letters):]
		bits, mask, ok := modeBits(who, letters, at, dir)
		if !ok {
			return before, false
		}
		switch op {
		case '+':
			at |= bits
		case '-':
			at &^= bits
		case '=':
			at = at&^mask | bits
		}
	}
	return at, true
}

// modeBits returns the bits that letters mean for who, and all the bits of who.
func modeBits(who, letters string, before uint32, dir bool) (bits, mask uint32, ok bool) {
	for _, w := range who {
		shift := map[rune]uint{'u': 6, 'g': 3, 'o': 0}[w]
		mask |= 7 << shift
		for _, l := range letters {
			switch l {
			case 'r':
				bits |= 4 << shift
			case 'w':
				bits |= 2 << shift
			case 'x':
				bits |= 1 << shift
			case 'X':
				if dir || before&0o111 != 0 {
					bits |= 1 << shift
				}
			case 's':
				if w == 'u' {
					bits |= 0o4000
				} else if w == 'g' {
					bits |= 0o2000
				}
			case 't':
				bits |= 0o1000
			case 'u', 'g', 'o':
				bits |= before >> map[rune]uint{'u': 6, 'g': 3, 'o': 0}[l] & 7 << shift
			default:
				return 0, 0, false
			}
		}
	}
	return bits, mask, true
}
