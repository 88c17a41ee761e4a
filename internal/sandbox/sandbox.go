package sandbox

import (
	"errors"
	"io"
	"io/fs"
	"time"
)

// ErrUnsupported is in the chain of an error that says what this host lacks. Its
// Hint says how to mend that.
var ErrUnsupported = errors.New("this host cannot run build steps")

// ErrNoSnapshot is in the chain of an error about a key under which the space
// has nothing.
var ErrNoSnapshot = errors.New("no such snapshot")

// An Error says what was attempted and, where something can be done, what.
type Error struct {
	Doing string // what was attempted, with its object: "cannot run /bin/true"
	Err   error  // the cause
	Help  string // what to do next, or ""
}

func (e *Error) Error() string { return e.Doing + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do next; "" where nothing is known.
func (e *Error) Hint() string { return e.Help }

// A Layer is one layer of an OCI image.
type Layer struct {
	// Open returns the layer's tar, uncompressed (OCI image spec, layer.md). Several
	// layers are opened and read at once.
	Open func() (io.ReadCloser, error)
}

// A Network says what a step reaches.
type Network string

const (
	NetworkNone Network = "none" // a network of its own with a loopback device, the name localhost and nothing else; "" means the same
	NetworkHost Network = "host" // the network of the calling process, with its /etc/resolv.conf and /etc/hosts
)

// A Step is a command and the system it runs in.
type Step struct {
	On       []string // the snapshots that are the root, lowest first
	Keep     string   // the key of the snapshot of what the step changes; "" throws that away
	ReadOnly bool     // the root cannot be written to
	Writable []string // directories that are an empty tmpfs of their own, with the owner and mode that they have in the root

	Args     []string // the command; Args[0] is looked up in the PATH of Env, inside the root
	Env      []string // the whole environment
	Dir      string   // the working directory; "" means /. It is made, root's and 0755, where it is missing, and is then among the changes
	UID, GID uint32
	Groups   []uint32 // supplementary groups
	Hostname string   // "" means hardpan
	Network  Network
	Mounts   []Mount
	Limits   Limits

	// Arch is the Debian or GOARCH name of the architecture of the root's programs;
	// "" means the host's.
	Arch string
	// Clock is the latest time that a kept file may carry: one that is newer gets
	// this time. Zero leaves times alone.
	Clock time.Time

	Stdin  io.Reader `json:"-"` // nil means nothing to read
	Stdout io.Writer `json:"-"` // nil throws away
	Stderr io.Writer `json:"-"`
}

// A Mount makes something of the caller's visible to a step. The place it is
// mounted at is made where it is missing, and leaves nothing in the kept snapshot.
type Mount struct {
	Source   string      // a file or directory of the host
	Cache    string      // where Source is "": the name of a directory that the space keeps from step to step, root's and 0755 when it is made
	Bytes    []byte      // where both are "": the content of a file in memory, which belongs to the step's user
	Mode     fs.FileMode // of Bytes; 0 means 0400
	Target   string      // in the root
	ReadOnly bool        // always so for Bytes
}

// Limits bound a step. A zero field is the default that stands beside it. Without
// control groups, which an ordinary user seldom has, memory and disk are held by
// looking at them, 10 to 100 times a second: a step is stopped soon after it passes
// a limit, not at it.
type Limits struct {
	Time      time.Duration // from start to end: one hour
	Memory    int64         // bytes of all processes together, files in memory included: three quarters of the machine's
	Processes int           // processes and threads at any one time: 4096
	Disk      int64         // bytes that the changes take, and by which each cache may grow, within a factor of two: 16 GiB
}

// A Result says how a command ended.
type Result struct {
	ExitCode   int           // its exit status; 128 and the signal's number where a signal ended it
	Signal     string        // the name of the signal that ended it, such as SIGKILL, or ""
	Exceeded   string        // the limit that the step was stopped at: time, memory, processes, disk or ""
	Elapsed    time.Duration // from start to end of the command
	PeakMemory int64         // bytes, of all processes together as far as it was observed
	Facts      Facts
	// Help says what may be the cause of a failure in this sandbox, and what to do; or "".
	Help string
}

// Hint returns Help.
func (r *Result) Hint() string { return r.Help }

// Facts describe a sandbox for the provenance of what was made in it.
type Facts struct {
	IDs      string   `json:"ids"`                // root, subordinate or one: how ids inside are made ids of the host
	IDCount  int64    `json:"idCount"`            // how many ids there are inside
	Root     string   `json:"root"`               // overlay or copy: how snapshots are stacked
	Proc     string   `json:"proc"`               // own, or outer where a container keeps us from an own /proc
	Network  Network  `json:"network"`            // none or host
	Seccomp  string   `json:"seccomp"`            // filter, or why there is none
	Landlock string   `json:"landlock"`           // the ABI in force, such as v6, or none
	Limits   []string `json:"limits"`             // what holds the limits: rlimit (the kernel, processes) and watch (see Limits)
	Emulator string   `json:"emulator,omitempty"` // what runs programs of a foreign architecture
	Notes    []string `json:"notes,omitempty"`    // what the snapshots had to leave out: devices, owners
}

// A Change is one path that a snapshot changed.
type Change struct {
	Path    string      // absolute and clean
	Type    fs.FileMode // the type bits alone; 0 for a file
	Mode    fs.FileMode // permissions with setuid, setgid and sticky
	UID     uint32      // as inside
	GID     uint32
	Size    int64 // of a file, in bytes
	ModTime time.Time
	Link    string // the target of a symbolic link
	Removed bool   // the path was removed; only Path is set
}

// TypeSocket is the type of a socket among the headers of [Space.Export]; tar has none.
const TypeSocket = 's'

// Defaults of [Limits].
const (
	defaultTime      = time.Hour
	defaultProcesses = 4096
	defaultDisk      = 16 << 30
	defaultHostname  = "hardpan"
)
