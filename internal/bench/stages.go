package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hardpan/hardpan/internal/lock"
)

// What build stages promise, in seconds.
const (
	limitUnchanged = 0.15 // a rebuild of three stages in which nothing has changed
	limitStep      = 0.06 // a command that does nothing
)

// stageRounds are fewer than those of the other cases, since some take seconds.
const stageRounds = 3

// manySteps is how many commands are measured to find out what one costs.
const manySteps = 10

// stageSpecs are specs that are built in the order of their names. buildah builds the
// same C program in two stages, upon images of the same packages, "runtime" and
// "tools", whose packages are those of the stage.
var stageSpecs = map[string]string{
	"program": `contents: {packages: [base-files, libc6]}
stages:
  - {name: build, contents: {packages: [gcc, libc6-dev, make]}, files: [{source: c, path: /src}], run: [make -C /src]}
copy: [{from: build, source: /src/program, path: /usr/local/bin/program}]
`,
	"runtime":  "contents: {packages: [base-files, libc6]}\nlayering: {budget: 8}\n",
	"plain":    "contents: {packages: [python3]}\n",
	"compiled": "contents: {packages: [python3], bytecode: true}\n",
	"three": `contents: {packages: [base-files, libc6]}
stages:
  - {name: tools, contents: {packages: [gcc, libc6-dev, make]}, run: [cc --version]}
  - {name: library, from: tools, files: [{source: kept, path: /src}], run: [make -C /src]}
  - {name: program, from: tools, copy: [{from: library, source: /src, path: /src}], run: [strip /src/program]}
copy: [{from: program, source: /src/program, path: /usr/local/bin/program}]
`,
}

const makefile = "program: program.c\n\tcc -O2 -o $@ $<\n"

const containerfile = `FROM oci:dist/tools AS build
COPY c /src
RUN make -C /src
FROM oci:dist/runtime
COPY --from=build /src/program /usr/local/bin/program
`

// stages measures build stages, and prints what comes out.
func (b *bench) stages() error {
	if err := b.prepareStages(); err != nil {
		return err
	}
	results := map[string][]sample{}
	cases := b.stageCases()
	for round := range stageRounds + 1 {
		for _, c := range cases {
			s, err := c.measure()
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if round > 0 {
				results[c.name] = append(results[c.name], s)
			}
		}
	}
	if err := reportStages(results); err != nil {
		return err
	}
	return b.startup(context.Background())
}

