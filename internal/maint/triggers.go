package maint

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// pending are the triggers of an installation (deb-triggers(5)).
type pending struct {
	interest []interest
	names    map[*Package][]string // activated and not processed yet
}

// interest is one package's interest in a trigger.
type interest struct {
	pkg  *Package
	name string // of a trigger, or an absolute path with all below it
}

// maxTriggerRounds bounds how often triggers may set off one another.
const maxTriggerRounds = 20

// interested notes what a package wants to be told of.
func (in *Installation) interested(p *Package) {
	for line := range strings.Lines(p.Triggers) {
		if directive, name, ok := triggerLine(line); ok && strings.HasPrefix(directive, "interest") {
			in.pending.interest = append(in.pending.interest, interest{p, name})
		}
	}
}

func triggerLine(line string) (directive, name string, ok bool) {
	line, _, _ = strings.Cut(line, "#")
	words := strings.Fields(line)
	if len(words) != 2 {
		return "", "", false
	}
	return words[0], words[1], true
}

// activate makes a trigger pending for whoever is interested in it.
func (in *Installation) activate(name string) {
	for _, i := range in.pending.interest {
		if i.name == name {
			in.note(i)
		}
	}
}

func (in *Installation) note(i interest) {
	if in.pending.names == nil {
		in.pending.names = map[*Package][]string{}
	}
	if !slices.Contains(in.pending.names[i.pkg], i.name) {
		in.pending.names[i.pkg] = append(in.pending.names[i.pkg], i.name)
	}
}

// activateFiles makes pending what the files of packages activate, and what their
// control files do. A package that is only interested in its own files has seen
// them when it was configured.
func (in *Installation) activateFiles(batch []int) {
	for _, i := range batch {
		p := &in.img.Packages[i]
		for line := range strings.Lines(p.Triggers) {
			if directive, name, ok := triggerLine(line); ok && strings.HasPrefix(directive, "activate") {
				in.activate(name)
			}
		}
	}
	paths := slices.DeleteFunc(slices.Clone(in.pending.interest), func(i interest) bool { return !strings.HasPrefix(i.name, "/") })
	if len(paths) == 0 {
		return
	}
	for _, k := range batch {
		p := &in.img.Packages[k]
		if p.Files == nil {
			continue
		}
		for _, file := range p.Files() {
			for _, i := range paths {
				if i.pkg != p && (file == i.name || strings.HasPrefix(file, i.name) && file[len(i.name)] == '/') {
					in.note(i)
				}
			}
		}
	}
}

// processTriggers runs "postinst triggered" of every package with something
// pending, until nothing is.
func (in *Installation) processTriggers(ctx context.Context, batch []int) error {
	in.activateFiles(batch)
	for range maxTriggerRounds {
		if len(in.pending.names) == 0 {
			return nil
		}
		names := in.pending.names
		in.pending.names = nil
		for i := range in.img.Packages {
			p := &in.img.Packages[i]
			if len(names[p]) == 0 {
				continue
			}
			if err := in.run(ctx, p, "postinst", "postinst triggered", "triggered", strings.Join(names[p], " ")); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("triggers set off one another more than %d times", maxTriggerRounds)
}
