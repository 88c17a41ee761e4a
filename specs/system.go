package specs

import (
	"fmt"
	"strings"
)

// System returns the system of a stage as a spec of its own: its packages on the
// spec's distribution, without hardening, since it is thrown away. Positions in it
// are those of the stage.
func (s *Spec) System(stage *Stage) *Spec {
	from := s.from()
	own := &origin{file: from.file, sources: from.sources, positions: map[string]Position{}}
	for i := range s.Stages {
		if &s.Stages[i] != stage {
			continue
		}
		prefix := fmt.Sprintf("stages[%d].", i)
		for at, pos := range from.positions {
			if inner, ok := strings.CutPrefix(at, prefix); ok {
				own.positions[inner] = pos
			}
		}
	}
	system := &Spec{
		APIVersion: s.APIVersion, Name: s.Name, Version: s.Version, Platforms: s.Platforms, Distro: s.Distro,
		Contents: stage.Contents, variant: s.variant, origin: own,
	}
	system.setDefaults()
	system.Hardening.Profile = ProfileNone
	return system
}

// Stage returns the stage of that name, nil where there is none.
func (s *Spec) Stage(name string) *Stage {
	for i := range s.Stages {
		if s.Stages[i].Name == name {
			return &s.Stages[i]
		}
	}
	return nil
}
