package debian

// Package is one binary package as a Packages index lists it (Debian Policy 5.3;
// Debian wiki, RepositoryFormat). Relations are kept as written, for
// [ParseRelations] to read where they are needed.
type Package struct {
	Name         string
	Version      string
	Architecture string // "amd64", "all", ...
	MultiArch    string // "same", "foreign", "allowed", or "" for no
	Essential    bool
	Protected    bool // Protected or Important: yes
	Priority     string
	Section      string

	Source        string // source package, the package's own name where the index omits it
	SourceVersion string

	Depends    string
	PreDepends string
	Recommends string
	Suggests   string
	Enhances   string
	Provides   string
	Conflicts  string
	Breaks     string
	Replaces   string

	Filename string // pool path below the archive's base
	Size     int64  // of the .deb, in bytes
	SHA256   string // 64 hex digits
	SHA512   string // 128 hex digits, or "" where the archive has none

	InstalledSize int64 // KiB, as the index states it
	Maintainer    string
	Homepage      string

	// Archive is the id of the repository whose index listed the package, as the
	// lock records it, such as "debian/trixie-security". It names no host.
	Archive string
}
