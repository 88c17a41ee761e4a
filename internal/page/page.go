package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/diff"
	"github.com/hardpan/hardpan/internal/harden"
	"github.com/hardpan/hardpan/internal/inventory"
)

// Subject is the image of one platform.
type Subject struct {
	Report    *check.Report
	Inventory *inventory.Inventory
	// Against is how the image differs from a previous one, nil where none was given.
	Against *diff.Diff
}

// Options say what the page says beside the reports.
type Options struct {
	// Gated says that the least severity which fails the check is Least; otherwise
	// nothing does.
	Gated bool
	Least harden.Severity
	// Against is how the previous image was named, "" where none was given.
	Against string
	// Alone are platforms that only one of the two images has, for a person.
	Alone []string
	// Version is that of the program.
	Version string
}

var (
	//go:embed page.html
	markup string
	//go:embed page.css
	style string
	//go:embed page.js
	script string
	//go:embed tree.js
	treeScript string
)

var parsed = sync.OnceValues(func() (*template.Template, error) {
	return template.New("page").Funcs(functions).Parse(markup)
})

// document is what the template is given.
type document struct {
	Image, Against, Version, Date, Profile string
	Alone                                  []string
	Gate                                   string // severity, or ""
	Failed                                 bool
	Platforms                              []*platform

	CSS                   template.CSS
	JS                    template.JS
	StyleHash, ScriptHash string
	Data                  string // base64url of deflated JSON
}

// Write writes the page about an image of one or more platforms, in their order.
func Write(w io.Writer, subjects []Subject, o Options) error {
	if len(subjects) == 0 {
		return fmt.Errorf("cannot write the page: there is no report")
	}
	first := subjects[0].Report
	d := &document{Image: shown(first.Image), Against: shown(o.Against), Version: o.Version, Date: first.Date, Profile: shown(first.Profile), Alone: o.Alone}
	if o.Gated {
		d.Gate = o.Least.String()
	}
	var trees []*fileTree
	for i, s := range subjects {
		p := newPlatform(i, s, o)
		d.Failed = d.Failed || p.Failed
		d.Platforms = append(d.Platforms, p)
		trees = append(trees, newFileTree(s.Inventory))
	}
	var err error
	if d.Data, err = pack(trees); err != nil {
		return fmt.Errorf("cannot write the page: %w", err)
	}
	css, js := style+chooseCSS(len(subjects)), "\"use strict\";\n"+treeScript+script
	d.CSS, d.JS = template.CSS(css), template.JS(js)
	d.StyleHash, d.ScriptHash = digest(css), digest(js)
	t, err := parsed()
	if err != nil {
		return err
	}
	var b bytes.Buffer // whole, or not at all
	if err := t.Execute(&b, d); err != nil {
		return fmt.Errorf("cannot write the page: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// digest is the source expression of an inline script or style (CSP Level 3, 2.3.1).
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// chooseCSS hides the platforms that are not chosen, without a script.
func chooseCSS(n int) string {
	if n == 1 {
		return ""
	}
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "body:has(#choose-%d:checked) .platform:not(#p%d){display:none}\n", i, i)
	}
	return b.String()
}

// typeLetter is how ls(1) begins a line.
func typeLetter(f *facts.File) string {
	switch f.Type {
	case facts.Directory:
		return "d"
	case facts.Symlink:
		return "l"
	case facts.Hardlink:
		return "h"
	case facts.Other:
		if c, ok := map[byte]string{'3': "c", '4': "b", '6': "p"}[f.Kind]; ok {
			return c
		}
		return "?"
	}
	return "-"
}
