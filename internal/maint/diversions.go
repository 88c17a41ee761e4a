package maint

import (
	"strings"

	"github.com/hardpan/hardpan/internal/maint/script"
	"github.com/hardpan/hardpan/internal/tree"
)

// Diversion moves a path that every package but one ships (dpkg-divert(1)).
type Diversion struct {
	Package string // that diverts, and keeps the path for itself
	From    string // path in the tree
	To      string
}

// Diversions returns what the packages' preinst scripts divert, in their order. The
// tree need not hold anything yet: diversions are made before files are unpacked.
func Diversions(img *Image) []Diversion {
	var all []Diversion
	for i := range img.Packages {
		p := &img.Packages[i]
		text := p.Scripts["preinst"]
		if !strings.Contains(text, "dpkg-divert") {
			continue
		}
		calls, err := script.Calls("preinst", text, script.Context{
			Args: scriptArgs["preinst"], Arch: img.Architecture, Tree: img.Tree,
			Vars: map[string]string{"DPKG_MAINTSCRIPT_PACKAGE": p.Name, "DPKG_MAINTSCRIPT_NAME": "preinst"},
		})
		if err != nil {
			continue // the report says that it cannot be read
		}
		for _, c := range calls {
			if d, ok := diversion(p.Name, c); ok {
				all = append(all, d)
			}
		}
	}
	return all
}

// diversion reads one call of dpkg-divert that adds a diversion.
func diversion(by string, c script.Call) (Diversion, bool) {
	if c.Name() != "dpkg-divert" || !c.Known {
		return Diversion{}, false
	}
	d := Diversion{Package: by}
	args := c.Args[1:]
	for i := 0; i < len(args); i++ {
		option, value, joined := strings.Cut(args[i], "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch option {
		case "--divert", "--package", "--admindir", "--instdir", "--root":
			if !joined {
				i++
			}
			switch option {
			case "--divert":
				d.To = tree.Clean(value)
			case "--package":
				d.Package = value
			}
		case "--remove", "--list", "--listpackage", "--truename":
			return Diversion{}, false
		case "--local":
			d.Package = ""
		default:
			if !strings.HasPrefix(option, "-") {
				d.From = tree.Clean(args[i])
			}
		}
	}
	if d.From == "" {
		return Diversion{}, false
	}
	if d.To == "" {
		d.To = d.From + ".distrib"
	}
	return d, true
}
