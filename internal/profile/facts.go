package profile

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/record"
)

// Facts are what an image says about how it is to be run. The zero value of a field says
// that nothing is known.
type Facts struct {
	Name      string `json:"name"`      // of the objects that are written: a DNS label (RFC 1123)
	Reference string `json:"reference"` // that a platform pulls the image by
	Platform  string `json:"platform"`

	Command     []string          `json:"command,omitempty"` // the entrypoint, and cmd
	WorkingDir  string            `json:"workingDir,omitempty"`
	User        *User             `json:"user,omitempty"`
	Ports       []Port            `json:"ports,omitempty"`    // for the public
	Internal    []Port            `json:"internal,omitempty"` // for those who collect metrics, and the like
	Writable    []string          `json:"writable,omitempty"`
	Memory      int64             `json:"memory,omitempty"`    // bytes
	CPUs        float64           `json:"cpus,omitempty"`      //
	Processes   int               `json:"processes,omitempty"` // and threads
	StopSignal  string            `json:"stopSignal,omitempty"`
	Healthcheck *oci.Healthcheck  `json:"healthcheck,omitempty"`
	Programs    []string          `json:"programs,omitempty"` // paths of what can be executed, links followed
	Expected    []string          `json:"expected,omitempty"` // those of them that command and health check start
	Labels      map[string]string `json:"-"`

	// Unknown is what the image does not say, or says in a way that nothing follows
	// from, a sentence each.
	Unknown []string `json:"unknown,omitempty"`
}

// User is who runs the command, by number.
type User struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

// Port is a port that the image listens on.
type Port struct {
	Number   uint16 `json:"number"`
	Protocol string `json:"protocol"` // "tcp", "udp" or "sctp"
}

// Labels of docs/labels.md.
const (
	labelUser         = "dev.hardpan.run.user"
	labelReadOnly     = "dev.hardpan.run.read-only-root"
	labelWritable     = "dev.hardpan.run.writable"
	labelCapabilities = "dev.hardpan.run.capabilities"
	labelPrivileges   = "dev.hardpan.run.no-new-privileges"
	labelMemory       = "dev.hardpan.run.memory"
	labelCPUs         = "dev.hardpan.run.cpus"
	labelProcesses    = "dev.hardpan.run.processes"
	labelInternal     = "dev.hardpan.run.ports.internal"
)

func (f *Facts) unknown(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(f.Unknown, text) {
		f.Unknown = append(f.Unknown, text)
	}
}

// factsOf reads the config of an image, its record, and its accounts.
func factsOf(img *oci.Image, c *content, o Options) *Facts {
	f := &Facts{
		Platform: img.Platform.String(), Command: slices.Concat(img.Config.Entrypoint, img.Config.Cmd),
		WorkingDir: img.Config.WorkingDir, StopSignal: img.Config.StopSignal, Healthcheck: img.Config.Healthcheck, Labels: img.Config.Labels,
	}
	rec, err := record.Decode(img.Config.Record)
	if err != nil {
		rec = nil
		f.unknown("the image has no record of a build by hardpan: what follows is what its config says")
	}
	f.name(img, rec, o)
	f.user(img.Config.User, c)
	f.ports(img.Config.ExposedPorts)
	f.writable(img.Config.Volumes, rec)
	f.budget()
	f.promises()
	f.programs(img, c)
	return f
}

// dnsLabel makes a DNS label of at most 40 bytes of a text, "" of one without letters
// and digits.
func dnsLabel(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9') })
	s = strings.Join(words, "-")
	return strings.Trim(s[:min(len(s), 40)], "-")
}

// isTag reports whether a text may be the tag of a reference (OCI distribution spec,
// Pulling manifests).
func isTag(s string) bool {
	return s != "" && len(s) <= 128 && s[0] != '.' && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.-", r))
	})
}

func (f *Facts) name(img *oci.Image, rec *record.Record, o Options) {
	title := img.Config.Labels["org.opencontainers.image.title"]
	version := img.Config.Labels["org.opencontainers.image.version"]
	if rec != nil {
		title, version = cmp.Or(title, rec.Name), cmp.Or(version, rec.Version)
	}
	repository := path.Base(o.Repository)
	f.Name = cmp.Or(dnsLabel(title), dnsLabel(repository), "app")
	switch {
	case o.Reference != "":
		f.Reference = o.Reference
	case o.Repository != "":
		f.Reference = o.Repository + "@" + string(cmp.Or(o.Digest, img.Digest))
	default:
		f.Reference = f.Name
		if isTag(version) {
			f.Reference += ":" + version
		}
		f.unknown("which registry the image is pulled from: it is called %s here; --image names it", f.Reference)
	}
}

// user finds the numbers of the user, by the image's own accounts where it is a name.
func (f *Facts) user(user string, c *content) {
	name, group, _ := strings.Cut(user, ":")
	if name == "" {
		f.unknown("which user runs it: the image names none, and so it is root")
		return
	}
	uid, gid, ok := c.account(name)
	if !ok {
		f.unknown("which user runs it: %q is no number, and no account of the image", name)
		return
	}
	if group != "" {
		if gid, ok = c.group(group); !ok {
			f.unknown("which group runs it: %q is no number, and no group of the image", group)
			return
		}
	}
	if uid == 0 {
		f.unknown("which user may run it: the image says root, which the policies written here refuse")
		return
	}
	f.User = &User{uid, gid}
	if said := f.Labels[labelUser]; said != "" && said != fmt.Sprintf("%d:%d", uid, gid) {
		f.unknown("which user runs it: label %s says %s, the config %d:%d, which is taken", labelUser, said, uid, gid)
	}
}

