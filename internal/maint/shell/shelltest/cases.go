package shelltest

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// Root is a directory with a Debian system (as mmdebstrap makes it) whose programs
// the real runs use, by chroot(2); Record writes what they do into the files of
// cases.
var (
	Root   = flag.String("debian-root", "", "run the real programs of the Debian system in this `directory`")
	Record = flag.Bool("record", false, "write what the real programs do into testdata")
)

// Case is a script and what it leaves.
type Case struct {
	Name   string
	Script string
	Want   string // the output, then a line per path that is there (see [Tree])
}

var (
	header = regexp.MustCompile(`(?m)^### (.*)\n`)
	middle = "=== prints and leaves\n"
)

// Load reads a file of cases.
func Load(tb testing.TB, file string) []Case {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	var cases []Case
	at := header.FindAllSubmatchIndex(b, -1)
	for i, m := range at {
		end := len(b)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		script, want, _ := strings.Cut(string(b[m[1]:end]), middle)
		cases = append(cases, Case{string(b[m[2]:m[3]]), script, want})
	}
	return cases
}

// Save writes a file of cases, after the lines of its head, which say where they come
// from.
func Save(tb testing.TB, file string, cases []Case) {
	tb.Helper()
	old, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	head, _, _ := strings.Cut(string(old), "### ")
	var out strings.Builder
	out.WriteString(head)
	for _, c := range cases {
		fmt.Fprintf(&out, "### %s\n%s%s%s", c.Name, c.Script, middle, c.Want)
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		tb.Fatal(err)
	}
}
