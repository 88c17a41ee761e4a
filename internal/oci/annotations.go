package oci

import (
	"maps"
	"time"

	"github.com/hardpan/hardpan/internal/store"
)

// Annotations are the pre-defined annotations of an image (OCI image spec,
// annotations.md). What is empty is left out.
//
// The same annotations go on the index and on each manifest, since a registry
// shows the one and a runtime that pulled one platform has only the other. Where
// a value differs between platforms, such as BaseDigest, the manifest has the
// platform's and the index that of the base's index. Descriptors inside the index
// carry the platform and nothing else.
type Annotations struct {
	Created       time.Time // org.opencontainers.image.created, to the second, in UTC
	Authors       string
	URL           string
	Documentation string
	Source        string // where the source is
	Version       string
	Revision      string // of the source
	Vendor        string
	Licenses      string // an SPDX license expression
	RefName       string // ref.name
	Title         string
	Description   string
	BaseName      string       // base.name, the reference of the base image
	BaseDigest    store.Digest // base.digest, of what BaseName named
	Other         map[string]string
}

// Map returns the annotations by their full names. Other wins over the fields.
func (a Annotations) Map() map[string]string {
	const prefix = "org.opencontainers.image."
	m := map[string]string{}
	for _, e := range []struct{ name, value string }{
		{"authors", a.Authors}, {"url", a.URL}, {"documentation", a.Documentation}, {"source", a.Source},
		{"version", a.Version}, {"revision", a.Revision}, {"vendor", a.Vendor}, {"licenses", a.Licenses},
		{"ref.name", a.RefName}, {"title", a.Title}, {"description", a.Description},
		{"base.name", a.BaseName}, {"base.digest", string(a.BaseDigest)}, {"created", formatTime(a.Created)},
	} {
		if e.value != "" {
			m[prefix+e.name] = e.value
		}
	}
	maps.Copy(m, a.Other)
	return m
}

// formatTime returns t in UTC by RFC 3339, to the second, or "" for the zero time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
