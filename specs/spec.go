package specs

// APIVersion is the only value of a spec's apiVersion that this version reads.
const APIVersion = "hardpan/v1"

// The struct tags of the spec's types drive the strict decoder, the merge, the
// encoder and the JSON Schema alike:
//
//	yaml:"name"        the key
//	spec:"..."         options, separated by commas:
//	  required         the key must be there and not be empty
//	  root             not within a variant, because all variants share it
//	  show             written by [Spec.YAML] even where it is zero
//	  set              a list that appends, without duplicates, "!x" removes x
//	  key=a+b          a list of entries named by a and b; a child's entry replaces its parent's
//	  instead=a+b      where a child has the key, its parent's a and b do not hold
//	  format=f         the format of the string, or of a list's or map's strings (formats.go)
//	  keys=f           the format of a map's keys
//	  enum=a|b         the values allowed
//	  min=n, max=n     the range of a number

// Spec is a complete spec: parents merged, vars substituted, defaults applied and
// everything validated. A *Spec is not to be changed once loaded.
type Spec struct {
	// Version of the spec's format; always hardpan/v1.
	APIVersion string `yaml:"apiVersion" spec:"required,root,enum=hardpan/v1"`
	// Name of the image: the last part of its repository, by the grammar of OCI repository names.
	Name string `yaml:"name" spec:"required,root,format=repository"`
	// Version of the image, quoted: the tag it is published under.
	Version string `yaml:"version" spec:"required,root,format=tag"`
	// Text appended to the version to make the tag. A variant's default is "-" and its name.
	TagSuffix string `yaml:"tag-suffix" spec:"format=tag-suffix"`
	// One line that says what the image is for.
	Description string `yaml:"description"`
	// Platforms to build. Default: linux/amd64 and linux/arm64.
	Platforms []Platform `yaml:"platforms" spec:"root,set"`
	// Archive and release that the packages come from, such as debian/trixie, with its security and updates suites.
	Distro Distro `yaml:"distro" spec:"required,root"`
	// Existing image that the final image stands on, whose layers are kept below: registry/name@sha256:..., registry/name:tag (which the lock pins), or oci:PATH, oci-archive:PATH or docker-archive:PATH relative to this file, with @sha256:... or :NAME where there are several.
	From string `yaml:"from" spec:"root,format=image"`
	// Whether the image of from is rewritten as a layer of our own, without what hardening strips and what is replaced. Default: false.
	Flatten bool `yaml:"flatten" spec:"root"`
	// What the image is made of.
	Contents Contents `yaml:"contents"`
	// Build stages, of which only what is copied survives.
	Stages []Stage `yaml:"stages" spec:"key=name"`
	// Copies out of build stages into the image.
	Copy []Copy `yaml:"copy" spec:"key=from+source+path"`
	// Users and groups of the image, and the one it runs as.
	Accounts Accounts `yaml:"accounts"`
	// Files, directories, links and permissions of the image beyond its packages.
	Paths []Path `yaml:"paths" spec:"key=path"`
	// What is stripped from the image and which rules it must keep.
	Hardening Hardening `yaml:"hardening"`
	// Environment variables of the image's processes.
	Environment map[string]string `yaml:"environment" spec:"keys=environment,format=text"`
	// Working directory of the image's processes.
	WorkDir string `yaml:"work-dir" spec:"format=path"`
	// Command that the image runs, as a list of words; no shell reads it. A child's replaces its parent's.
	Entrypoint Command `yaml:"entrypoint"`
	// Default arguments of the entrypoint. A child's replaces its parent's.
	Cmd Command `yaml:"cmd"`
	// Ports that the image listens on.
	Ports []Port `yaml:"ports" spec:"set"`
	// Directories that hold the data of a running container.
	Volumes []string `yaml:"volumes" spec:"set,format=path"`
	// Further directories that a running container writes to; all others may be read-only. The label dev.hardpan.run.writable names them and the volumes.
	Writable []string `yaml:"writable" spec:"set,format=writable"`
	// Signal that asks the image's process to end, such as SIGTERM.
	StopSignal string `yaml:"stop-signal" spec:"format=signal"`
	// How a runtime sees whether the container is healthy.
	Healthcheck *Healthcheck `yaml:"healthcheck"`
	// Labels of the image's config.
	Labels map[string]string `yaml:"labels" spec:"keys=label,format=text"`
	// Annotations of the image's manifests and index.
	Annotations map[string]string `yaml:"annotations" spec:"keys=label,format=text"`
	// Fields of /etc/os-release; those left out stay Debian's.
	OSRelease OSRelease `yaml:"os-release"`
	// Dates in the life of the image.
	Dates Dates `yaml:"dates"`
	// Commands run in the finished image before anything is published: sandboxed, as its user, with a root that is read-only but for volumes and writable, and without network.
	Tests []Test `yaml:"tests" spec:"key=name"`
	// How packages become layers.
	Layering Layering `yaml:"layering"`

	variant string
	origin  *origin
}

