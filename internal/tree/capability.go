package tree

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Capability is what a file lets its program do beyond the rights of its user: the
// value of the extended attribute security.capability, in hexadecimal digits, as
// struct vfs_cap_data of linux/capability.h has it. "" is no attribute.
type Capability string

// capabilityNames are the capabilities by their number (linux/capability.h, of Linux
// 6.12).
var capabilityNames = strings.Fields(`cap_chown cap_dac_override cap_dac_read_search cap_fowner cap_fsetid cap_kill
	cap_setgid cap_setuid cap_setpcap cap_linux_immutable cap_net_bind_service cap_net_broadcast cap_net_admin cap_net_raw
	cap_ipc_lock cap_ipc_owner cap_sys_module cap_sys_rawio cap_sys_chroot cap_sys_ptrace cap_sys_pacct cap_sys_admin
	cap_sys_boot cap_sys_nice cap_sys_resource cap_sys_time cap_sys_tty_config cap_mknod cap_lease cap_audit_write
	cap_audit_control cap_setfcap cap_mac_override cap_mac_admin cap_syslog cap_wake_alarm cap_block_suspend
	cap_audit_read cap_perfmon cap_bpf cap_checkpoint_restore`)

// The parts of the attribute (linux/capability.h).
const (
	capabilityRevision  = 0x02000000
	capabilityEffective = 1
	capabilitySize      = 20 // bytes: the magic number, and twice 32 bits of permitted and inheritable
)

// capabilitySets are the sets of capabilities(7), a bit for each capability.
type capabilitySets struct{ effective, permitted, inheritable uint64 }

// allCapabilities is every one that has a name.
var allCapabilities = uint64(1)<<len(capabilityNames) - 1

// ErrEffective says that of a file's capabilities some are effective and others not: it
// has one bit for all.
var ErrEffective = errors.New("the effective set is neither empty nor all that the other sets have")

// ParseCapability reads what setcap(8) is given, such as "cap_net_raw+ep"; its form is
// that of cap_from_text(3). The error may be [ErrEffective].
func ParseCapability(text string) (Capability, error) {
	var s capabilitySets
	for _, clause := range strings.Fields(text) {
		if err := s.apply(clause); err != nil {
			return "", fmt.Errorf("capabilities %q: %w", text, err)
		}
	}
	magic := uint32(capabilityRevision)
	if s.effective != 0 {
		if s.effective != s.permitted|s.inheritable {
			return "", fmt.Errorf("capabilities %q: %w", text, ErrEffective)
		}
		magic |= capabilityEffective
	}
	b := make([]byte, 0, capabilitySize)
	for _, v := range []uint32{magic, uint32(s.permitted), uint32(s.inheritable), uint32(s.permitted >> 32), uint32(s.inheritable >> 32)} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return Capability(hex.EncodeToString(b)), nil
}

// apply does what one clause says, such as "cap_chown,cap_kill=e+ip".
func (s *capabilitySets) apply(clause string) error {
	at := strings.IndexAny(clause, "=+-")
	if at < 0 {
		return fmt.Errorf("%q has none of =, + and -", clause)
	}
	which, err := capabilityList(clause[:at], clause[at] == '=')
	if err != nil {
		return err
	}
	for rest := clause[at:]; rest != ""; {
		op := rest[0]
		rest = rest[1:]
		flags := rest[:len(rest)-len(strings.TrimLeft(rest, "eip"))]
		rest = rest[len(flags):]
		if rest != "" && !strings.ContainsRune("+-", rune(rest[0])) || flags == "" && op != '=' {
			return fmt.Errorf("%q: found %q, expected e, i or p after =, + or -", clause, rest)
		}
		if op == '=' {
			s.set("eip", which, false)
		}
		s.set(flags, which, op != '-')
	}
	return nil
}

// capabilityList reads the list before an operator. None at all is "all" before "=".
func capabilityList(list string, none bool) (which uint64, err error) {
	if list == "" && none {
		return allCapabilities, nil
	}
	for name := range strings.SplitSeq(strings.ToLower(list), ",") {
		bit := slices.Index(capabilityNames, name)
		if n, err := strconv.ParseUint(name, 10, 6); err == nil && int(n) < len(capabilityNames) {
			bit = int(n)
		}
		switch {
		case name == "all":
			which |= allCapabilities
		case bit < 0:
			return 0, fmt.Errorf("%q is not a capability", name)
		default:
			which |= 1 << bit
		}
	}
	return which, nil
}

func (s *capabilitySets) set(flags string, which uint64, on bool) {
	for flag, set := range map[string]*uint64{"e": &s.effective, "i": &s.inheritable, "p": &s.permitted} {
		switch {
		case !strings.Contains(flags, flag):
		case on:
			*set |= which
		default:
			*set &^= which
		}
	}
}

// Bytes returns the value of the attribute. Only what [ParseCapability] returned has
// one.
func (c Capability) Bytes() []byte {
	b, err := hex.DecodeString(string(c))
	if err != nil {
		return nil
	}
	return b
}

// String returns the capabilities as getcap(8) prints them, "cap_net_raw=ep".
func (c Capability) String() string {
	b := c.Bytes()
	if len(b) < capabilitySize {
		return ""
	}
	word := func(i int) uint64 { return uint64(binary.LittleEndian.Uint32(b[4*i:])) }
	s := capabilitySets{permitted: word(1) | word(3)<<32, inheritable: word(2) | word(4)<<32}
	if word(0)&capabilityEffective != 0 {
		s.effective = s.permitted | s.inheritable
	}
	names, most := map[string][]string{}, ""
	for bit, name := range capabilityNames {
		flags := s.flags(bit)
		names[flags] = append(names[flags], name)
	}
	for _, flags := range []string{"", "e", "p", "ep", "i", "ei", "ip", "eip"} {
		if len(names[flags]) > len(names[most]) {
			most = flags
		}
	}
	var clauses []string
	if most != "" || len(names[""]) == len(capabilityNames) {
		clauses = append(clauses, "="+most)
	}
	for _, flags := range []string{"eip", "ip", "ei", "i", "ep", "p", "e", ""} { // as cap_to_text(3) has them
		switch list := strings.Join(names[flags], ","); {
		case flags == most || list == "":
		case len(clauses) == 0:
			clauses = append(clauses, list+"="+flags)
		default:
			clauses = append(clauses, list+change(most, flags))
		}
	}
	return strings.Join(clauses, " ")
}

// flags returns the sets that a capability is in, in the order of cap_to_text(3).
func (s *capabilitySets) flags(bit int) string {
	var b strings.Builder
	for _, set := range []struct {
		flag string
		bits uint64
	}{{"e", s.effective}, {"i", s.inheritable}, {"p", s.permitted}} {
		if set.bits&(1<<bit) != 0 {
			b.WriteString(set.flag)
		}
	}
	return b.String()
}

// change returns the operators that lead from some flags to others.
func change(from, to string) string {
	text := ""
	if more := without(to, from); more != "" {
		text = "+" + more
	}
	if fewer := without(from, to); fewer != "" {
		text += "-" + fewer
	}
	return text
}

func without(flags, those string) string {
	return strings.Map(func(flag rune) rune {
		if strings.ContainsRune(those, flag) {
			return -1
		}
		return flag
	}, flags)
}
