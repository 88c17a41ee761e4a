package sboms

import "testing"

// CycloneDX says of each component once whether all that it depends on is known.
func TestKnownDependencies(t *testing.T) {
	for name, img := range images(t) {
		bom := decode[cdxDoc](t, CycloneDX, img)
		known := map[string]string{}
		for _, c := range bom.Compositions {
			for _, ref := range c.Dependencies {
				if known[ref] != "" {
					t.Errorf("%s: %s is %s and %s", name, ref, known[ref], c.Aggregate)
				}
				known[ref] = c.Aggregate
			}
		}
		var each func(list []cdxComponent)
		each = func(list []cdxComponent) {
			for _, c := range list {
				if known[c.Ref] == "" {
					t.Errorf("%s: of %s nothing is said", name, c.Ref)
				}
				each(c.Components)
			}
		}
		each(append(bom.Components, bom.Metadata.Component))
		if name == "foreign" { // one depends on what the image does not have
			for i := range img.Packages {
				want := map[string]string{"one": "incomplete", "libone1": "complete"}[img.Packages[i].Name]
				if got := known[img.purl(&img.Packages[i])]; got != want {
					t.Errorf("%s is %s, want %s", img.Packages[i].Name, got, want)
				}
			}
		}
	}
}