// Contents says which packages are in an image, and which further archives they
// may come from.
type Contents struct {
	// Packages of the image: name, name:arch, name=version (a glob too), or "!name" for one that must never be in it.
	Packages []PackageRequest `yaml:"packages" spec:"set"`
	// Further archives, each with its own key.
	Repositories []Repository `yaml:"repositories" spec:"key=uri+suite"`
	// Packages whose maintainer scripts are not interpreted, because they need what is not provided: by name, skip, or sandbox to run them for real, by dpkg in a sandbox.
	Scripts map[string]string `yaml:"scripts" spec:"keys=package,enum=skip|sandbox"`
	// Whether the image's Python modules are compiled to bytecode, by its own interpreter in a sandbox, so that programs start sooner.
	Bytecode bool `yaml:"bytecode"`
	// Answers to questions of debconf, by name of the question, such as tzdata/Areas. Others get the package's default.
	Answers map[string]string `yaml:"answers" spec:"keys=question,format=text"`
}

// What happens to the scripts of a package that [Contents.Scripts] names.
const (
	ScriptsSkip    = "skip"
	ScriptsSandbox = "sandbox"
)

// Repository is a further archive (sources.list(5)). Credentials are never part
// of it: they come from the environment or netrc.
type Repository struct {
	// Base address of the archive: http, https or file, without credentials.
	URI string `yaml:"uri" spec:"required,format=uri"`
	// Suite below dists/, such as stable; with a trailing slash a flat archive's directory.
	Suite string `yaml:"suite" spec:"required,format=suite"`
	// Components of the suite, such as main; none for a flat archive.
	Components []string `yaml:"components" spec:"set,format=component"`
	// File with the archive's OpenPGP keys: relative to the spec and below its directory, or absolute.
	SignedBy string `yaml:"signed-by" spec:"required,format=key-file"`
}

// Accounts are the users and groups that are added to Debian's base ones
// (base-passwd), and the one that the image runs as.
type Accounts struct {
	// Users of the image beyond Debian's base users; their passwords are locked.
	Users []User `yaml:"users" spec:"key=name"`
	// Groups of the image beyond Debian's base groups.
	Groups []Group `yaml:"groups" spec:"key=name"`
	// User that the image runs as: a user above, a Debian base user, or "uid", "uid:gid", "user:group". Default: root.
	RunAs string `yaml:"run-as" spec:"format=run-as"`
}

// User is a line of /etc/passwd (passwd(5)).
type User struct {
	// Login name.
	Name string `yaml:"name" spec:"required,format=account"`
	// Numeric user id.
	UID ID `yaml:"uid" spec:"required"`
	// Numeric id of the user's group, which must be declared or a Debian base group. Default: the uid.
	GID ID `yaml:"gid" spec:"show"`
	// Home directory. Default: /nonexistent.
	Home string `yaml:"home" spec:"format=passwd-path"`
	// Login shell. Default: /usr/sbin/nologin.
	Shell string `yaml:"shell" spec:"format=passwd-path"`
	// Full name or comment.
	GECOS string `yaml:"gecos" spec:"format=passwd-field"`
}

