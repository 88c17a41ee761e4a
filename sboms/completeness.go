package sboms

import "fmt"

// foreignDatabases are files of other package managers than dpkg: of apk, opkg and rpm
// with each kind of database that it had, and of pacman.
var foreignDatabases = []string{
	"lib/apk/db/installed", "usr/lib/apk/db/installed", "usr/lib/opkg/status", "var/lib/opkg/status",
	"var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/Packages.db", "var/lib/rpm/Packages",
	"usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/Packages.db", "usr/lib/sysimage/rpm/Packages",
	"var/lib/pacman/local/ALPM_DB_VERSION",
}

// maxGaps bounds how many gaps of one kind are listed by name.
const maxGaps = 20

// complete says how far what is listed is all, by the record compared with the content or,
// of an image without one, by whose packages it has.
func (r *reading) complete() {
	img := r.img
	var unread []string
	for _, name := range foreignDatabases {
		if r.paths[name] != nil {
			unread = append(unread, "/"+name)
		}
	}
	img.gap("packages are not listed, for their database is not read: ", unread)
	if r.rec == nil {
		img.Completeness = Unknown
		if len(img.Gaps) > 0 {
			img.Completeness = Incomplete
		}
		return
	}
	var extra, undescribed []string
	for i := range img.Files {
		if img.Files[i].Origin == nil {
			extra = append(extra, img.Files[i].Path)
		}
	}
	for i := range img.Packages {
		if !img.Packages[i].Described {
			undescribed = append(undescribed, img.Packages[i].Name)
		}
	}
	var missing []string
	for _, name := range r.rec.Paths.Path {
		if r.paths[name] == nil {
			missing = append(missing, "/"+name)
		}
	}
	for _, c := range r.rec.Components {
		if e := r.paths[c.Path]; e == nil || e.SHA256 != c.SHA256 {
			img.gap("the image does not have, or has otherwise, the program of hardpan ", []string{"/" + c.Path})
		}
	}
	img.gap("nothing says where it comes from: ", extra)
	img.gap("the record has it and the image does not: ", missing)
	img.gap("the image has no control fields, and so no dependencies, of package ", undescribed)
	img.Completeness = Complete
	if len(img.Gaps) > 0 {
		img.Completeness = Incomplete
	}
}

func (img *Image) gap(what string, names []string) {
	for i, name := range names {
		if i == maxGaps {
			img.Gaps = append(img.Gaps, fmt.Sprintf("%sand %d more", what, len(names)-i))
			return
		}
		img.Gaps = append(img.Gaps, what+name)
	}
}
