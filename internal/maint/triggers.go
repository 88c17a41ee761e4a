package maint

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/dpkg"
)

// pending are the triggers of an installation (deb-triggers(5)).
type pending struct {
	interest []interest
	names    map[int][]string     // activated and not processed yet, by package
	asked    []dpkg.Activation    // by dpkg-trigger, not looked at yet
	awaited  map[int]map[int]bool // by package: those whose triggers it waits for
}

// interest is one package's interest in a trigger.
type interest struct {
	pkg  int
	name string // of a trigger, or an absolute path with all below it
	wait bool   // whether who activates it is not done before it was processed
}

// maxTriggerRounds bounds how often triggers may set off one another.
const maxTriggerRounds = 20

// interested notes what a package wants to be told of.
func (in *Installation) interested(i int) {
	for line := range strings.Lines(in.img.Packages[i].Triggers) {
		if directive, name, ok := triggerLine(line); ok && strings.HasPrefix(directive, "interest") {
			in.pending.interest = append(in.pending.interest, interest{i, name, !strings.HasSuffix(directive, "-noawait")})
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
// that is not configured yet is not: its postinst will see what there is. by is the
// package that waits for them, -1 for none.
func (in *Installation) activate(name string, by int) {
	for _, i := range in.pending.interest {
		if i.name == name {
			in.note(i, by)
		}
	}
}

func (in *Installation) note(i interest, by int) {
	if in.tools.packages[i.pkg].State != dpkg.Installed {
		return
	}
	if in.pending.names == nil {
		in.pending.names = map[int][]string{}
	}
	if !slices.Contains(in.pending.names[i.pkg], i.name) {
		in.pending.names[i.pkg] = append(in.pending.names[i.pkg], i.name)
	}
	if !i.wait || by < 0 || by == i.pkg {
		return
	}
	if in.pending.awaited == nil {
		in.pending.awaited = map[int]map[int]bool{}
	}
	if in.pending.awaited[by] == nil {
		in.pending.awaited[by] = map[int]bool{}
	}
	in.pending.awaited[by][i.pkg] = true
}

// asked notes what a script asks for with dpkg-trigger. It counts when the script
// has ended, so that a package can ask for its own triggers.
func (in *Installation) asked(a dpkg.Activation) {
	in.pending.asked = append(in.pending.asked, a)
}

// incorporate looks at what was asked for.
func (in *Installation) incorporate() {
	asked := in.pending.asked
	in.pending.asked = nil
	for _, a := range asked {
		by := -1
		if a.Await {
			by = slices.IndexFunc(in.img.Packages, func(p Package) bool { return p.Name == a.Package })
		}
		in.activate(a.Trigger, by)
	}
}

// activateBy makes pending what a package's control file activates when its state
// changes.
func (in *Installation) activateBy(i int) {
	for line := range strings.Lines(in.img.Packages[i].Triggers) {
		directive, name, ok := triggerLine(line)
		switch {
		case !ok || !strings.HasPrefix(directive, "activate"):
		case strings.HasSuffix(directive, "-noawait"):
			in.activate(name, -1)
		default:
			in.activate(name, i)
		}
	}
}

// activateFiles makes pending what paths of a package activate when they appear.
func (in *Installation) activateFiles(by int, files []string) {
	paths := slices.DeleteFunc(slices.Clone(in.pending.interest), func(i interest) bool { return !strings.HasPrefix(i.name, "/") })
	if len(paths) == 0 {
		return
	}
	for _, file := range files {
		for _, i := range paths {
			if file == i.name || strings.HasPrefix(file, i.name) && file[len(i.name)] == '/' {
				in.note(i, by)
			}
		}
	}
}

// awaiting returns the packages whose triggers must be processed before a package
// can be configured: those that what it depends on waits for.
func (in *Installation) awaiting(i int) []int {
	var handlers []int
	for _, meet := range in.dependencies.depends[i] {
		if waits := in.pending.awaited[meet[0]]; len(waits) > 0 && in.tools.packages[meet[0]].State == dpkg.Installed {
			handlers = append(handlers, slices.Sorted(maps.Keys(waits))...)
		}
	}
	return handlers
}

// process runs "postinst triggered" of a package for triggers. Nobody waits for them
// any more.
func (in *Installation) process(ctx context.Context, i int, names []string) error {
	for _, waits := range in.pending.awaited {
		delete(waits, i)
	}
	if len(names) == 0 {
		return nil
	}
	if err := in.run(ctx, &in.img.Packages[i], "postinst", "postinst triggered", "triggered", strings.Join(names, " ")); err != nil {
		return err
	}
	in.incorporate()
	return nil
}

// processTriggers processes all that are pending, until none is.
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
			if err := in.process(ctx, i, names[i]); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("triggers set off one another more than %d times", maxTriggerRounds)
}
