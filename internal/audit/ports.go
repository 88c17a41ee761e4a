package audit

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/hardpan/hardpan/internal/audit/dockerfile"
	"github.com/hardpan/hardpan/internal/harden"
)

// innerPorts are ports of what looks inside a program.
var innerPorts = map[int]string{
	9090: "metrics", 9091: "metrics", 9100: "metrics", 9102: "metrics", 9113: "metrics", 9121: "metrics", 9187: "metrics", 2112: "metrics", 8125: "metrics", 9464: "metrics", 8778: "metrics",
	5005: "a Java debugger", 9229: "a Node.js debugger", 5678: "a Python debugger", 6060: "Go profiles", 40000: "a Go debugger", 2345: "a Go debugger", 1099: "JMX", 9010: "JMX", 4040: "Spark",
}

// port is one that EXPOSE or a spec names.
type port struct {
	first, last int
	protocol    string
	step        *dockerfile.Step
	line        int
}

func (p port) String() string {
	if p.first != p.last {
		return fmt.Sprintf("%d-%d", p.first, p.last)
	}
	return strconv.Itoa(p.first)
}

// parsePort reads 8000, 8000/udp or 8000-8010/tcp.
func parsePort(s string) (port, bool) {
	number, protocol, has := strings.Cut(s, "/")
	if !has {
		protocol = "tcp"
	}
	first, last, isRange := strings.Cut(number, "-")
	if !isRange {
		last = first
	}
	a, err1 := strconv.Atoi(first)
	b, err2 := strconv.Atoi(last)
	return port{first: a, last: b, protocol: strings.ToLower(protocol)}, err1 == nil && err2 == nil && a > 0 && b >= a && b <= 65535
}

// maxPorts is how many ports of an image are looked at.
const maxPorts = 200

// exposed returns the ports that the image's stages expose.
func (j *judge) exposed() []port {
	var list []port
	for step := range j.steps(true) {
		c, ok := step.Command.(*instructions.ExposeCommand)
		if !ok || step.OnBuild {
			continue
		}
		for _, text := range c.Ports {
			if strings.Contains(text, "$") {
				continue
			}
			p, ok := parsePort(text)
			if !ok {
				j.found("port-invalid", step, step.Line, text+" is no port", step.Text)
				continue
			}
			p.step, p.line = step, step.Line
			if len(list) < maxPorts && !slices.ContainsFunc(list, func(q port) bool { return q.first == p.first && q.last == p.last && q.protocol == p.protocol }) {
				list = append(list, p)
			}
		}
	}
	return list
}

// ports judges what is exposed.
func (j *judge) ports() {
	list := j.exposed()
	for _, problem := range judgePorts(list, j.served(list)) {
		j.found(problem.rule, problem.port.step, problem.port.line, problem.what, problem.port.step.Text)
	}
	used := j.usedPorts()
	for _, n := range slices.Sorted(maps.Keys(used)) {
		if !slices.ContainsFunc(list, func(p port) bool { return p.first <= n && n <= p.last }) {
			j.found("port-undeclared", used[n], used[n].Line, fmt.Sprintf("port %d is used, and no EXPOSE declares it", n), used[n].Text)
		}
	}
}

// portProblem is what is wrong with a port.
type portProblem struct {
	rule string
	port port
	what string
}

// judgePorts judges the ports of an image of which served is the service's own, 0 where
// nobody knows.
func judgePorts(list []port, served int) []portProblem {
	var problems []portProblem
	for i, p := range list {
		service, admin := nameIn(harden.AdminPorts, p)
		inner, isInner := nameIn(innerPorts, p)
		switch {
		case admin:
			problems = append(problems, portProblem{"admin-port", p, fmt.Sprintf("port %s is that of %s", p, service)})
		case p.first < 1024:
			problems = append(problems, portProblem{"privileged-port", p, fmt.Sprintf("port %s needs root or a capability", p)})
		case isInner && (len(list) > 1 || served != 0 && served != p.first):
			problems = append(problems, portProblem{"extra-port", p, fmt.Sprintf("port %s, that of %s, is exposed beside the service's", p, inner)})
		case served != 0 && !(p.first <= served && served <= p.last) && len(list) > 1 && !webPair(list, i):
			problems = append(problems, portProblem{"extra-port", p, fmt.Sprintf("port %s is exposed beside port %d, at which the service is asked for its health", p, served)})
		case p.last-p.first >= 100:
			problems = append(problems, portProblem{"extra-port", p, fmt.Sprintf("%d ports are exposed", p.last-p.first+1)})
		}
	}
	return problems
}

// webPair reports whether a port is the encrypted one beside a plain one, or the other
// way round.
func webPair(list []port, i int) bool {
	pairs := map[int]int{8080: 8443, 8443: 8080, 8000: 8443}
	return slices.ContainsFunc(list, func(p port) bool { return pairs[list[i].first] == p.first && p.first != 0 })
}

func nameIn(names map[int]string, p port) (string, bool) {
	if p.first != p.last {
		return "", false
	}
	name, ok := names[p.first]
	return name, ok
}

// served is the port that the health check asks at, 0 where it names none.
func (j *judge) served(list []port) int {
	h, _ := j.lastOf("HEALTHCHECK")
	if h == nil || h.Script == nil {
		return 0
	}
	for _, n := range portsIn(h.Text) {
		if slices.ContainsFunc(list, func(p port) bool { return p.first <= n && n <= p.last }) {
			return n
		}
	}
	return 0
}

var portInText = compiled(`(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]):(\d{2,5})\b`)

func portsIn(text string) []int {
	var list []int
	for _, m := range portInText().FindAllStringSubmatch(text, 16) {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 && n <= 65535 {
			list = append(list, n)
		}
	}
	return list
}

var portFlag = compiled(`(?:^|\s)--?(?:port|listen|bind|http-port)[= ]+(?:\S*:)?(\d{2,5})\b`)

// usedPorts returns the ports that command and health check name, and where.
func (j *judge) usedPorts() map[int]*dockerfile.Step {
	used := map[int]*dockerfile.Step{}
	for _, name := range []string{"CMD", "ENTRYPOINT", "HEALTHCHECK"} {
		step, _ := j.lastOf(name)
		if step == nil || step.Script == nil {
			continue
		}
		text := step.Script.Text
		if step.Script.Exec != nil {
			text = strings.Join(step.Script.Exec, " ")
		}
		for _, n := range portsIn(text) {
			used[n] = step
		}
		if name == "HEALTHCHECK" {
			continue
		}
		for _, m := range portFlag().FindAllStringSubmatch(text, 16) {
			if n, err := strconv.Atoi(m[1]); err == nil && n > 0 && n <= 65535 {
				used[n] = step
			}
		}
	}
	return used
}
