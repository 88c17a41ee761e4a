package maint

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/dpkg"
)

// queue is what "dpkg --configure --pending" goes through, in its order: ids of users
// follow from it, and what comes first in a generated file (process_queue in dpkg's
// src/main/packages.c, findbreakcycle in depcon.c, trigproc in trigproc.c; version
// 1.22.22).
//
// A package that waits for another one goes to the end. When nothing moved for long
// enough dpkg tries harder: it cuts circles of dependencies, and then processes
// triggers that packages wait for.
type queue struct {
	d         *dependencies
	installed func(i int) bool                // it is configured, though it may wait for triggers
	awaits    func(i int) (pend int, ok bool) // whose triggers it waits for first
	pending   func(i int) bool                // it is configured and has triggers to process
	configure func(i int) error
	process   func(i int) error

	packages []int
	members  map[int]bool    // that were in the queue at any time
	queued   map[int]bool    // that are in it now
	broken   map[[2]int]bool // dependencies that were cut: package, and which of its

	idle   int // calls without progress
	try    try
	fixing int // the package whose triggers would let another one go on, -1 for none
}

// try is how hard dpkg tries.
type try int

const (
	tryNormal try = iota + 1
	tryCycles
	tryTriggers
	tryTriggerCycles
	tryLast
)

// run goes through the queue until it is empty.
func (q *queue) run(packages []int) error {
	q.members, q.queued, q.broken, q.try, q.fixing = map[int]bool{}, map[int]bool{}, map[[2]int]bool{}, tryNormal, -1
	for _, i := range packages {
		q.push(i)
	}
	for len(q.packages) > 0 {
		i := q.packages[0]
		q.packages = q.packages[1:]
		q.queued[i] = false
		long, longer := q.idle >= 2*len(q.packages)+2, q.idle > 3*len(q.packages)+2
		q.idle++
		switch {
		case long && !longer && q.try >= tryTriggers && q.fixing >= 0 && q.pending(q.fixing):
			q.push(i)
			i, q.fixing = q.fixing, -1
		case long:
			q.try++
			q.idle = 0
		}
		if q.try == tryLast {
			return fmt.Errorf("packages wait for one another: %s cannot be configured", q.names())
		}
		if err := q.next(i); err != nil {
			return err
		}
	}
	return nil
}

func (q *queue) push(i int) {
	if !q.queued[i] {
		q.queued[i], q.members[i] = true, true
		q.packages = append(q.packages, i)
	}
}

func (q *queue) names() string {
	var names []string
	for _, i := range q.packages {
		names = append(names, q.d.packages[i].Name)
	}
	return strings.Join(names, ", ")
}

// next does what a package needs most, or puts it back.
func (q *queue) next(i int) error {
	triggers := q.pending(i)
	switch {
	case triggers && q.try < tryTriggers:
		q.push(i)
		return nil
	case !triggers && q.installed(i):
		return nil // its triggers were processed to let another one go on
	}
	if q.try >= tryCycles && q.breakCycle(i) {
		q.idle = 0
	}
	if q.waits(i) {
		q.push(i)
		return nil
	}
	q.idle = 0
	if triggers {
		return q.process(i)
	}
	return q.configure(i)
}

// waits reports whether a dependency of a package is not met yet (dependencies_ok). It
// notes whose triggers would meet all that are not.
func (q *queue) waits(i int) bool {
	waits, hopeless, fixing := false, false, -1
	for k, dep := range q.d.all(i) {
		if q.broken[[2]int{i, k}] {
			continue
		}
		met, by := false, -1
		for _, c := range dep {
			pend, awaits := q.awaits(c.pkg)
			switch {
			case c.pkg == i && c.provides, !q.installed(c.pkg) && !q.members[c.pkg]:
				met = true // what is in a later batch is in a circle that unpacking has cut
			case !q.installed(c.pkg):
			case awaits:
				by = pend
			default:
				met = true
			}
		}
		if met {
			continue
		}
		waits = true
		if by < 0 {
			hopeless = true
		} else {
			fixing = by
		}
	}
	if !hopeless && fixing >= 0 {
		q.fixing = fixing
	}
	return waits
}

// link is a package on the way from where a circle is looked for, with the dependency
// that leads on.
type link struct {
	pkg, dep int
	before   *link
}

// breakCycle looks for a circle of dependencies from a package on and cuts it, before
// a package without a postinst, which needs nobody's, or else where it was entered.
func (q *queue) breakCycle(i int) bool { return q.search(i, nil, map[int]bool{}) }

func (q *queue) search(i int, before *link, done map[int]bool) bool {
	if done[i] {
		return false
	}
	here := &link{pkg: i, before: before}
	for k, dep := range q.d.all(i) {
		if q.broken[[2]int{i, k}] {
			continue
		}
		here.dep = k
		for _, c := range dep {
			if c.provides && !q.members[c.pkg] {
				continue
			}
			if !before.has(c.pkg) {
				if q.search(c.pkg, here, done) {
					return true
				}
				continue
			}
			cut := here
			for (cut == here || cut.pkg != c.pkg) && q.d.packages[cut.pkg].Scripts["postinst"] != "" {
				cut = cut.before
			}
			q.broken[[2]int{cut.pkg, cut.dep}] = true
			return true
		}
	}
	done[i] = true
	return false
}

func (l *link) has(pkg int) bool {
	for ; l != nil; l = l.before {
		if l.pkg == pkg {
			return true
		}
	}
	return false
}

// dpkgBins is the number of bins of dpkg's table of packages, in whose order it puts
// packages into the queue (lib/dpkg/pkg-hash.c).
const dpkgBins = 65521

// inTableOrder returns packages as dpkg's table has them.
func (d *dependencies) inTableOrder(packages []int) []int {
	bin := func(i int) uint32 {
		h := fnv.New32a()
		h.Write([]byte(d.packages[i].Name))
		return h.Sum32() % dpkgBins
	}
	sorted := slices.Clone(packages)
	slices.SortStableFunc(sorted, func(a, b int) int { return cmp.Compare(bin(a), bin(b)) })
	return sorted
}

// configureAll configures the packages of a batch and processes the triggers that are
// pending, as one run of dpkg. Of packages in an order that apt has chosen, apt has
// triggers wait for the last run.
func (in *Installation) configureAll(ctx context.Context, batch Batch, last bool) error {
	q := &queue{
		d:         in.dependencies,
		installed: func(i int) bool { return in.tools.packages[i].State == dpkg.Installed },
		awaits:    in.awaits,
		pending:   in.hasTriggers,
		configure: func(i int) error { return in.configure(ctx, i) },
		process:   func(i int) error { return in.process(ctx, i) },
	}
	in.pending.deferred = nil
	if batch.InOrder {
		if err := q.run(batch.Packages); err != nil || !last {
			return err
		}
		batch.Packages = nil
	}
	packages := slices.Clone(batch.Packages)
	for i := range in.tools.packages {
		if in.hasTriggers(i) {
			packages = append(packages, i)
		}
	}
	if err := q.run(in.dependencies.inTableOrder(packages)); err != nil {
		return err
	}
	for len(in.pending.deferred) > 0 {
		i := in.pending.deferred[0]
		in.pending.deferred = in.pending.deferred[1:]
		if in.hasTriggers(i) {
			if err := in.process(ctx, i); err != nil {
				return err
			}
		}
	}
	return nil
}
