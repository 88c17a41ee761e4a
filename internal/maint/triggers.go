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
	names    map[int][]string  // activated and not processed yet, by package
	asked    []dpkg.Activation // by dpkg-trigger, not looked at yet
	awaited  map[int][]int     // by package: those whose triggers it waits for
	deferred []int             // those with triggers since this run of dpkg began, in that order
	rounds   map[int]int       // how often the triggers of a package were processed
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
	for line := range strings.Lines(in.img.at(i).Triggers) {
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
	if !slices.Contains(in.pending.deferred, i.pkg) {
		in.pending.deferred = append(in.pending.deferred, i.pkg)
	}
	if !i.wait || by < 0 || slices.Contains(in.pending.awaited[by], i.pkg) {
		return
	}
	if in.pending.awaited == nil {
		in.pending.awaited = map[int][]int{}
	}
	in.pending.awaited[by] = append(in.pending.awaited[by], i.pkg)
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
	for line := range strings.Lines(in.img.at(i).Triggers) {
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

// hasTriggers reports whether a package has triggers to process.
func (in *Installation) hasTriggers(i int) bool { return len(in.pending.names[i]) > 0 }

// awaits returns the package whose triggers a package waits for, if there is any.
func (in *Installation) awaits(i int) (pend int, ok bool) {
	if waits := in.pending.awaited[i]; len(waits) > 0 {
		return waits[0], true
	}
	return 0, false
}

// process runs "postinst triggered" of a package for the triggers that it has.
func (in *Installation) process(ctx context.Context, i int) error {
	if in.pending.rounds == nil {
		in.pending.rounds = map[int]int{}
	}
	if in.pending.rounds[i]++; in.pending.rounds[i] > maxTriggerRounds {
		return fmt.Errorf("triggers set off one another more than %d times: those of %s", maxTriggerRounds, in.img.at(i).Name)
	}
	names := in.pending.names[i]
	delete(in.pending.names, i)
	in.pending.deferred = slices.DeleteFunc(in.pending.deferred, func(j int) bool { return j == i })
	for by, waits := range in.pending.awaited {
		in.pending.awaited[by] = slices.DeleteFunc(waits, func(j int) bool { return j == i })
	}
	in.tools.state(i, dpkg.HalfConfigured, nil)
	if err := in.run(ctx, in.img.at(i), "postinst", "postinst triggered", "triggered", strings.Join(names, " ")); err != nil {
		return err
	}
	in.tools.state(i, dpkg.Installed, nil)
	in.incorporate()
	return nil
}
