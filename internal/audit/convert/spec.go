package convert

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// spec is a spec as it is written: the part of the vocabulary of package specs that a
// Dockerfile has words for, in its order.
type spec struct {
	Name, Version, Distro, From string
	Platforms                   []string
	Packages                    []item
	Scripts                     []pair
	Stages                      []stage
	Copy                        []copied
	Groups                      []group
	Users                       []user
	RunAs                       string
	Paths                       []pathEntry
	Waive                       []pair // rule and reason
	Environment                 []pair
	WorkDir                     string
	Entrypoint, Cmd             []string
	Ports                       []string
	Volumes                     []string
	StopSignal                  string
	Health                      *health
	Labels                      []pair
}

// item is an entry of a list with a comment behind it.
type item struct{ text, comment string }

// pair is an entry of a mapping.
type pair struct{ key, value string }

type group struct {
	name string
	gid  int
}

type user struct {
	name     string
	uid, gid int
	home     string
}

type stage struct {
	name, from  string
	packages    []item
	files       []file
	copy        []copied
	fetch       []fetched
	run         []string
	network     bool
	secrets     []pair // id and variable
	caches      []string
	environment []pair
	workDir     string
}

type file struct {
	source, path string
	exclude      []string
	mode         string
}

type fetched struct{ url, sha256, path string }

type copied struct {
	from, source, path string
	owner              *owner
	mode               string
	exclude            []string
}

type owner struct{ uid, gid int }

type pathEntry struct {
	path, kind string
	owner      *owner
	mode       string
	content    string
	source     string
	target     string
	recursive  bool
	comment    string
}

type health struct {
	command                        []string
	http, tcp                      string
	interval, timeout, startPeriod string
	retries                        int
}

// The pieces of a YAML document.

func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(strings.ReplaceAll(strings.ReplaceAll(s, "$$", "$$$$"), "${", "$${"))
	if plainNumber(s) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// plainNumber reports whether YAML would read a text as something else than text.
func plainNumber(s string) bool {
	switch strings.ToLower(s) {
	case "", "true", "false", "yes", "no", "on", "off", "null", "~":
		return true
	}
	return strings.Trim(s, "0123456789.+-_xXoOabcdefABCDEF") == "" && strings.ContainsAny(s, "0123456789") || strings.Trim(s, "0123456789:.") == ""
}

func number(n int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(n)}
}

func list(flow bool, items ...*yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items}
	if flow {
		n.Style = yaml.FlowStyle
	}
	return n
}

func texts(words []string) *yaml.Node {
	n := list(true)
	for _, w := range words {
		n.Content = append(n.Content, text(w))
	}
	return n
}

// fields is a mapping under construction.
type fields struct{ node *yaml.Node }

func mapping(flow bool) *fields {
	f := &fields{&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}}
	if flow {
		f.node.Style = yaml.FlowStyle
	}
	return f
}

func (f *fields) add(key string, value *yaml.Node) {
	k := &yaml.Node{}
	k.SetString(key)
	if plainNumber(key) {
		k.Style = yaml.DoubleQuotedStyle
	}
	f.node.Content = append(f.node.Content, k, value)
}

// text adds a text that is not empty.
func (f *fields) text(key, value string) {
	if value != "" {
		f.add(key, text(value))
	}
}

func (f *fields) texts(key string, values []string) {
	if len(values) > 0 {
		f.add(key, texts(values))
	}
}

func (f *fields) pairs(key string, pairs []pair) {
	if len(pairs) == 0 {
		return
	}
	m := mapping(false)
	for _, p := range pairs {
		m.add(p.key, text(p.value))
	}
	f.add(key, m.node)
}

func (f *fields) list(key string, items []*yaml.Node) {
	if len(items) > 0 {
		f.add(key, list(false, items...))
	}
}

func (f *fields) owner(o *owner) {
	if o != nil {
		f.add("uid", number(o.uid))
		f.add("gid", number(o.gid))
	}
}

func (f *fields) mode(m string) {
	if m != "" {
		f.add("mode", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: m, Style: yaml.DoubleQuotedStyle})
	}
}

