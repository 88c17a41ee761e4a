package builder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/debian"
	"github.com/hardpan/hardpan/internal/tree"
)

// databaseDir is where scanners look for the packages of an image that has no
// dpkg, one file each, as distroless introduced it.
const databaseDir = "var/lib/dpkg/status.d"

// databaseFiles returns the paths of a package's record: its status paragraph, and
// the checksums of its files if it has any.
func databaseFiles(name string) []string {
	return []string{databaseDir + "/" + name, databaseDir + "/" + name + ".md5sums"}
}

// addDatabase adds the package's record to its own layer: the status paragraph
// and the checksums of what is left of its files.
func (r *unpackRun) addDatabase(name string) error {
	sums := map[string]string{}
	for _, e := range r.res.Entries {
		if e.Type == tree.File {
			sums[e.Path] = e.SHA256
		}
	}
	paths := databaseFiles(name)
	for i, b := range [][]byte{r.statusParagraph(), r.remainingMD5(sums)} {
		if len(b) == 0 {
			continue
		}
		p := paths[i]
		sum := sha256.Sum256(b)
		if slices.Contains(r.plan.Drop, p) {
			continue
		}
		at := p
		if to, ok := r.plan.Rename[p]; ok {
			at = to
		}
		e := entry{Path: at, Mode: 0o644, Time: r.res.Latest, Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:]), Made: true}
		if err := r.add(e, bytes.NewReader(b)); err != nil {
			return err
		}
	}
	return nil
}

// statusParagraph returns the control paragraph as dpkg's status file has it for
// an installed package (dpkg-query(1), deb-control(5)).
func (r *unpackRun) statusParagraph() []byte {
	var b bytes.Buffer
	for _, f := range r.control.Paragraph {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
		if strings.EqualFold(f.Name, "Package") {
			b.WriteString("Status: install ok installed\n")
		}
	}
	if conffiles := r.conffileField(); conffiles != "" {
		b.WriteString("Conffiles:\n" + conffiles)
	}
	return b.Bytes()
}

func (r *unpackRun) conffileField() string {
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(r.md5s)) {
		fmt.Fprintf(&b, " /%s %s\n", p, r.md5s[p])
	}
	return b.String()
}

func (r *unpackRun) remainingMD5(kept map[string]string) []byte {
	var b bytes.Buffer
	for line := range strings.Lines(string(r.control.Files["md5sums"])) {
		sum, name, ok := strings.Cut(strings.TrimRight(line, "\n"), "  ")
		if !ok {
			continue
		}
		if p := debian.MergedUsr(tree.Clean(name), false); kept[p] != "" {
			fmt.Fprintf(&b, "%s  %s\n", sum, p)
		}
	}
	return b.Bytes()
}

func (r *unpackRun) conffiles() map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(string(r.control.Files["conffiles"])) {
		if f := strings.Fields(line); len(f) > 0 && strings.HasPrefix(f[len(f)-1], "/") {
			set[debian.MergedUsr(tree.Clean(f[len(f)-1]), false)] = true
		}
	}
	return set
}
