package maint

import (
	"context"

	"github.com/hardpan/hardpan/internal/tree"
)

// Package is what is known of one unpacked package.
type Package struct {
	Name         string
	Version      string
	Architecture string            // of the package, "all" included
	SHA256       string            // of its .deb
	Scripts      map[string]string // "preinst", "postinst", ...: their text
	Triggers     string            // the triggers file
}

// Image is what the effects work on.
type Image struct {
	Tree         *tree.Tree
	Architecture string    // Debian's name, such as "amd64"
	Packages     []Package // in the order of configuration
	Time         int64     // of every path that is made, seconds since 1970
}

// Report says what was done and what was not.
type Report struct {
	Applied []string // "ca-certificates postinst: update-ca-certificates", in order
	Skipped []string // packages whose scripts were not given effect, sorted
}

// Step gives the tree the effects of the scripts of one package or one trigger.
type Step interface {
	// Name is what the origin of a path shows: "ca-certificates postinst: update-ca-certificates".
	Name() string
	// Applies reports whether the image has what the step is about.
	Applies(*Image) bool
	// Apply changes the tree. It does the same for the same image, every time.
	Apply(context.Context, *Image) error
}
