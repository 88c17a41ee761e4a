//go:build ignore

// Writes table.txt: the numbers are those of golang.org/x/sys/unix, whose source the
// module cache has, and what is allowed is what the default profile of
// github.com/moby/profiles/seccomp says, which `go run` fetches for this program alone.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	numbers = "golang.org/x/sys@v0.47.0"
	profile = "github.com/moby/profiles/seccomp@v0.2.3"
)

var number = regexp.MustCompile(`^\s+SYS_(\w+)\s+= (\d+)`)

func main() {
	arches := []string{"amd64", "arm64"}
	tables := map[string]map[string]string{}
	names := map[string]bool{}
	for _, arch := range arches {
		tables[arch] = read(filepath.Join(module(numbers), "unix", "zsysnum_linux_"+arch+".go"))
		for name := range tables[arch] {
			names[name] = true
		}
	}
	plain := allowed(filepath.Join(module(profile), "default.json"))
	f, err := os.Create("table.txt")
	check(err)
	fmt.Fprintf(f, "# System calls of Linux: name, number on amd64, number on arm64, and whether Docker's default profile lets a container without capabilities make them.\n")
	fmt.Fprintf(f, "# Written by testdata/generate.go from %s and %s.\n", strings.Replace(numbers, "@", "/unix ", 1), strings.Replace(profile, "@", " ", 1)+" (default.json)")
	for _, name := range slices.Sorted(maps.Keys(names)) {
		line := name
		allow := "-"
		for _, arch := range arches {
			n, ok := tables[arch][name]
			if !ok {
				n = "-"
			} else if plain[arch][name] {
				allow = "+"
			}
			line += " " + n
		}
		fmt.Fprintln(f, line, allow)
	}
	check(f.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// module returns the directory of a module in the cache.
func module(version string) string {
	out, err := exec.Command("go", "mod", "download", "-json", version).Output()
	check(err)
	var m struct{ Dir string }
	check(json.Unmarshal(out, &m))
	return m.Dir
}

func read(name string) map[string]string {
	f, err := os.Open(name)
	check(err)
	defer f.Close()
	table := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if m := number.FindStringSubmatch(lines.Text()); m != nil && m[1] != "ARCH_SPECIFIC_SYSCALL" {
			table[strings.ToLower(m[1])] = m[2]
		}
	}
	return table
}

// allowed returns what the profile allows without a capability, by architecture.
func allowed(name string) map[string]map[string]bool {
	b, err := os.ReadFile(name)
	check(err)
	var doc struct {
		Syscalls []struct {
			Names    []string
			Action   string
			Includes struct{ Caps, Arches []string }
		}
	}
	check(json.Unmarshal(b, &doc))
	all := map[string]map[string]bool{"amd64": {}, "arm64": {}}
	for _, s := range doc.Syscalls {
		if s.Action != "SCMP_ACT_ALLOW" || len(s.Includes.Caps) > 0 {
			continue
		}
		for arch := range all {
			if len(s.Includes.Arches) > 0 && !slices.Contains(s.Includes.Arches, arch) {
				continue
			}
			for _, n := range s.Names {
				all[arch][n] = true
			}
		}
	}
	return all
}
