package builder

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hardpan/hardpan/internal/maint"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/store"
	"github.com/hardpan/hardpan/specs"
)

// imageFormat names what this package makes of packages and spec. It changes when
// that does, so that no cache answers for an older program.
const imageFormat = "image10"

// key returns the text under which the result of this build is remembered: all
// that it depends on and nothing else.
func (b *build) key(platforms []specs.Platform) (string, error) {
	locked, err := json.Marshal(b.lock)
	if err != nil {
		return "", err
	}
	policy, err := b.policy() // whose rules are the program's
	if err != nil {
		return "", err
	}
	probe, err := b.probeKey()
	if err != nil {
		return "", err
	}
	return strings.Join([]string{
		imageFormat, stageFormat, unpackFormat, layer.Format, maint.Format, policy.Key(), b.canonical, string(locked), b.system,
		fmt.Sprint(platforms), b.epoch.Format(time.RFC3339), b.originLines(), probe,
	}, "\x00"), nil
}

// originLines returns the lines of the spec that origins name. They are in the
// image's record and so in its digest.
func (b *build) originLines() string {
	lines := []string{b.specOrigin("os-release").Spec}
	for i := range b.spec.Paths {
		lines = append(lines, b.specOrigin("paths", i).Spec)
	}
	for i := range b.spec.Accounts.Users {
		lines = append(lines, b.specOrigin("accounts", "users", i).Spec)
	}
	for i := range b.spec.Accounts.Groups {
		lines = append(lines, b.specOrigin("accounts", "groups", i).Spec)
	}
	for i := range b.spec.Copy {
		lines = append(lines, b.specOrigin("copy", i).Spec)
	}
	return strings.Join(lines, " ")
}

// noBase is the annotation of an image that stands on no other, as Docker's
// official images have it.
const noBase = "scratch"

// annotations returns the annotations of the manifest for a platform or, where it is "",
// of the index. What the spec says wins over what the builder knows.
func (b *build) annotations(platform string) oci.Annotations {
	a := oci.Annotations{
		Created: b.epoch, Title: b.spec.Name, Version: b.spec.Tag(), Description: b.spec.Description,
		BaseName: noBase, Other: b.described(b.spec.Annotations),
	}
	if base := b.lock.Image(b.spec.From); base != nil {
		a.BaseName, a.BaseDigest = pullName(b.spec.From), store.Digest(base.Digest)
		if platform != "" {
			a.BaseDigest = store.Digest(base.Platforms[platform])
		}
	}
	return a
}

// described returns the annotations or labels with the source and vendor that the
// spec states on the other side only: a reader looks at either.
func (b *build) described(own map[string]string) map[string]string {
	all := map[string]string{}
	for _, side := range []map[string]string{b.spec.Labels, b.spec.Annotations} {
		for k, v := range side {
			if strings.HasPrefix(k, "org.opencontainers.image.") {
				all[k] = v
			}
		}
	}
	maps.Copy(all, own)
	return all
}

// labels returns the labels of the config: the spec's, and beside them what the
// annotations say, for those who only see the config.
func (b *build) labels(platform string) map[string]string {
	labels := b.annotations(platform).Map()
	maps.Copy(labels, b.writableLabel())
	maps.Copy(labels, b.described(b.spec.Labels))
	return labels
}

// config returns how the image is run. base is what it stands on, nil for nothing.
func (b *build) config(p specs.Platform, base *baseImage) (oci.Config, error) {
	s := b.spec
	uid, gid, err := s.Accounts.Resolve()
	if err != nil {
		return oci.Config{}, b.specError([]any{"accounts", "run-as"}, err)
	}
	c := oci.Config{
		Platform: oci.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant},
		Created:  b.epoch,
		User:     fmt.Sprintf("%d:%d", uid, gid),
		Env:      environment(s.Environment, nil), Entrypoint: s.Entrypoint, Cmd: s.Cmd, WorkingDir: s.WorkDir,
		Volumes: s.Volumes, Labels: b.labels(p.String()), StopSignal: s.StopSignal,
	}
	for _, port := range s.Ports {
		c.ExposedPorts = append(c.ExposedPorts, port.String())
	}
	if h := s.Healthcheck; h != nil {
		c.Healthcheck = &oci.Healthcheck{
			Test:     append([]string{"CMD"}, b.healthCommand()...),
			Interval: time.Duration(h.Interval), Timeout: time.Duration(h.Timeout),
			StartPeriod: time.Duration(h.StartPeriod), Retries: h.Retries,
		}
	}
	b.inherit(&c, base)
	return c, nil
}

// defaultPath is the search path of a process whose image says none, as Docker
// and Debian's login have it.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment returns the variables sorted by name, PATH always among them, with those
// of a base that vars does not set.
func environment(vars, base map[string]string) []string {
	all := map[string]string{"PATH": defaultPath}
	maps.Copy(all, base)
	maps.Copy(all, vars)
	var env []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		env = append(env, name+"="+all[name])
	}
	return env
}