func items(list []item) []*yaml.Node {
	var nodes []*yaml.Node
	for _, i := range list {
		n := text(i.text)
		if i.comment != "" {
			n.LineComment = "# " + i.comment
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// yaml writes the spec.
func (s *spec) yaml(header string) ([]byte, error) {
	m := mapping(false)
	m.text("apiVersion", "hardpan/v1")
	m.text("name", s.Name)
	m.add("version", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s.Version, Style: yaml.DoubleQuotedStyle})
	m.texts("platforms", s.Platforms)
	m.text("distro", s.Distro)
	m.text("from", s.From)
	if contents := contentsOf(s.Packages, s.Scripts); contents != nil {
		m.add("contents", contents)
	}
	var stages []*yaml.Node
	for i := range s.Stages {
		stages = append(stages, s.Stages[i].node())
	}
	m.list("stages", stages)
	m.list("copy", copiesOf(s.Copy))
	m.add("accounts", s.accounts())
	m.list("paths", s.paths())
	m.add("hardening", s.hardening())
	m.pairs("environment", s.Environment)
	m.text("work-dir", s.WorkDir)
	m.texts("entrypoint", s.Entrypoint)
	m.texts("cmd", s.Cmd)
	m.texts("ports", s.Ports)
	m.texts("volumes", s.Volumes)
	m.text("stop-signal", s.StopSignal)
	if s.Health != nil {
		m.add("healthcheck", s.Health.node())
	}
	m.pairs("labels", s.Labels)

	var b bytes.Buffer
	for line := range strings.Lines(header) {
		b.WriteString(strings.TrimRight("# "+strings.TrimRight(line, "\n"), " ") + "\n")
	}
	d, err := yaml.NewDumper(&b, yaml.WithIndent(2), yaml.WithCompactSeqIndent(false), yaml.WithLineWidth(-1))
	if err == nil {
		err = d.Dump(m.node)
	}
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot write spec: %w", err)
	}
	return b.Bytes(), nil
}

func contentsOf(packages []item, scripts []pair) *yaml.Node {
	m := mapping(false)
	m.list("packages", items(packages))
	m.pairs("scripts", scripts)
	if len(m.node.Content) == 0 {
		return nil
	}
	return m.node
}

func copiesOf(copies []copied) []*yaml.Node {
	var nodes []*yaml.Node
	for _, c := range copies {
		m := mapping(true)
		m.text("from", c.from)
		m.text("source", c.source)
		m.text("path", c.path)
		m.owner(c.owner)
		m.mode(c.mode)
		m.texts("exclude", c.exclude)
		nodes = append(nodes, m.node)
	}
	return nodes
}

func (s *spec) accounts() *yaml.Node {
	m := mapping(false)
	var groups, users []*yaml.Node
	for _, g := range s.Groups {
		e := mapping(true)
		e.text("name", g.name)
		e.add("gid", number(g.gid))
		groups = append(groups, e.node)
	}
	for _, u := range s.Users {
		e := mapping(true)
		e.text("name", u.name)
		e.add("uid", number(u.uid))
		e.add("gid", number(u.gid))
		e.text("home", u.home)
		users = append(users, e.node)
	}
	m.list("groups", groups)
	m.list("users", users)
	m.text("run-as", s.RunAs)
	return m.node
}

func (s *spec) paths() []*yaml.Node {
	var nodes []*yaml.Node
	for _, p := range s.Paths {
		m := mapping(true)
		m.text("path", p.path)
		m.text("type", p.kind)
		m.owner(p.owner)
		m.mode(p.mode)
		m.text("source", p.source)
		m.text("target", p.target)
		m.text("content", p.content)
		if p.recursive {
			m.add("recursive", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
		}
		if p.comment != "" {
			m.node.LineComment = "# " + p.comment
		}
		nodes = append(nodes, m.node)
	}
	return nodes
}

func (s *spec) hardening() *yaml.Node {
	m := mapping(false)
	m.text("profile", "strict")
	var waivers []*yaml.Node
	for _, w := range s.Waive {
		e := mapping(true)
		e.text("rule", w.key)
		e.text("reason", w.value)
		waivers = append(waivers, e.node)
	}
	m.list("waive", waivers)
	return m.node
}

func (h *health) node() *yaml.Node {
	m := mapping(false)
	m.texts("command", h.command)
	m.text("http", h.http)
	m.text("tcp", h.tcp)
	m.text("interval", h.interval)
	m.text("timeout", h.timeout)
	m.text("start-period", h.startPeriod)
	if h.retries > 0 {
		m.add("retries", number(h.retries))
	}
	return m.node
}

func (s *stage) node() *yaml.Node {
	m := mapping(false)
	m.text("name", s.name)
	m.text("from", s.from)
	if contents := contentsOf(s.packages, nil); contents != nil {
		m.add("contents", contents)
	}
	var files, fetches, run, secrets []*yaml.Node
	for _, f := range s.files {
		e := mapping(true)
		e.text("source", f.source)
		e.text("path", f.path)
		e.texts("exclude", f.exclude)
		e.mode(f.mode)
		files = append(files, e.node)
	}
	for _, f := range s.fetch {
		e := mapping(false)
		e.text("url", f.url)
		e.text("sha256", f.sha256)
		e.text("path", f.path)
		fetches = append(fetches, e.node)
	}
	for _, r := range s.run {
		n := text(r)
		if strings.Contains(r, "\n") {
			n.Style = yaml.LiteralStyle
		}
		run = append(run, n)
	}
	for _, p := range s.secrets {
		e := mapping(true)
		e.text("id", p.key)
		e.text("env", p.value)
		secrets = append(secrets, e.node)
	}
	m.list("files", files)
	m.list("copy", copiesOf(s.copy))
	m.list("fetch", fetches)
	m.list("run", run)
	if s.network {
		m.text("network", "host")
	}
	m.list("secrets", secrets)
	m.texts("caches", s.caches)
	m.pairs("environment", s.environment)
	m.text("work-dir", s.workDir)
	return m.node
}
