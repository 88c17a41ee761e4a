package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/diff"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/inventory"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/page"
	"github.com/hardpan/hardpan/internal/verify"
)

// checkPage collects what the page of a check says, platform by platform.
type checkPage struct {
	subjects []page.Subject
	options  page.Options
	previous *oci.Source               // nil where none is compared with
	pairs    map[*oci.Image]*oci.Image // the previous one of each image
}

// openPage returns nil where no page is wanted.
func (a *app) openPage(ctx context.Context, src *oci.Source, open oci.OpenOptions, g harden.Gate) (*checkPage, error) {
	against := a.settings.GetString("against")
	if a.settings.GetString("output") != "html" && a.settings.GetString("html") == "" {
		if against != "" {
			return nil, usageError{err: errors.New("against: only the page says what changed, and none is asked for"), hint: "add --html FILE or --output html, or run hardpan diff"}
		}
		return nil, nil
	}
	p := &checkPage{options: page.Options{Gated: g.Shut, Least: g.Least, Against: against, Version: version}, pairs: map[*oci.Image]*oci.Image{}}
	if against == "" {
		return p, nil
	}
	var err error
	if p.previous, err = oci.Open(ctx, against, open); err != nil {
		return nil, err
	}
	var pairs [][2]*oci.Image
	pairs, p.options.Alone = diff.Pair(p.previous.Images, src.Images)
	for _, pair := range pairs {
		p.pairs[pair[1]] = pair[0]
	}
	return p, nil
}

func (p *checkPage) close() {
	if p != nil && p.previous != nil {
		p.previous.Close()
	}
}

// add takes in the image of a platform. The previous one is judged by the same options.
func (p *checkPage) add(ctx context.Context, img *oci.Image, known *facts.Image, report *check.Report, o check.Options) error {
	s := page.Subject{Report: report, Inventory: inventory.Of(known)}
	if old := p.pairs[img]; old != nil {
		before, err := facts.Read(ctx, old)
		if err != nil {
			return err
		}
		if o.Attached, err = verify.Beside(ctx, p.previous, old, nil); err != nil {
			return err
		}
		if o.Reference = ""; p.previous.Repository != "" {
			o.Reference = strings.TrimPrefix(p.options.Against, "docker://")
		}
		s.Against = diff.Images(inventory.Of(before), s.Inventory)
		s.Against.Old.Image, s.Against.New.Image = p.options.Against, report.Image
		s.Against.Rules = diff.Rules(check.Judge(before, o), report)
	}
	p.subjects = append(p.subjects, s)
	return nil
}

// write writes the page to --html, and returns it for --output html.
func (p *checkPage) write(a *app) ([]byte, error) {
	if p == nil {
		return nil, nil
	}
	var b bytes.Buffer
	if err := page.Write(&b, p.subjects, p.options); err != nil {
		return nil, err
	}
	if name := a.settings.GetString("html"); name != "" {
		if err := writeWhole(name, b.Bytes()); err != nil {
			return nil, fmt.Errorf("cannot write the page: %w", err)
		}
	}
	return b.Bytes(), nil
}