func (b *bench) prepareStages() error {
	for _, dir := range []string{"c", "kept"} { // the program that is edited, and one that is not
		if err := os.Mkdir(filepath.Join(b.dir, dir), 0o755); err != nil {
			return err
		}
	}
	files := map[string]string{
		"c/Makefile":      makefile,
		"kept/Makefile":   makefile,
		"kept/program.c":  "int main(void) { return 0; }\n",
		"Containerfile":   containerfile,
		"containers.conf": "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n", // root may lack CAP_SYS_RESOURCE
	}
	for name, text := range stageSpecs {
		files[name+".yaml"] = stageHead(name) + text
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := b.edit(); err != nil {
		return err
	}
	for _, spec := range []string{"program", "runtime", "three", "plain", "compiled"} {
		if _, err := b.time(b.build(spec)); err != nil {
			return err
		}
	}
	if err := b.writeTools(); err != nil {
		return err
	}
	_, err := b.time(b.build("tools"))
	return err
}

func stageHead(name string) string {
	return "apiVersion: hardpan/v1\nname: " + name + "\nversion: bench\ndistro: debian/trixie\nplatforms: [linux/amd64]\naccounts:\n  groups: [{name: app, gid: 1000}]\n  users: [{name: app, uid: 1000}]\n  run-as: app\n"
}

// writeTools writes the spec of an image that has the packages of the program's stage.
func (b *bench) writeTools() error {
	locked, err := lock.Read(filepath.Join(b.dir, "program.lock"))
	if err != nil {
		return err
	}
	var names []string
	for _, p := range locked.Platforms["linux/amd64"].Packages {
		if p.In("@build") {
			names = append(names, p.Name)
		}
	}
	text := stageHead("tools") + "contents: {packages: [" + strings.Join(names, ", ") + "]}\nhardening: {profile: none}\nlayering: {budget: 8}\n"
	return os.WriteFile(filepath.Join(b.dir, "tools.yaml"), []byte(text), 0o644)
}

// edit changes the source of the program.
func (b *bench) edit() error {
	b.edits++
	text := fmt.Sprintf("#include <stdio.h>\nint main(void) { return puts(\"%d %d\") < 0; }\n", time.Now().UnixNano(), b.edits)
	return os.WriteFile(filepath.Join(b.dir, "c", "program.c"), []byte(text), 0o644)
}

// The cases of build stages. Cold, both begin with layers: buildah with those of its two
// images, as OCI layouts on disk, hardpan with those of the packages. Making these too
// is more than buildah does, and compared with nothing.
const (
	unchanged     = "three stages, nothing changed"
	oneCommand    = "a command that does nothing"
	buildahCold   = "buildah, cold"
	stagesCold    = "C program, cold"
	debsCold      = "C program, cold, layers of the packages too"
	buildahEdited = "buildah, source changed"
	stagesEdited  = "C program, source changed"
	buildahWarm   = "buildah, nothing changed"
	stagesWarm    = "C program, nothing changed"
)

// against says which case of buildah a case is compared with.
var against = map[string]string{stagesCold: buildahCold, stagesEdited: buildahEdited, stagesWarm: buildahWarm}

func (b *bench) stageCases() []benchCase {
	program := func() (sample, error) { return b.time(b.build("program")) }
	edited := func(measure func() (sample, error)) func() (sample, error) {
		return func() (sample, error) {
			if err := b.edit(); err != nil {
				return sample{}, err
			}
			return measure()
		}
	}
	cold := func(forget ...string) func() (sample, error) {
		return func() (sample, error) {
			if _, err := b.time(exec.Command(b.hardpan, "cache", "clear", "--stages", "--cache-dir", "cache")); err != nil {
				return sample{}, err
			}
			if err := b.forget(append(forget, "dist/program")...); err != nil {
				return sample{}, err
			}
			return program()
		}
	}
	cases := []benchCase{
		{unchanged, func() (sample, error) {
			if _, err := b.time(b.build("three")); err != nil { // what is cold elsewhere was forgotten for this, too
				return sample{}, err
			}
			return b.time(b.build("three"))
		}},
		{oneCommand, b.commands},
		{stagesCold, cold("cache/keys/copied", "cache/keys/image")},
		{debsCold, cold("cache/keys")},
		{stagesEdited, edited(program)},
		{stagesWarm, program},
	}
	if _, err := exec.LookPath("buildah"); err != nil {
		fmt.Println("buildah is not installed: build stages are not compared with it (apt-get install buildah)")
		return cases
	}
	return append(cases,
		benchCase{buildahCold, func() (sample, error) {
			if _, err := b.time(b.buildah("rmi", "--all", "--force")); err != nil {
				return sample{}, err
			}
			return b.buildahProgram()
		}},
		benchCase{buildahEdited, edited(b.buildahProgram)},
		benchCase{buildahWarm, b.buildahProgram},
	)
}

// commands returns what one command costs: the difference of two builds, divided.
func (b *bench) commands() (sample, error) {
	var walls [2]time.Duration
	for i, n := range []int{1, 1 + manySteps} {
		b.edits++
		text := stageHead("commands") + "contents: {packages: [base-files]}\nstages:\n  - name: build\n    contents: {packages: [gcc, libc6-dev, make]}\n    run:\n"
		for step := range n {
			text += fmt.Sprintf("      - \"true %d %d\"\n", b.edits, step)
		}
		text += "copy: [{from: build, source: /etc/debian_version, path: /etc/version}]\n"
		if err := os.WriteFile(filepath.Join(b.dir, "commands.yaml"), []byte(text), 0o644); err != nil {
			return sample{}, err
		}
		s, err := b.time(b.build("commands"))
		if err != nil {
			return s, err
		}
		walls[i] = s.wall
	}
	return sample{wall: (walls[1] - walls[0]) / manySteps}, nil
}

func (b *bench) buildahProgram() (sample, error) {
	return b.time(b.buildah("build", "--isolation", "chroot", "--layers", "--tag", "program", "."))
}

func (b *bench) buildah(args ...string) *exec.Cmd {
	cmd := exec.Command("buildah", append([]string{"--root", b.dir + "/buildah", "--runroot", b.dir + "/buildah-run", "--storage-driver", "overlay"}, args...)...)
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+filepath.Join(b.dir, "containers.conf"))
	return cmd
}

func reportStages(results map[string][]sample) error {
	fmt.Printf("\nbuild stages, %d rounds, median (least to most)\n", stageRounds)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\twall\tto buildah\tlimit")
	for _, name := range []string{unchanged, oneCommand, stagesCold, debsCold, stagesEdited, stagesWarm, buildahCold, buildahEdited, buildahWarm} {
		samples := results[name]
		if len(samples) == 0 {
			continue
		}
		var walls, ratios []float64
		for i, s := range samples {
			walls = append(walls, s.wall.Seconds())
			if other := results[against[name]]; len(other) > i {
				ratios = append(ratios, s.wall.Seconds()/other[i].wall.Seconds())
			}
		}
		ratio := ""
		if len(ratios) > 0 {
			ratio = spread(ratios)
		}
		fmt.Fprintf(w, "%s\t%s s\t%s\t%s\n", name, spread(walls), ratio, limitText(name, walls))
	}
	return w.Flush()
}

func limitText(name string, walls []float64) string {
	limit := map[string]float64{unchanged: limitUnchanged, oneCommand: limitStep}[name]
	if limit == 0 {
		return ""
	}
	verdict := "kept"
	if slices.Sorted(slices.Values(walls))[len(walls)/2] > limit {
		verdict = "MISSED"
	}
	return fmt.Sprintf("%.2f s: %s", limit, verdict)
}
