package oci

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/store"
)

// Config is how an image is run, and the record of how it was made (OCI image
// spec, config.md). What is empty is left out of the document.
type Config struct {
	Platform Platform  // required
	Created  time.Time // to the second, in UTC; also the time of each history entry
	Author   string

	User         string   // "uid", "uid:gid" or a name, as the runtime reads it
	Env          []string // "NAME=value", in the order given
	Entrypoint   []string
	Cmd          []string
	WorkingDir   string            // absolute
	ExposedPorts []string          // "8000/tcp", "53/udp", or "8000" for TCP
	Volumes      []string          // absolute paths
	Labels       map[string]string //
	StopSignal   string            // "SIGTERM", "SIGRTMIN+3", or a number
	Healthcheck  *Healthcheck      // Docker's extension; other runtimes ignore it

	// History is that of the lowest layers, oldest first, such as those of a base image:
	// of its entries each that is not Empty belongs to the next layer. Layers beyond them
	// have an entry of their own.
	History []History

	// Record is an opaque document that travels in the config as the member
	// "dev.hardpan.record.v1", base64. Readers of the config ignore members they do
	// not know (config.md; BuildKit embeds its cache in the same way), so an image
	// with a record runs everywhere and keeps it through every registry. The whole
	// config may have [MaxDocument] bytes, which leaves 3 MiB for the record.
	Record []byte
}

// Healthcheck is Docker's probe of a running container (Docker Engine API,
// HealthConfig). A zero field is the engine's default.
type Healthcheck struct {
	Test        []string      `json:",omitempty"` // {"CMD", args...}, {"CMD-SHELL", line} or {"NONE"}
	Interval    time.Duration `json:",omitempty"`
	Timeout     time.Duration `json:",omitempty"`
	StartPeriod time.Duration `json:",omitempty"`
	Retries     int           `json:",omitempty"`
}

// History is one step of how an image came to be (OCI image spec, config.md, history).
type History struct {
	Created   time.Time // to the second where it is written; zero for none
	CreatedBy string
	Author    string
	Comment   string
	Empty     bool // it made no layer
}

type configDoc struct {
	Created      *time.Time   `json:"created,omitempty"`
	Author       string       `json:"author,omitempty"`
	Architecture string       `json:"architecture"`
	OS           string       `json:"os"`
	OSVersion    string       `json:"os.version,omitempty"`
	Variant      string       `json:"variant,omitempty"`
	Config       runDoc       `json:"config"`
	RootFS       rootFSDoc    `json:"rootfs"`
	History      []historyDoc `json:"history,omitempty"`
	Record       []byte       `json:"dev.hardpan.record.v1,omitempty"`
}

