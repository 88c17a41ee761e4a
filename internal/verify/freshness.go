package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/lock"
	"github.com/hardpan/hardpan/internal/sign"
)

// dates are when an image and the indexes of its packages were made, of the platform
// where that is longest ago. The zero time is one that nobody knows.
type dates struct {
	made     time.Time
	archives []lock.Archive // by ID, the oldest of each
}

func datesOf(x *examined) dates {
	var d dates
	for i, img := range x.Images {
		if made := img.Config.Created; i == 0 || made.Before(d.made) {
			d.made = made
		}
		rec := x.records[img]
		if rec == nil {
			continue
		}
		for _, a := range rec.Archives {
			at, ok := slices.BinarySearchFunc(d.archives, a.ID, func(b lock.Archive, id string) int { return cmp.Compare(b.ID, id) })
			switch {
			case !ok:
				d.archives = slices.Insert(d.archives, at, a)
			case a.Date.Before(d.archives[at].Date):
				d.archives[at] = a
			}
		}
	}
	return d
}

// newest returns the archive that was signed last: the day on which the packages were
// chosen. A suite such as trixie itself is signed anew only every few months.
func (d *dates) newest() *lock.Archive {
	var newest *lock.Archive
	for i := range d.archives {
		if newest == nil || d.archives[i].Date.After(newest.Date) {
			newest = &d.archives[i]
		}
	}
	return newest
}

// expired names the archives whose indexes are past their Valid-Until.
func (d *dates) expired(now time.Time) []string {
	var list []string
	for _, a := range d.archives {
		if !a.ValidUntil.IsZero() && now.After(a.ValidUntil) {
			list = append(list, fmt.Sprintf("%.100s on %s", a.ID, a.ValidUntil.Format(time.DateOnly)))
		}
	}
	return list
}

// fresh says how old an image is, and the archives that its packages come from. It
// refuses nothing: how old is too old, a policy says.
func fresh(x *examined, now time.Time) sign.Question {
	d := datesOf(x)
	if d.made.IsZero() {
		return unanswered("the image does not say when it was made")
	}
	parts := []string{"the image is of " + ago(d.made, now)}
	if a := d.newest(); a != nil {
		parts = append(parts, fmt.Sprintf("its newest archive, %.100s, of %s", a.ID, ago(a.Date, now)))
	}
	if list := d.expired(now); len(list) > 0 {
		parts = append(parts, "past their Valid-Until: "+strings.Join(list, ", "))
	}
	return sign.Question{OK: true, Answer: strings.Join(parts, "; ")}
}

// ago returns a day, and how many ago it is.
func ago(t, now time.Time) string {
	day := t.UTC().Format(time.DateOnly)
	switch n := days(now.Sub(t)); {
	case now.Before(t):
		return day + ", which is to come"
	case n == 0:
		return day + ", less than a day ago"
	case n == 1:
		return day + ", 1 day ago"
	default:
		return fmt.Sprintf("%s, %d days ago", day, n)
	}
}

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }
