package specs

// Stage is a build stage: a throw-away system in which commands run, sandboxed.
// Nothing of it is in the image but what [Copy] takes out.
type Stage struct {
	// Name of the stage, for copy and for later stages.
	Name string `yaml:"name" spec:"required,format=name"`
	// Earlier stage to start from, or an existing image in the words of the spec's own from. Default: an empty system.
	From string `yaml:"from" spec:"format=stage-base"`
	// Packages of the stage; none where it starts from an image.
	Contents Contents `yaml:"contents"`
	// Files beside the spec that are put into the stage.
	Files []StageFile `yaml:"files" spec:"key=path"`
	// Paths of earlier stages that are put into the stage.
	Copy []Copy `yaml:"copy" spec:"key=from+source+path"`
	// Files from the network, each pinned by its digest.
	Fetch []Fetch `yaml:"fetch" spec:"key=path"`
	// Commands, each read by the stage's /bin/sh.
	Run []string `yaml:"run" spec:"format=text"`
	// Whether the commands reach the network. Default: none.
	Network string `yaml:"network" spec:"enum=none|host"`
	// Secrets that the commands see; they are in no layer, no log and no cache key.
	Secrets []Secret `yaml:"secrets" spec:"key=id"`
	// Directories that are kept from build to build, and are in no layer.
	Caches []string `yaml:"caches" spec:"set,format=path"`
	// Platform the stage runs on: the image's or the building machine's. Default: target.
	Platform string `yaml:"platform" spec:"enum=target|build"`
	// Environment variables of the commands.
	Environment map[string]string `yaml:"environment" spec:"keys=environment,format=text"`
	// Working directory of the commands, made where it is missing. Default: /.
	WorkDir string `yaml:"work-dir" spec:"format=path"`
	// What the commands may use.
	Limits Limits `yaml:"limits"`
}

// Limits bound what one command of a stage may use.
type Limits struct {
	// Time for one command. Default: 1h.
	Time Duration `yaml:"time"`
	// Memory of all its processes together, such as 2GiB. Default: 4GiB.
	Memory Size `yaml:"memory"`
	// Number of its processes and threads. Default: 4096.
	Processes int `yaml:"processes" spec:"min=0,max=1000000"`
	// What it may write, such as 10GiB. Default: 16GiB.
	Disk Size `yaml:"disk"`
}

// The values of a stage's Network and Platform.
const (
	NetworkNone    = "none"
	NetworkHost    = "host"
	PlatformTarget = "target"
	PlatformBuild  = "build"
)

// StageFile is what is beside the spec and is put into a stage.
type StageFile struct {
	// File or directory at or below the spec's directory, or a pattern such as src/**/*.c.
	Source string `yaml:"source" spec:"required,format=sources"`
	// Absolute path in the stage: of the file or the directory, or of the directory that what the pattern matches is put into.
	Path string `yaml:"path" spec:"required,format=path"`
	// Patterns of paths below the source that are left out; one without a slash matches a name at any depth.
	Exclude []string `yaml:"exclude" spec:"set,format=pattern"`
	// Permission bits of the files, as a quoted octal number. Default: "0755" for one that its owner may execute, "0644" for others.
	Mode *Mode `yaml:"mode"`
}

// Fetch is a file from the network that is put into a stage.
type Fetch struct {
	// Address of the file, without credentials.
	URL string `yaml:"url" spec:"required,format=url"`
	// SHA-256 of the file, as 64 lower-case hex digits.
	SHA256 string `yaml:"sha256" spec:"required,format=sha256"`
	// Absolute path in the stage.
	Path string `yaml:"path" spec:"required,format=path"`
	// Permission bits as a quoted octal number. Default: "0644".
	Mode *Mode `yaml:"mode"`
}

// Secret is a value of the building machine that a stage's commands see. Exactly
// one of Env and File says where it is found.
type Secret struct {
	// Name of the secret: the commands find it as /run/secrets/ID.
	ID string `yaml:"id" spec:"required,format=name"`
	// Environment variable of the building machine that holds it.
	Env string `yaml:"env" spec:"format=environment"`
	// File of the building machine that holds it.
	File string `yaml:"file"`
}

// Copy takes a path out of a stage into the image.
type Copy struct {
	// Stage to copy from.
	From string `yaml:"from" spec:"required,format=name"`
	// Absolute path in the stage.
	Source string `yaml:"source" spec:"required,format=path"`
	// Absolute path in the image.
	Path string `yaml:"path" spec:"required,format=path"`
	// Owner of all that is copied. Default: as in the stage.
	UID *ID `yaml:"uid"`
	// Group of all that is copied. Default: as in the stage.
	GID *ID `yaml:"gid"`
	// Permission bits of the files copied, as a quoted octal number. Default: as in the stage.
	Mode *Mode `yaml:"mode"`
	// Patterns of paths below the source that are not copied; one without a slash matches a name at any depth.
	Exclude []string `yaml:"exclude" spec:"set,format=pattern"`
	// Whether debugging symbols are removed from the ELF files copied, by the stage's own objcopy (package binutils).
	Strip bool `yaml:"strip"`
}