type runDoc struct {
	User         string              `json:"User,omitempty"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
	Env          []string            `json:"Env,omitempty"`
	Entrypoint   []string            `json:"Entrypoint,omitempty"`
	Cmd          []string            `json:"Cmd,omitempty"`
	Volumes      map[string]struct{} `json:"Volumes,omitempty"`
	WorkingDir   string              `json:"WorkingDir,omitempty"`
	Labels       map[string]string   `json:"Labels,omitempty"`
	StopSignal   string              `json:"StopSignal,omitempty"`
	Healthcheck  *Healthcheck        `json:"Healthcheck,omitempty"`
}

type rootFSDoc struct {
	Type    string         `json:"type"`
	DiffIDs []store.Digest `json:"diff_ids"`
}

type historyDoc struct {
	Created    *time.Time `json:"created,omitempty"`
	CreatedBy  string     `json:"created_by,omitempty"`
	Author     string     `json:"author,omitempty"`
	Comment    string     `json:"comment,omitempty"`
	EmptyLayer bool       `json:"empty_layer,omitempty"`
}

// encode returns the config document of an image with those layers.
func (c Config) encode(layers []Layer) ([]byte, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	created := wholeSecond(c.Created)
	doc := configDoc{
		Created: created, Author: c.Author,
		Architecture: c.Platform.Architecture, OS: c.Platform.OS, OSVersion: c.Platform.OSVersion, Variant: c.Platform.Variant,
		Config: runDoc{
			User: c.User, ExposedPorts: set(c.ExposedPorts), Env: c.Env, Entrypoint: c.Entrypoint, Cmd: c.Cmd,
			Volumes: set(c.Volumes), WorkingDir: c.WorkingDir, Labels: c.Labels, StopSignal: c.StopSignal,
			Healthcheck: c.Healthcheck,
		},
		RootFS: rootFSDoc{Type: "layers", DiffIDs: []store.Digest{}},
		Record: c.Record,
	}
	described := 0
	for _, h := range c.History {
		if !h.Empty {
			described++
		}
		doc.History = append(doc.History, historyDoc{Created: wholeSecond(h.Created), CreatedBy: h.CreatedBy, Author: h.Author, Comment: h.Comment, EmptyLayer: h.Empty})
	}
	if described > len(layers) {
		return nil, fmt.Errorf("the history is of %d layers, the image has %d", described, len(layers))
	}
	for i, l := range layers {
		doc.RootFS.DiffIDs = append(doc.RootFS.DiffIDs, l.DiffID)
		if i < described {
			continue
		}
		doc.History = append(doc.History, historyDoc{Created: created, CreatedBy: l.CreatedBy, Comment: l.Comment})
	}
	b, err := encode(doc)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the image config: %w", err)
	}
	if len(b) > MaxDocument {
		return nil, fmt.Errorf("%w: the image config has %d bytes, of which the record takes %d; at most %d are allowed",
			ErrTooLarge, len(b), (len(c.Record)+2)/3*4, MaxDocument)
	}
	return b, nil
}

// parseConfig reads a config document. Members it does not know are ignored, as
// config.md asks.
func parseConfig(b []byte) (Config, configDoc, error) {
	var doc configDoc
	if err := decode(b, &doc); err != nil {
		return Config{}, doc, err
	}
	for _, id := range doc.RootFS.DiffIDs {
		if !id.Valid() {
			return Config{}, doc, fmt.Errorf("%w: diff ID %.80q, expected sha256: and 64 hex digits", ErrInvalid, id)
		}
	}
	c := Config{
		Platform: Platform{OS: doc.OS, Architecture: doc.Architecture, OSVersion: doc.OSVersion, Variant: doc.Variant},
		Author:   doc.Author, User: doc.Config.User, Env: doc.Config.Env,
		Entrypoint: doc.Config.Entrypoint, Cmd: doc.Config.Cmd, WorkingDir: doc.Config.WorkingDir,
		ExposedPorts: slices.Sorted(maps.Keys(doc.Config.ExposedPorts)),
		Volumes:      slices.Sorted(maps.Keys(doc.Config.Volumes)),
		Labels:       doc.Config.Labels, StopSignal: doc.Config.StopSignal, Healthcheck: doc.Config.Healthcheck,
		Record: doc.Record,
	}
	if strings.ContainsFunc(doc.OS+doc.Architecture+doc.OSVersion+doc.Variant, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' }) {
		return Config{}, doc, fmt.Errorf("%w: platform %.200q", ErrInvalid, c.Platform)
	}
	if doc.Created != nil {
		c.Created = doc.Created.UTC()
	}
	for _, h := range doc.History {
		step := History{CreatedBy: h.CreatedBy, Author: h.Author, Comment: h.Comment, Empty: h.EmptyLayer}
		if h.Created != nil {
			step.Created = h.Created.UTC()
		}
		c.History = append(c.History, step)
	}
	return c, doc, nil
}

// validate reports what a runtime would stumble over.
func (c Config) validate() error {
	if err := c.Platform.validate(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, e := range c.Env {
		name, _, ok := strings.Cut(e, "=")
		if !ok || name == "" || strings.ContainsRune(e, 0) {
			return fmt.Errorf("environment %q: expected NAME=value", e)
		}
		if seen[name] {
			return fmt.Errorf("environment: %s is set twice", name)
		}
		seen[name] = true
	}
	for _, p := range c.ExposedPorts {
		if err := validatePort(p); err != nil {
			return err
		}
	}
	for _, v := range append(slices.Clone(c.Volumes), c.WorkingDir) {
		if v != "" && !path.IsAbs(v) {
			return fmt.Errorf("path %q: expected an absolute path", v)
		}
	}
	if h := c.Healthcheck; h != nil {
		return h.validate()
	}
	return nil
}

func validatePort(p string) error {
	number, protocol, ok := strings.Cut(p, "/")
	if n, err := strconv.ParseUint(number, 10, 16); err != nil || n == 0 ||
		ok && !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
		return fmt.Errorf("port %q: expected a number of 1 to 65535 and /tcp, /udp or /sctp", p)
	}
	return nil
}

func (h *Healthcheck) validate() error {
	if len(h.Test) == 0 || !slices.Contains([]string{"CMD", "CMD-SHELL", "NONE"}, h.Test[0]) {
		return fmt.Errorf("healthcheck %q: expected CMD, CMD-SHELL or NONE first", h.Test)
	}
	if h.Interval < 0 || h.Timeout < 0 || h.StartPeriod < 0 || h.Retries < 0 {
		return fmt.Errorf("healthcheck %q: an interval or count is negative", h.Test)
	}
	return nil
}

func set(list []string) map[string]struct{} {
	if len(list) == 0 {
		return nil
	}
	m := make(map[string]struct{}, len(list))
	for _, e := range list {
		m[e] = struct{}{}
	}
	return m
}

// wholeSecond returns t as the documents have it, or nil for the zero time.
func wholeSecond(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
