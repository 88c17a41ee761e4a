package maint

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/maint/shell"
	"github.com/hardpan/hardpan/internal/tree"
)

// afterScripts does what belongs to every image with glibc, and what in a Debian
// system the scripts of packages do that an image may lack.
func (in *Installation) afterScripts(ctx context.Context) error {
	if err := in.database(); err != nil {
		return err
	}
	if in.img.Package("libc6") == nil {
		return nil
	}
	if !in.fs.Exists("/etc/nsswitch.conf") && in.fs.IsDir("/etc") {
		// Without one glibc asks the network before it looks into /etc/hosts (nsswitch.conf(5)).
		in.fs.Origin = &tree.Origin{Kind: tree.FromBuilder, Command: "default /etc/nsswitch.conf"}
		if err := in.fs.WriteFile("/etc/nsswitch.conf", []byte(defaultNSSwitch), 0o644); err != nil {
			return err
		}
	}
	// The trigger of libc-bin has seen the packages' libraries, but not the spec's; and
	// without libc-bin nobody has.
	if len(in.img.Installed) > 0 && !in.addsLibraries() {
		return nil
	}
	if p := in.img.Package("libc-bin"); p != nil && p.Scripts["postinst"] != "" {
		if !in.specHasLibraries() {
			return nil
		}
		in.now = current{p, "postinst", "triggers"}
		defer func() { in.now = current{} }()
	}
	out, err := in.shell.Run(ctx, shell.Script{Name: "hardpan", Text: "ldconfig\n", Env: in.environment(&Package{}, "")})
	if err != nil {
		return fmt.Errorf("cannot make /etc/ld.so.cache: %w: %s", err, out)
	}
	return nil
}

// addsLibraries reports whether there are libraries that a base image did not have, or
// where to look for some.
func (in *Installation) addsLibraries() bool {
	for n := range in.img.Tree.All() {
		if n.Origin != nil && n.Origin.Base == "" && n.Type != tree.Dir && (strings.Contains(n.Path, ".so") || strings.Contains(n.Path, "ld.so.conf")) {
			return true
		}
	}
	return false
}

// specHasLibraries reports whether the spec put libraries into the image, or where
// to look for some.
func (in *Installation) specHasLibraries() bool {
	for n := range in.img.Tree.All() {
		if n.Origin != nil && n.Origin.Kind == tree.FromSpec && (strings.Contains(n.Path, ".so") || strings.Contains(n.Path, "ld.so.conf")) {
			return true
		}
	}
	return false
}

// database writes the files of dpkg's database that tell the next installation what
// scripts arranged. Where there is no dpkg there will be none, and what
// update-alternatives keeps goes too.
func (in *Installation) database() error {
	in.fs.Origin = &tree.Origin{Kind: tree.FromBuilder, Command: "package database"}
	if in.img.Package("dpkg") == nil {
		for _, dir := range []string{"/var/lib/dpkg/alternatives", "/var/lib/ucf"} {
			if err := in.fs.RemoveAll(dir); err != nil {
				return err
			}
		}
		return nil
	}
	files := in.tools.dpkg.Files()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := in.fs.MkdirAll("/"+path.Dir(name), 0o755); err != nil {
			return err
		}
		if err := in.fs.WriteFile("/"+name, files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}

const defaultNSSwitch = `passwd:         files
group:          files
shadow:         files
gshadow:        files

hosts:          files dns
networks:       files

protocols:      files
services:       files
ethers:         files
rpc:            files

netgroup:       files
`
