package alternatives

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// display is --display, for people.
func (u *update) display(g *linkGroup) {
	b := &u.printed
	mode := "auto"
	if g.manual {
		mode = "manual"
	}
	fmt.Fprintf(b, "%s - %s mode\n", g.name, mode)
	current := u.current(g)
	if best := g.best(current); best != nil {
		fmt.Fprintf(b, "  link best version is %s\n", best.path)
	} else {
		b.WriteString("  link best version not available\n")
	}
	if current != "" {
		fmt.Fprintf(b, "  link currently points to %s\n", current)
	} else {
		b.WriteString("  link currently absent\n")
	}
	fmt.Fprintf(b, "  link %s is %s\n", g.name, g.link)
	for _, s := range g.slaves {
		fmt.Fprintf(b, "  slave %s is %s\n", s.name, s.link)
	}
	for _, c := range g.choices {
		fmt.Fprintf(b, "%s - priority %d\n", c.path, c.priority)
		for _, s := range g.slaves {
			if file := c.slaves[s.name]; file != "" {
				fmt.Fprintf(b, "  slave %s: %s\n", s.name, file)
			}
		}
	}
}

// query is --query, for programs.
func (u *update) query(g *linkGroup) {
	b := &u.printed
	fmt.Fprintf(b, "Name: %s\nLink: %s\n", g.name, g.link)
	if len(g.slaves) > 0 {
		b.WriteString("Slaves:\n")
		for _, s := range g.slaves {
			fmt.Fprintf(b, " %s %s\n", s.name, s.link)
		}
	}
	mode := "auto"
	if g.manual {
		mode = "manual"
	}
	fmt.Fprintf(b, "Status: %s\n", mode)
	current := u.current(g)
	if best := g.best(current); best != nil {
		fmt.Fprintf(b, "Best: %s\n", best.path)
	}
	if current == "" {
		current = "none"
	}
	fmt.Fprintf(b, "Value: %s\n", current)
	for _, c := range g.choices {
		fmt.Fprintf(b, "\nAlternative: %s\nPriority: %d\n", c.path, c.priority)
		if len(g.slaves) == 0 {
			continue
		}
		b.WriteString("Slaves:\n")
		for _, s := range g.slaves {
			if file := c.slaves[s.name]; file != "" {
				fmt.Fprintf(b, " %s %s\n", s.name, file)
			}
		}
	}
}

// getSelections is --get-selections.
func (u *update) getSelections() error {
	for _, name := range u.names() {
		g, err := u.load(name, true)
		if err != nil {
			continue
		}
		mode := "auto"
		if g.manual {
			mode = "manual"
		}
		fmt.Fprintf(&u.printed, "%-30s %-8s %s\n", name, mode, u.current(g))
	}
	return nil
}

// setSelections is --set-selections, which reads lines of name, mode and path.
func (u *update) setSelections() error {
	b, err := io.ReadAll(u.Stdin)
	if err != nil {
		return err
	}
	names := u.names()
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[1] != "auto" && fields[1] != "manual" {
			u.info("skip invalid selection line: %s", strings.TrimSuffix(line, "\n"))
			continue
		}
		if !slices.Contains(names, fields[0]) {
			u.info("skip unknown alternative %s", fields[0])
			continue
		}
		one := *u
		one.printed, one.commit, one.name, one.file, one.action = strings.Builder{}, nil, fields[0], fields[2], "--set"
		if fields[1] == "auto" {
			one.action, one.file = "--auto", ""
		}
		g, err := one.load(one.name, true)
		if err != nil {
			return fail("%v", err)
		}
		if one.action == "--auto" {
			u.info("selecting alternative %s as auto", one.name)
		} else {
			u.info("selecting alternative %s as choice %s", one.name, one.file)
		}
		err = one.change(g)
		u.printed.WriteString(one.printed.String())
		if err != nil {
			return err
		}
	}
	return nil
}
