package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The kinds of [Facts.IDs].
const (
	idsRoot        = "root"        // we may map any ids: ours are a range that is nobody's
	idsSubordinate = "subordinate" // we are id 0 inside, the others come from subuid(5)
	idsOne         = "one"         // we are id 0 inside, and there is no other
)

// wantIDs is how many ids a root has where it can: those of Debian Policy 9.2.2
// with nobody (65534) at the end.
const wantIDs = 65536

// rootBase is the first id on the host of the range that root's sandboxes use. It
// lies in the part that systemd's list of ids (systemd.io/UIDS-GIDS) leaves to
// containers, and what escapes from a sandbox is nobody there.
const rootBase = 0x68700000

// An idRange is a line of /proc/PID/uid_map (user_namespaces(7)).
type idRange struct {
	Inside  int64 `json:"inside"`
	Outside int64 `json:"outside"`
	Count   int64 `json:"count"`
}

// A mapping is how ids inside a sandbox are made ids of the host.
type mapping struct {
	kind       string
	uids, gids []idRange
	// help says what would give this user more ids, where the kind is idsOne.
	help string
	note string // why there are not more, for [Facts.Notes], where that is unexpected
}

// errMapping is in the chain of an error about ids that could not be mapped.
var errMapping = errors.New("cannot map the ids of a sandbox")

// withoutSubordinate is the mapping of a user whose subordinate ids cannot be used,
// because of err.
func (m *mapping) withoutSubordinate(err error) *mapping {
	one := &mapping{kind: idsOne, uids: m.uids[:1], gids: m.gids[:1], note: "one id only: " + err.Error()}
	if h, ok := errors.AsType[*Error](err); ok {
		one.help = h.Help
	}
	return one
}

// name tells mappings apart: a snapshot's owners mean nothing under another one.
func (m *mapping) name() string {
	last := func(r []idRange) idRange { return r[len(r)-1] }
	u, g := last(m.uids), last(m.gids)
	return fmt.Sprintf("%s-%d-%d-%d-%d", m.kind, u.Outside, u.Count, g.Outside, g.Count)
}

func total(ranges []idRange) int64 {
	var n int64
	for _, r := range ranges {
		n += r.Count
	}
	return n
}

// count is how many ids are both a user's and a group's.
func (m *mapping) count() int64 { return min(total(m.uids), total(m.gids)) }

// owner is the id on the host of root inside.
func (m *mapping) owner() (uid, gid int) { return int(m.uids[0].Outside), int(m.gids[0].Outside) }

// findMapping finds the widest mapping that this process may make.
func findMapping() (*mapping, error) {
	uids, err := readIDMap("/proc/self/uid_map")
	if err != nil {
		return nil, err
	}
	gids, err := readIDMap("/proc/self/gid_map")
	if err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 && haveCaps(unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_CHOWN) {
		u, g := spareRange(uids), spareRange(gids)
		if u.Count > 1 && g.Count > 1 {
			return &mapping{kind: idsRoot, uids: []idRange{u}, gids: []idRange{g}}, nil
		}
	}
	return userMapping(uids, gids), nil
}

// spareRange is the part of our own ids that a sandbox of root's gets: not id 0,
// and on the host itself a range that is nobody's.
func spareRange(own []idRange) idRange {
	var best idRange
	for _, r := range own {
		if r.Inside <= rootBase && rootBase+wantIDs <= r.Inside+r.Count {
			return idRange{Outside: rootBase, Count: wantIDs}
		}
		first := max(r.Inside, 1)
		if n := min(r.Inside+r.Count-first, wantIDs); n > best.Count {
			best = idRange{Outside: first, Count: n}
		}
	}
	return best
}

// userMapping is an ordinary user's: with subordinate ids where there are some.
func userMapping(ownUIDs, ownGIDs []idRange) *mapping {
	m := &mapping{
		kind: idsOne,
		uids: []idRange{{Outside: int64(os.Geteuid()), Count: 1}},
		gids: []idRange{{Outside: int64(os.Getegid()), Count: 1}},
	}
	name := userName()
	subUIDs := subordinate("/etc/subuid", name, ownUIDs)
	subGIDs := subordinate("/etc/subgid", name, ownGIDs)
	switch {
	case len(subUIDs) == 0 || len(subGIDs) == 0:
		m.help = fmt.Sprintf("user %s has one id only; a line %[1]s:100000:65536 in /etc/subuid and in /etc/subgid gives more (subuid(5); usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %[1]s)", name)
	case !haveMappers():
		m.help = fmt.Sprintf("user %s has subordinate ids, but newuidmap and newgidmap are missing: install the package uidmap", name)
	default:
		m.kind = idsSubordinate
		m.uids = append(m.uids, subUIDs...)
		m.gids = append(m.gids, subGIDs...)
	}
	return m
}