// Group is a line of /etc/group (group(5)).
type Group struct {
	// Group name.
	Name string `yaml:"name" spec:"required,format=account"`
	// Numeric group id.
	GID ID `yaml:"gid" spec:"required"`
	// Users that have this as a further group.
	Members []string `yaml:"members" spec:"set,format=account"`
}

// The types of a [Path].
const (
	PathDirectory   = "directory"   // made where it is missing, with its mode and owner
	PathEmptyFile   = "empty-file"  // a file of no bytes
	PathFile        = "file"        // a file with Content or the bytes of Source
	PathSymlink     = "symlink"     // a symbolic link to Target
	PathHardlink    = "hardlink"    // another name of the file Target
	PathPermissions = "permissions" // changes what a package brought, and nothing else
)

// Path is one path of the image that the spec makes or changes.
type Path struct {
	// Absolute path in the image.
	Path string `yaml:"path" spec:"required,format=path"`
	// What the path is; permissions changes mode or owner of what a package brought.
	Type string `yaml:"type" spec:"required,enum=directory|empty-file|file|symlink|hardlink|permissions"`
	// Owner. Default: 0; with type permissions: unchanged. None with type hardlink.
	UID *ID `yaml:"uid"`
	// Group. Default: 0; with type permissions: unchanged. None with type hardlink.
	GID *ID `yaml:"gid"`
	// Permission bits as a quoted octal number. Default: "0755" for a directory, "0644" for a file; with type permissions: unchanged.
	Mode *Mode `yaml:"mode"`
	// Bytes of a file, written here.
	Content string `yaml:"content" spec:"format=content"`
	// File beside the spec, at or below its directory, that holds the bytes.
	Source string `yaml:"source" spec:"format=source"`
	// What a symlink or hardlink points to; a hardlink's is absolute.
	Target string `yaml:"target" spec:"format=target"`
	// With type permissions: change everything below the path, too.
	Recursive bool `yaml:"recursive"`
}

// The hardening profiles.
const (
	ProfileStrict   = "strict"
	ProfileStandard = "standard"
	ProfileNone     = "none"
)

// Hardening says what is stripped from an image and which rules it must keep.
type Hardening struct {
	// Set of rules to start from; strict also leaves out packages that only maintainer scripts need and no entry of contents.packages names. Default: strict.
	Profile string `yaml:"profile" spec:"enum=strict|standard|none"`
	// Paths that are not stripped although the profile would.
	Keep []string `yaml:"keep" spec:"set,format=path"`
	// Least severity of a broken rule for which the image is not published; never publishes whatever is broken. Default: high in the profile strict, critical in standard, never in none.
	FailOn string `yaml:"fail-on" spec:"enum=info|low|medium|high|critical|never"`
	// Rules that this image may break, each with a reason.
	Waive []Waiver `yaml:"waive" spec:"key=rule"`
}

// Waiver lets an image break one rule.
type Waiver struct {
	// Name of the rule, such as shell-present.
	Rule string `yaml:"rule" spec:"required,format=rule"`
	// Why the image may break it; it is part of the image's record.
	Reason string `yaml:"reason" spec:"required"`
	// Last day on which the waiver holds.
	Expires Date `yaml:"expires"`
}

// Command is a command as a list of words, which no shell reads. In a merge it is
// one value: a child's replaces its parent's.
type Command []string

// Healthcheck is what a runtime runs in the container from time to time (the
// Healthcheck of Docker's image config): exactly one of Command, HTTP and TCP says what.
// A zero field means the runtime's default.
type Healthcheck struct {
	// Command that exits 0 where the container is healthy, as a list of words; no shell reads it.
	Command Command `yaml:"command" spec:"instead=http+tcp"`
	// Page that a healthy container answers with a status from 200 to 399, asked for by a probe that hardpan adds to the image: http://127.0.0.1:PORT/PATH.
	HTTP string `yaml:"http" spec:"format=health-url,instead=command+tcp"`
	// Address that a healthy container takes connections at, tried by a probe that hardpan adds to the image: 127.0.0.1:PORT.
	TCP string `yaml:"tcp" spec:"format=health-address,instead=command+http"`
	// Time between two checks.
	Interval Duration `yaml:"interval"`
	// Time after which a check has failed.
	Timeout Duration `yaml:"timeout"`
	// Time after the start in which a failed check does not count.
	StartPeriod Duration `yaml:"start-period"`
	// Failed checks in a row that make the container unhealthy.
	Retries int `yaml:"retries" spec:"min=0,max=1000"`
}

