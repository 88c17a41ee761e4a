package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/oci"
)

// config compares what the configs say of running the image, and its labels.
func config(old, new *oci.Image) (list []Setting) {
	was, is := settings(old), settings(new)
	for _, name := range union(was, is) {
		a, before := was[name]
		b, after := is[name]
		s := Setting{Changed, name, shown(name, a), shown(name, b)}
		switch {
		case before && after && a == b:
			continue
		case !before:
			s.Change = Added
		case !after:
			s.Change = Removed
		}
		list = append(list, s)
	}
	return list
}

// settings returns what the config says, by name. What it does not say is not there.
func settings(img *oci.Image) map[string]string {
	c := &img.Config
	m := map[string]string{}
	say := func(name, value string) {
		if value != "" {
			m[name] = value
		}
	}
	say("platform", img.Platform.String())
	say("user", c.User)
	say("working directory", c.WorkingDir)
	say("entrypoint", Words(c.Entrypoint))
	say("command", Words(c.Cmd))
	say("ports", strings.Join(slices.Sorted(slices.Values(c.ExposedPorts)), " "))
	say("volumes", strings.Join(slices.Sorted(slices.Values(c.Volumes)), " "))
	say("stop signal", c.StopSignal)
	if h := c.Healthcheck; h != nil {
		m["health check"] = fmt.Sprintf("%s interval %s timeout %s start period %s retries %d", Words(h.Test), h.Interval, h.Timeout, h.StartPeriod, h.Retries)
	}
	for _, e := range c.Env {
		name, value, _ := strings.Cut(e, "=")
		m["environment "+name] = value
	}
	for key, value := range c.Labels {
		m["label "+key] = value
	}
	return m
}

// Words returns a command as Dockerfiles write it: ["/bin/x","-y"]; "" for none.
func Words(words []string) string {
	if len(words) == 0 {
		return ""
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// shown leaves secrets out.
func shown(name, value string) string {
	for _, kind := range []string{"environment ", "label "} {
		if key, ok := strings.CutPrefix(name, kind); ok {
			return check.ShownVariable(key, value)
		}
	}
	return check.ShownText(value)
}
