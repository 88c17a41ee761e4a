package files

import (
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/tree"
)

// The bits of each who of a symbolic mode.
const (
	ownerBits = 0o4700
	groupBits = 0o2070
	otherBits = 0o1007
	allBits   = 0o7777
	setIDBits = tree.SetUID | tree.SetGID
)

// modeChange is one change of a mode (chmod(1)).
type modeChange struct {
	op        byte   // '+', '-' or '='
	who       uint32 // bits that may change; 0 where none was named, so that the umask holds
	value     uint32
	mentioned uint32 // of the set-id bits, which a directory keeps unless they are
	copies    bool   // value says from whom permissions are copied
	ifAny     bool   // X: execution where it makes sense
}

// mode is a mode as chmod(1) takes it: "0755", "u=rwX,go-w".
type mode []modeChange

// parseMode reads a mode; false means that it is none.
func parseMode(s string) (mode, bool) {
	if s == "" {
		return nil, false
	}
	if s[0] >= '0' && s[0] <= '7' {
		v, err := strconv.ParseUint(s, 8, 32)
		if err != nil || v > allBits {
			return nil, false
		}
		mentioned := uint32(allBits)
		if len(s) < 5 {
			mentioned = uint32(v)&setIDBits | tree.Sticky | 0o777
		}
		return mode{{op: '=', who: allBits, value: uint32(v), mentioned: mentioned}}, true
	}
	var m mode
	for clause := range strings.SplitSeq(s, ",") {
		changes, ok := parseClause(clause)
		if !ok {
			return nil, false
		}
		m = append(m, changes...)
	}
	return m, true
}

// parseClause reads "go+rX-w".
func parseClause(s string) (mode, bool) {
	var who uint32
	i := 0
	for ; i < len(s) && strings.IndexByte("ugoa", s[i]) >= 0; i++ {
		who |= map[byte]uint32{'u': ownerBits, 'g': groupBits, 'o': otherBits, 'a': allBits}[s[i]]
	}
	var m mode
	for i < len(s) {
		if strings.IndexByte("+-=", s[i]) < 0 {
			return nil, false
		}
		c := modeChange{op: s[i], who: who}
		i++
		end := i
		for end < len(s) && strings.IndexByte("+-=", s[end]) < 0 {
			end++
		}
		if !c.permissions(s[i:end]) {
			return nil, false
		}
		if c.mentioned == 0 {
			c.mentioned = c.value
			if c.who != 0 {
				c.mentioned &= c.who
			}
		}
		m = append(m, c)
		i = end
	}
	return m, len(m) > 0
}

// permissions reads what follows an operator: letters, one who to copy from, or an
// octal number.
func (c *modeChange) permissions(s string) bool {
	if s != "" && s[0] >= '0' && s[0] <= '7' {
		v, err := strconv.ParseUint(s, 8, 32)
		if err != nil || v > allBits || c.who != 0 {
			return false
		}
		c.who, c.value, c.mentioned = allBits, uint32(v), allBits
		return true
	}
	switch s {
	case "u", "g", "o":
		c.copies = true
		c.value = map[string]uint32{"u": 0o700, "g": 0o070, "o": 0o007}[s]
		return true
	}
	for _, r := range s {
		switch r {
		case 'r':
			c.value |= 0o444
		case 'w':
			c.value |= 0o222
		case 'x':
			c.value |= 0o111
		case 'X':
			c.ifAny = true
		case 's':
			c.value |= setIDBits
		case 't':
			c.value |= tree.Sticky
		default:
			return false
		}
	}
	return true
}

// apply returns what a file or directory of mode old gets.
func (m mode) apply(old uint32, dir bool, umask uint32) uint32 {
	bits := old & allBits
	for _, c := range m {
		var kept uint32
		if dir {
			kept = setIDBits &^ c.mentioned
		}
		value := c.value
		switch {
		case c.copies:
			value = spread(value & bits)
		case c.ifAny && (bits&0o111 != 0 || dir):
			value |= 0o111
		}
		may := c.who
		if may == 0 {
			may = ^umask
		}
		value &= may &^ kept
		switch c.op {
		case '+':
			bits |= value
		case '-':
			bits &^= value
		case '=':
			bits = bits&(kept|^c.who&c.named()) | value
		}
	}
	return bits
}

// kept returns the set-id bits that a new directory keeps of those it inherited: all
// that the mode does not mention.
func (m mode) kept() uint32 {
	kept := uint32(setIDBits)
	for _, c := range m {
		kept &^= c.mentioned
	}
	return kept
}

// named is all bits where somebody was named, none else: "=r" sets them all.
func (c *modeChange) named() uint32 {
	if c.who == 0 {
		return 0
	}
	return allBits
}

// spread gives the permissions of one who to all.
func spread(v uint32) uint32 {
	var out uint32
	for _, perm := range []uint32{0o444, 0o222, 0o111} {
		if v&perm != 0 {
			out |= perm
		}
	}
	return out
}