// OSRelease holds fields of /etc/os-release (os-release(5)); those that are empty
// stay as Debian's base-files has them.
type OSRelease struct {
	// Name of the system, without its version.
	Name string `yaml:"name"`
	// Lower-case name of the system, such as debian, by which scanners find its vulnerabilities.
	ID string `yaml:"id" spec:"format=os-id"`
	// Ids of the systems it derives from, separated by spaces.
	IDLike string `yaml:"id-like" spec:"format=os-ids"`
	// Name of the system with its version, for people.
	PrettyName string `yaml:"pretty-name"`
	// Version of the system, for people.
	Version string `yaml:"version"`
	// Version of the system as a lower-case word, such as 13.
	VersionID string `yaml:"version-id" spec:"format=os-id"`
	// Code name of the release.
	VersionCodename string `yaml:"version-codename" spec:"format=os-id"`
	// Name of the variant, for people.
	Variant string `yaml:"variant"`
	// Variant as a lower-case word.
	VariantID string `yaml:"variant-id" spec:"format=os-id"`
	// Who makes the system.
	VendorName string `yaml:"vendor-name"`
	// CPE name of the system (NIST IR 7695).
	CPEName string `yaml:"cpe-name"`
	// Home page.
	HomeURL string `yaml:"home-url" spec:"format=url"`
	// Page with the documentation.
	DocumentationURL string `yaml:"documentation-url" spec:"format=url"`
	// Page where users get help.
	SupportURL string `yaml:"support-url" spec:"format=url"`
	// Page where bugs are reported.
	BugReportURL string `yaml:"bug-report-url" spec:"format=url"`
	// Page with the privacy policy.
	PrivacyPolicyURL string `yaml:"privacy-policy-url" spec:"format=url"`
}

// Dates are dates in the life of an image, for its readers and its policy; they do not set any file's time.
type Dates struct {
	// Day of the first release.
	Release Date `yaml:"release"`
	// Day after which there are no updates.
	EndOfLife Date `yaml:"end-of-life"`
}

// Test is a command that is run in the finished image, sandboxed, before anything is published.
type Test struct {
	// Name of the test.
	Name string `yaml:"name" spec:"required,format=name"`
	// Command to run, as the image's user.
	Command Command `yaml:"command" spec:"required"`
	// Exit code expected. Default: 0.
	ExitCode int `yaml:"exit-code" spec:"min=0,max=255"`
	// Text that the command's output, of both kinds, must contain.
	Output string `yaml:"output" spec:"format=text"`
	// Time after which the test has failed; ten times as long where the platform's processor is emulated. Default: 30s.
	Timeout Duration `yaml:"timeout"`
	// Memory of all its processes and of the files that it writes. Default: 2GiB.
	Memory Size `yaml:"memory"`
	// Number of its processes and threads. Default: 1024.
	Processes int `yaml:"processes" spec:"min=0,max=1000000"`
}

// The compressions of layers.
const (
	CompressionGzip = "gzip"
	CompressionZstd = "zstd"
)

// Layering says how packages become layers: one each, the smaller ones together
// where the budget is short.
type Layering struct {
	// Most layers of an image. Default: 60; runtimes on overlayfs take 127.
	Budget int `yaml:"budget" spec:"min=1,max=127"`
	// Compression of the layers. Default: gzip; zstd is smaller and faster, but older runtimes cannot read it.
	Compression string `yaml:"compression" spec:"enum=gzip|zstd"`
}