// userName is the name that subuid(5) may have for this user, else its number.
func userName() string {
	if u, err := user.LookupId(strconv.Itoa(os.Geteuid())); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Geteuid())
}

func haveMappers() bool {
	_, err := exec.LookPath("newuidmap")
	_, err2 := exec.LookPath("newgidmap")
	return err == nil && err2 == nil
}

// subordinate reads the ranges of a user in a file of subuid(5), as many as a
// sandbox uses, and leaves out those that do not exist in our own user namespace.
func subordinate(path, name string, own []idRange) []idRange {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	number := strconv.Itoa(os.Geteuid())
	next := int64(1)
	var ranges []idRange
	for sc := bufio.NewScanner(f); sc.Scan() && next < wantIDs; {
		field := strings.Split(sc.Text(), ":")
		if len(field) != 3 || field[0] != name && field[0] != number {
			continue
		}
		first, err1 := strconv.ParseInt(field[1], 10, 64)
		count, err2 := strconv.ParseInt(field[2], 10, 64)
		if err1 != nil || err2 != nil || count < 1 || !contains(own, first, count) {
			continue
		}
		count = min(count, wantIDs-next)
		ranges = append(ranges, idRange{Inside: next, Outside: first, Count: count})
		next += count
	}
	return ranges
}

func contains(own []idRange, first, count int64) bool {
	for _, r := range own {
		if r.Inside <= first && first+count <= r.Inside+r.Count {
			return true
		}
	}
	return false
}

// readIDMap reads a map of our own process.
func readIDMap(path string) ([]idRange, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &Error{Doing: "cannot tell what ids there are", Err: fmt.Errorf("%w: %w", ErrUnsupported, err), Help: "user namespaces need a kernel with CONFIG_USER_NS and /proc"}
	}
	var ranges []idRange
	for line := range strings.Lines(string(b)) {
		var r idRange
		if _, err := fmt.Sscan(line, &r.Inside, &r.Outside, &r.Count); err == nil {
			ranges = append(ranges, r)
		}
	}
	return ranges, nil
}

// haveCaps reports whether each of these capabilities is in force.
func haveCaps(caps ...int) bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil {
		return false
	}
	for _, c := range caps {
		if data[c/32].Effective&(1<<(c%32)) == 0 {
			return false
		}
	}
	return true
}

// write makes this mapping that of the process pid.
func (m *mapping) write(pid int) error {
	dir := "/proc/" + strconv.Itoa(pid)
	if m.kind == idsSubordinate {
		return m.runMappers(pid)
	}
	if m.kind == idsOne {
		// Without privilege in the parent namespace the map of groups may be written
		// only once setgroups(2) is given up (user_namespaces(7)).
		if err := os.WriteFile(dir+"/setgroups", []byte("deny"), 0); err != nil {
			return err
		}
	}
	if err := os.WriteFile(dir+"/uid_map", []byte(mapText(m.uids)), 0); err != nil {
		return err
	}
	return os.WriteFile(dir+"/gid_map", []byte(mapText(m.gids)), 0)
}

func mapText(ranges []idRange) string {
	var b strings.Builder
	for _, r := range ranges {
		fmt.Fprintf(&b, "%d %d %d\n", r.Inside, r.Outside, r.Count)
	}
	return b.String()
}

// runMappers lets newuidmap(1) and newgidmap(1), which are setuid root, write the maps.
func (m *mapping) runMappers(pid int) error {
	run := func(program string, ranges []idRange) error {
		cmd := exec.Command(program, append([]string{strconv.Itoa(pid)}, strings.Fields(mapText(ranges))...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return &Error{
				Doing: "cannot map the subordinate ids of this user with " + program,
				Err:   fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out))),
				Help:  program + " must be setuid root (or have file capabilities) on a file system that is not mounted nosuid",
			}
		}
		return nil
	}
	if err := run("newuidmap", m.uids); err != nil {
		return err
	}
	return run("newgidmap", m.gids)
}
