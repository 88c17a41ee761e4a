//go:build linux

package imagetest

import (
	"bytes"
	"testing"

	"github.com/hardpan/hardpan/internal/check"
	imagefacts "github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/inventory"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/page"
)

// maxPage is what the page of check may weigh, all platforms of an image in one, in bytes.
const maxPage = 1_500_000

// writePage writes the page that check writes of the image.
func writePage(t *testing.T, s *shipped) {
	src, err := oci.Open(t.Context(), s.layout, oci.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var subjects []page.Subject
	for _, img := range src.Images {
		known, err := imagefacts.Read(t.Context(), img)
		if err != nil {
			t.Fatal(err)
		}
		inv := inventory.Of(known)
		for f := range known.All() {
			if o := inv.Origin(f); o.Kind == inventory.Unknown {
				t.Errorf("%s: /%s has no origin", img.Platform, f.Path)
			}
		}
		subjects = append(subjects, page.Subject{Report: check.Judge(known, check.Options{}), Inventory: inv})
	}
	var text bytes.Buffer
	if err := page.Write(&text, subjects, page.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: a page of %d platforms has %d kB", s, len(subjects), text.Len()/1000)
	if text.Len() > maxPage {
		t.Errorf("the page has %d bytes, more than %d", text.Len(), maxPage)
	}
}
