package accounts

import (
	"strconv"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/rootfs"
)

// defs is /etc/login.defs, with what options of the command line change in it.
type defs map[string]string

// readDefs reads login.defs(5); a file that is missing leaves the defaults.
func readDefs(f *rootfs.FS) defs {
	d := defs{}
	b, err := f.ReadFile("/etc/login.defs")
	if err != nil {
		return d
	}
	for line := range strings.Lines(string(b)) {
		v := strings.Fields(line)
		if len(v) >= 2 && !strings.HasPrefix(v[0], "#") {
			d[v[0]] = strings.Trim(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), v[0])), `"`)
		}
	}
	return d
}

// set takes "KEY=VALUE" of option -K.
func (d defs) set(s string) bool {
	key, value, ok := strings.Cut(s, "=")
	if ok {
		d[key] = value
	}
	return ok
}

func (d defs) number(key string, missing uint32) uint32 {
	if n, err := strconv.ParseUint(d[key], 0, 32); err == nil {
		return uint32(n)
	}
	return missing
}

func (d defs) yes(key string) bool { return strings.EqualFold(d[key], "yes") }

// idRange is the ids that are given out: of UID or GID, for people or the system.
func (d defs) idRange(kind string, system bool) (lowest, highest uint32) {
	if system {
		return d.number("SYS_"+kind+"_MIN", 101), d.number("SYS_"+kind+"_MAX", d.number(kind+"_MIN", 1000)-1)
	}
	return d.number(kind+"_MIN", 1000), d.number(kind+"_MAX", 60000)
}

// freeID returns the id that useradd and groupadd give out: the one after the
// highest of the range, for a system account the one before the lowest; where that
// is outside, the next that is free.
func freeID(used map[uint32]bool, lowest, highest uint32, system bool) (uint32, bool) {
	if lowest > highest {
		return 0, false
	}
	low, high := uint64(highest)+1, int64(lowest)-1
	for id := range used {
		if id >= lowest && id <= highest {
			low, high = min(low, uint64(id)), max(high, int64(id))
		}
	}
	if system && low > uint64(lowest) {
		return uint32(low - 1), true
	}
	if !system && high < int64(highest) {
		return uint32(high + 1), true
	}
	for i := range highest - lowest + 1 {
		id := lowest + i
		if system {
			id = highest - i
		}
		if !used[id] {
			return id, true
		}
	}
	return 0, false
}

// readAssignments reads a file of shell assignments, such as /etc/default/useradd.
func readAssignments(f *rootfs.FS, name string) map[string]string {
	out := map[string]string{}
	b, err := f.ReadFile(name)
	if err != nil {
		return out
	}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\n"), "="); ok && !strings.HasPrefix(key, "#") {
			out[strings.TrimSpace(key)] = value
		}
	}
	return out
}