func parsePort(s string) (Port, bool) {
	number, protocol, ok := strings.Cut(s, "/")
	if !ok {
		protocol = "tcp"
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 || !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
		return Port{}, false
	}
	return Port{uint16(n), protocol}, true
}

func (f *Facts) ports(exposed []string) {
	internal := map[Port]bool{}
	for _, s := range strings.Fields(f.Labels[labelInternal]) {
		if p, ok := parsePort(s); ok {
			internal[p] = true
		} else {
			f.unknown("label %s has %q, expected ports such as 9090/tcp", labelInternal, s)
		}
	}
	seen := map[Port]bool{}
	for _, s := range exposed {
		p, ok := parsePort(s)
		switch {
		case !ok:
			f.unknown("what port %q is: expected a number and tcp, udp or sctp", s)
		case seen[p]:
		case internal[p]:
			f.Internal = append(f.Internal, p)
		default:
			f.Ports = append(f.Ports, p)
		}
		seen[p] = true
	}
	for _, p := range slices.SortedFunc(maps.Keys(internal), comparePorts) {
		if !seen[p] {
			f.unknown("label %s has %s, which is no port of the image", labelInternal, p)
		}
	}
	slices.SortFunc(f.Ports, comparePorts)
	slices.SortFunc(f.Internal, comparePorts)
}

func comparePorts(a, b Port) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), strings.Compare(a.Protocol, b.Protocol))
}

func (p Port) String() string { return fmt.Sprintf("%d/%s", p.Number, p.Protocol) }

// coversSystem reports whether an empty directory mounted at a path would take away what
// the image's programs are made of.
func coversSystem(p string) bool {
	return slices.Contains(strings.Fields("/bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /proc /sbin /sys /usr /usr/bin /usr/lib /usr/sbin"), p)
}

// writable collects the directories that a running container writes to.
func (f *Facts) writable(volumes []string, rec *record.Record) {
	said, ok := f.Labels[labelWritable]
	all := slices.Concat(volumes, strings.Fields(said))
	if rec != nil {
		all = append(all, rec.Writable...)
	}
	for _, p := range all {
		switch {
		case !path.IsAbs(p) || path.Clean(p) != p || p == "/" || strings.ContainsAny(p, " \t\n\"'\\$`:,*?[]{}^@#"):
			f.unknown("what %q is that it writes to: expected a path without special characters", p)
		case coversSystem(p):
			f.unknown("why %q is to be written: what is mounted there would hide the image's own files, and so nothing is", p)
		case !slices.Contains(f.Writable, p):
			f.Writable = append(f.Writable, p)
		}
	}
	slices.Sort(f.Writable)
	if !ok && len(f.Writable) == 0 {
		f.unknown("where it writes: the image names no volume, and has no label %s", labelWritable)
	}
}

func (f *Facts) budget() {
	var missing []string
	read := func(label string, parse func(string) error, expected string) {
		s, ok := f.Labels[label]
		if !ok {
			missing = append(missing, label)
		} else if parse(s) != nil {
			f.unknown("label %s has %q, expected %s", label, s, expected)
		}
	}
	read(labelMemory, func(s string) (err error) { f.Memory, err = parseMemory(s); return err }, "a size such as 256MiB")
	read(labelCPUs, func(s string) (err error) { f.CPUs, err = parseCPUs(s); return err }, "a number such as 0.5")
	read(labelProcesses, func(s string) (err error) {
		n, err := strconv.ParseUint(s, 10, 22) // the kernel's limit of processes has 22 bits
		f.Processes = int(n)
		return err
	}, "a number such as 64")
	if len(missing) > 0 {
		f.unknown("how much it needs: the image has no label %s", strings.Join(missing, ", "))
	}
}

// parseCPUs reads a number of processors, to a thousandth.
func parseCPUs(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err == nil && (!(v >= 0.001) || v > 4096) {
		err = strconv.ErrRange
	}
	if err != nil {
		return 0, err
	}
	return float64(int64(v*1000)) / 1000, nil
}

var memoryUnits = map[string]int64{"B": 1, "": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 1e3, "MB": 1e6, "GB": 1e9}

// parseMemory reads a size in bytes.
func parseMemory(s string) (int64, error) {
	digits := strings.TrimRight(s, "BKMGikm")
	unit, ok := memoryUnits[strings.TrimSpace(s[len(digits):])]
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 40)
	if err != nil || !ok || n <= 0 || n > (1<<50)/unit {
		return 0, strconv.ErrSyntax
	}
	return n * unit, nil
}

// promises compares what is enforced in any case with what the image promises to bear.
func (f *Facts) promises() {
	for _, p := range []struct{ label, want, enforced string }{
		{labelReadOnly, "true", "a read-only root"},
		{labelPrivileges, "true", "no new privileges"},
		{labelCapabilities, "none", "no capabilities"},
	} {
		if said, ok := f.Labels[p.label]; !ok {
			f.unknown("whether it works with %s, which is enforced all the same: the image has no label %s", p.enforced, p.label)
		} else if said != p.want {
			f.unknown("whether it works with %s, which is enforced all the same: label %s says %q", p.enforced, p.label, said)
		}
	}
}

// health returns the command of the health check, nil if there is none that can be
// run without a shell.
func (f *Facts) health() []string {
	if h := f.Healthcheck; h != nil && len(h.Test) > 1 {
		switch h.Test[0] {
		case "CMD":
			return h.Test[1:]
		case "CMD-SHELL":
			return []string{"/bin/sh", "-c", h.Test[1]}
		}
	}
	return nil
}

// seconds returns a duration in whole seconds, at least one; def for none.
func seconds(d time.Duration, def int) int {
	if d <= 0 {
		return def
	}
	return max(1, int((d+time.Second-1)/time.Second))
}
