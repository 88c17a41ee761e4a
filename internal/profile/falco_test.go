package profile_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/hardpan/hardpan/internal/profile"
	"github.com/hardpan/hardpan/internal/profile/profiletest"
)

// falcoItem is an element of a file of rules (falco.org/docs/reference/rules). No Go
// module reads such files: Falco is written in C++.
type falcoItem struct {
	Engine    string   `yaml:"required_engine_version"`
	List      string   `yaml:"list"`
	Items     []string `yaml:"items"`
	Macro     string   `yaml:"macro"`
	Rule      string   `yaml:"rule"`
	Desc      string   `yaml:"desc"`
	Condition string   `yaml:"condition"`
	Output    string   `yaml:"output"`
	Priority  string   `yaml:"priority"`
	Source    string   `yaml:"source"`
	Tags      []string `yaml:"tags"`
}

// fields of events that the rules use (falco.org/docs/reference/rules/supported-fields).
var falcoFields = []string{
	"evt.type", "evt.is_open_write", "fd.typechar", "fd.num", "fd.name", "proc.exepath", "proc.name", "proc.cmdline", "proc.pname", "user.uid",
	"container.id", "container.image.repository",
}

func TestFalco(t *testing.T) {
	for _, c := range profiletest.Cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			p := of(t, c, profile.Options{})
			text := write(t, p, "falco")
			var items []falcoItem
			strict := yaml.NewDecoder(bytes.NewReader([]byte(text)))
			strict.KnownFields(true)
			if err := strict.Decode(&items); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			names := map[string]string{} // of lists and macros, which come before their use
			rules := 0
			for _, i := range items {
				switch {
				case i.List != "":
					names[i.List] = "list"
				case i.Macro != "":
					falcoCondition(t, i.Condition, names)
					names[i.Macro] = "macro"
				case i.Rule != "":
					rules++
					falcoCondition(t, i.Condition, names)
					if !slices.Contains([]string{"EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFORMATIONAL", "DEBUG"}, i.Priority) || i.Desc == "" || i.Source != "syscall" {
						t.Errorf("rule %+v", i)
					}
					for _, f := range regexp.MustCompile(`%([a-z.]+)`).FindAllStringSubmatch(i.Output, -1) {
						if !slices.Contains(falcoFields, f[1]) {
							t.Errorf("output of %q has the field %q", i.Rule, f[1])
						}
					}
				case i.Engine == "":
					t.Errorf("element %+v", i)
				}
			}
			if rules != 4 {
				t.Errorf("%d rules, expected 4", rules)
			}
		})
	}
}

var falcoToken = regexp.MustCompile(`^\s*(>=|!=|=|\(|\)|,|"(?:[^"\\]|\\.)*"|'[^']*'|[\w./-]+)`)

// falcoParser reads a condition (falco.org/docs/concepts/rules/conditions).
type falcoParser struct {
	tokens []string
	names  map[string]string
}

func falcoCondition(t *testing.T, condition string, names map[string]string) {
	t.Helper()
	p := falcoParser{names: names}
	for rest := condition; strings.TrimSpace(rest) != ""; {
		m := falcoToken.FindStringSubmatch(rest)
		if m == nil {
			t.Fatalf("condition %s: nothing begins with %.40q", condition, rest)
		}
		p.tokens = append(p.tokens, m[1])
		rest = rest[len(m[0]):]
	}
	if err := p.or(); err != nil || len(p.tokens) > 0 {
		t.Fatalf("condition %s: %v, before %v", condition, err, p.tokens)
	}
}

func (p *falcoParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	token := p.tokens[0]
	p.tokens = p.tokens[1:]
	return token
}

func (p *falcoParser) take(token string) bool {
	if len(p.tokens) > 0 && p.tokens[0] == token {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

func (p *falcoParser) or() error {
	for {
		if err := p.and(); err != nil || !p.take("or") {
			return err
		}
	}
}

func (p *falcoParser) and() error {
	for {
		for p.take("not") {
		}
		if err := p.check(); err != nil || !p.take("and") {
			return err
		}
	}
}

func (p *falcoParser) check() error {
	if p.take("(") {
		if err := p.or(); err != nil {
			return err
		}
		if !p.take(")") {
			return fmt.Errorf("expected )")
		}
		return nil
	}
	word := p.next()
	if p.names[word] == "macro" {
		return nil
	}
	if !slices.Contains(falcoFields, word) {
		return fmt.Errorf("%q is neither a macro nor a field", word)
	}
	switch operator := p.next(); operator {
	case "=", ">=", "startswith", "endswith":
		p.next()
		return nil
	case "in":
		return p.list()
	case "!=":
		p.next()
		return nil
	default:
		return fmt.Errorf("%q is no operator", operator)
	}
}

func (p *falcoParser) list() error {
	if !p.take("(") {
		return fmt.Errorf("expected (")
	}
	for !p.take(")") {
		item := p.next()
		if item == "" {
			return fmt.Errorf("expected )")
		}
		if strings.Contains(item, "_") && p.names[item] != "list" {
			return fmt.Errorf("list %q is not known", item)
		}
		p.take(",")
	}
	return nil
}
