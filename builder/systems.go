package builder

import (
	"reflect"

	"github.com/hardpan/hardpan/specs"
)

// system is what packages are resolved for: the spec, one of its variants, or a
// build stage of one of these.
type system struct {
	// name is that of the variant, "" for the spec itself, followed for a stage by "@"
	// and its name. Locks have it.
	name  string
	spec  *specs.Spec
	stage bool // it has the essential packages too, since commands run in it
}

// systems returns all that the lock has to answer for. Stages that stand on another
// have no packages of their own. A variant's stage that is as the spec has it, as
// most are, is resolved once.
func (b *build) systems() ([]system, error) {
	var list []system
	for _, variant := range append([]string{""}, b.base.VariantNames()...) {
		spec, err := b.base.Variant(variant)
		if err != nil {
			return nil, err
		}
		list = append(list, system{name: variant, spec: spec})
		if len(sandboxed(&spec.Contents)) > 0 {
			scripts := spec.System(&specs.Stage{Contents: interpretedOnly(spec.Contents)})
			list = append(list, system{name: variant + scriptsSystem, spec: scripts, stage: true})
		}
		for i := range spec.Stages {
			stage := &spec.Stages[i]
			if stage.From == "" && (variant == "" || b.ownStage(stage)) {
				list = append(list, system{name: variant + "@" + stage.Name, spec: spec.System(stage), stage: true})
			}
		}
	}
	return list, nil
}

// ownStage reports whether a variant's stage has other contents than the spec's
// stage of that name.
func (b *build) ownStage(stage *specs.Stage) bool {
	same := b.base.Stage(stage.Name)
	return same == nil || same.From != "" || !reflect.DeepEqual(same.Contents, stage.Contents)
}

// systemOf returns the name of the system of a stage of the variant that is built.
func (b *build) systemOf(stage *specs.Stage) string {
	if b.o.Variant != "" && b.ownStage(stage) {
		return b.o.Variant + "@" + stage.Name
	}
	return "@" + stage.Name
}
