package builder

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/specs"
)

// inherit completes the config of an image with what the config of its base says and the
// spec does not: as in a Dockerfile with FROM, where an entrypoint of one's own also
// does away with the base's command. Labels that OCI defines are not inherited: they
// say what the base image is.
func (b *build) inherit(c *oci.Config, base *baseImage) {
	if base == nil {
		return
	}
	from, s := base.Config, b.spec
	c.Env = environment(s.Environment, variables(from.Env))
	switch {
	case len(s.Entrypoint) > 0:
	case len(s.Cmd) > 0:
		c.Entrypoint = from.Entrypoint
	default:
		c.Entrypoint, c.Cmd = from.Entrypoint, from.Cmd
	}
	if s.Accounts.RunAs == "" {
		c.User = from.User
	}
	if s.WorkDir == "" && from.WorkingDir != "" {
		c.WorkingDir = path.Join("/", from.WorkingDir)
	}
	if s.StopSignal == "" {
		c.StopSignal = from.StopSignal
	}
	if s.Healthcheck == nil && from.Healthcheck != nil && len(from.Healthcheck.Test) > 0 {
		c.Healthcheck = from.Healthcheck
	}
	c.ExposedPorts = joined(from.ExposedPorts, c.ExposedPorts, portName)
	c.Volumes = joined(from.Volumes, c.Volumes, strings.Clone)
	for k, v := range from.Labels {
		if _, own := c.Labels[k]; !own && !strings.HasPrefix(k, "org.opencontainers.image.") {
			c.Labels[k] = v
		}
	}
}

// variables reads an environment. Of a name that is set twice the last value counts, as
// for a shell; what sets none is left out.
func variables(env []string) map[string]string {
	vars := map[string]string{}
	for _, e := range env {
		if name, value, ok := strings.Cut(e, "="); ok && name != "" && !strings.ContainsRune(e, 0) {
			vars[name] = value
		}
	}
	return vars
}

// portName is what a port of a config means.
func portName(port string) string { return strings.TrimSuffix(port, "/tcp") }

// joined returns the elements of both lists, sorted; of those that mean the same the
// second's.
func joined(a, b []string, meaning func(string) string) []string {
	all := map[string]string{}
	for _, list := range [][]string{a, b} {
		for _, e := range list {
			all[meaning(e)] = e
		}
	}
	return slices.Sorted(maps.Values(all))
}

// pullName returns the reference to the base image as the annotation
// org.opencontainers.image.base.name has it: a full one, without an assumed registry,
// and where it has a tag without the digest, which another annotation has.
func pullName(reference string) string {
	r, ok := specs.ParseImage(reference)
	if !ok {
		return reference
	}
	if r.Transport != "" || r.Name != "" {
		r.Digest = ""
	}
	if r.Transport != "" {
		return r.String()
	}
	switch first, _, several := strings.Cut(r.Repository, "/"); {
	case !several:
		r.Repository = "docker.io/library/" + r.Repository
	case !strings.ContainsAny(first, ".:") && first != "localhost":
		r.Repository = "docker.io/" + r.Repository
	}
	return r.String()
}
