package maint

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/dpkg"
)

// pending are the triggers of an installation (deb-triggers(5)).
type pending struct {
	interest []interest
	names    map[int][]string // activated and not processed yet, by package
	asked    []string         // by dpkg-trigger, not looked at yet
}

// interest is one package's interest in a trigger.
type interest struct {
	pkg  int
	name string // of a trigger, or an absolute path with all below it
}

// maxTriggerRounds bounds how often triggers may set off one another.
const maxTriggerRounds = 20

// interested notes what a package wants to be told of.
func (in *Installation) interested(i int) {
	for line := range strings.Lines(in.img.Packages[i].Triggers) {
		if directive, name, ok := triggerLine(line); ok && strings.HasPrefix(directive, "interest") {
			in.pending.interest = append(in.pending.interest, interest{i, name})
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

// activate makes a trigger pending for the packages that are interested in it. One
// that is not configured yet is not: its postinst will see what there is.
func (in *Installation) activate(name string) {
	for _, i := range in.pending.interest {
		if i.name == name {
			in.note(i)
		}
	}
}

func (in *Installation) note(i interest) {
	if in.tools.packages[i.pkg].State != dpkg.Installed {
		return
	}
	if in.pending.names == nil {
		in.pending.names = map[int][]string{}
	}
	if !slices.Contains(in.pending.names[i.pkg], i.name) {
		in.pending.names[i.pkg] = append(in.pending.names[i.pkg], i.name)
	}
}

// asked notes what a script asks for with dpkg-trigger. It counts when the script
// has ended, so that a package can ask for its own triggers.
func (in *Installation) asked(name string) {
	in.pending.asked = append(in.pending.asked, name)
}

// incorporate looks at what was asked for.
func (in *Installation) incorporate() {
	names := in.pending.asked
	in.pending.asked = nil
	for _, name := range names {
		in.activate(name)
	}
}

// activateBy makes pending what a package's control file activates when its state
// changes.
func (in *Installation) activateBy(p *Package) {
	for line := range strings.Lines(p.Triggers) {
		if directive, name, ok := triggerLine(line); ok && strings.HasPrefix(directive, "activate") {
			in.activate(name)
		}
	}
}

// activateFiles makes pending what paths that appear activate.
func (in *Installation) activateFiles(files []string) {
	paths := slices.DeleteFunc(slices.Clone(in.pending.interest), func(i interest) bool { return !strings.HasPrefix(i.name, "/") })
	if len(paths) == 0 {
		return
	}
	for _, file := range files {
		for _, i := range paths {
			if file == i.name || strings.HasPrefix(file, i.name) && file[len(i.name)] == '/' {
				in.note(i)
			}
		}
	}
}

// processTriggers runs "postinst triggered" of every package with something
// pending, until nothing is.
func (in *Installation) processTriggers(ctx context.Context) error {
	for range maxTriggerRounds {
		if len(in.pending.names) == 0 {
			return nil
		}
		names := in.pending.names
		in.pending.names = nil
		for i := range in.img.Packages {
			if len(names[i]) == 0 {
				continue
			}
			if err := in.run(ctx, &in.img.Packages[i], "postinst", "postinst triggered", "triggered", strings.Join(names[i], " ")); err != nil {
				return err
			}
			in.incorporate()
		}
	}
	return fmt.Errorf("triggers set off one another more than %d times", maxTriggerRounds)
}
