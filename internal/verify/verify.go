package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hardpan/hardpan/internal/check"
	"github.com/hardpan/hardpan/internal/check/facts"
	"github.com/hardpan/hardpan/internal/oci"
	"github.com/hardpan/hardpan/internal/oci/layer"
	"github.com/hardpan/hardpan/internal/provenance"
	"github.com/hardpan/hardpan/internal/record"
	"github.com/hardpan/hardpan/internal/sign"
	"github.com/hardpan/hardpan/sboms"
)

// The reasons for which an answer is no, wrapped by a question's Err.
var (
	// ErrContent is an image that is not what its SBOM says.
	ErrContent = errors.New("the image is not what its SBOM says")
	// ErrUnexplained is an image with files that nothing explains.
	ErrUnexplained = errors.New("the image has what nothing explains")
	// ErrRecord is an image that is not what the record of its build says.
	ErrRecord = errors.New("the image is not what its build recorded")
	// ErrProvenance is provenance that does not fit the attested lock.
	ErrProvenance = errors.New("the provenance does not fit the lock")
	// ErrTests is an attested result of tests that is not one of this image's tests.
	ErrTests = errors.New("the tests are not those of the image")
	// ErrHardening is an image that breaks hardening rules, or keeps others than is attested.
	ErrHardening = errors.New("the image does not keep the hardening rules as attested")
	// ErrDocument is an attested document that is not what its type says.
	ErrDocument = errors.New("damaged document")
)

// The kinds of questions beside those of [sign.Verify].
const (
	askSBOM       = "sbom against content"
	askProvenance = "provenance against lock"
	askTests      = "tests"
	askFreshness  = "freshness"
	askHardening  = "hardening against content"
)

// Options say what is asked beside what always is.
type Options struct {
	// Now is the time that ages are counted to; zero is the clock's.
	Now time.Time
	// Rebuild, unless nil, builds the image again, to be compared.
	Rebuild Rebuilder
	// Policy, unless nil, is what the image is held against.
	Policy *Policy
	// Version is that of this program, to be compared with the builder's.
	Version string
}

// Image verifies what a key says of an image, and the image against that. An error is
// that something could not be read.
func Image(ctx context.Context, src *oci.Source, v *sign.Verifier, o Options) (*sign.Report, error) {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	r, err := sign.Verify(ctx, src, v)
	if err != nil {
		return nil, err
	}
	x := examine(src, r)
	if r.Questions, err = x.ask(ctx, r.Questions, o.Now); err != nil {
		return nil, err
	}
	if o.Policy != nil {
		list, err := x.judge(ctx, &o, v, r.Questions)
		if err != nil {
			return nil, err
		}
		r.Questions = append(r.Questions, list...)
	}
	if o.Rebuild != nil {
		list, err := x.rebuild(ctx, &o)
		if err != nil {
			return nil, err
		}
		r.Questions = append(r.Questions, list...)
	}
	order := map[string]int{}
	for i, s := range x.subjects {
		order[s.Name] = i
	}
	slices.SortStableFunc(r.Questions, func(a, b sign.Question) int { return order[a.Subject.Name] - order[b.Subject.Name] })
	return r, nil
}

// examined is an image and what is known of it.
type examined struct {
	*oci.Source
	subjects []sign.Subject
	attested []attested // of each subject
	damaged  []bool     // of each subject, whether a layer is not what its manifest says
	unsigned []bool     // of each subject
	contents []content  // of each subject, once it was read
	records  map[*oci.Image]*record.Record
}

// examine gathers what is known of an image, with what the report says is attested.
func examine(src *oci.Source, r *sign.Report) *examined {
	x := &examined{Source: src, subjects: sign.Subjects(src), records: map[*oci.Image]*record.Record{}}
	for _, s := range x.subjects {
		x.attested = append(x.attested, attestedOf(r, s))
		x.damaged = append(x.damaged, isDamaged(r, s))
		x.unsigned = append(x.unsigned, !r.Signed(s))
	}
	for _, img := range src.Images {
		if len(img.Config.Record) == 0 || !r.Signed(sign.Subject{Digest: img.Digest}) {
			continue
		}
		if rec, err := record.Decode(img.Config.Record); err == nil { // a damaged one explains nothing
			x.records[img] = rec
		}
	}
	return x
}

// errDamaged is why nothing is asked of layers that are not the image's: unpacking them
// fails anywhere, or gives anything.
var errDamaged = errors.New("a layer is not what its manifest says")

// errUnsigned is why nothing is asked of what nobody signed: what is in it may be made
// for those who unpack it.
var errUnsigned = errors.New("it is not signed")

// isDamaged reports whether a report has a no about the layers of a subject.
func isDamaged(r *sign.Report, s sign.Subject) bool {
	return slices.ContainsFunc(r.Questions, func(q sign.Question) bool {
		return q.Subject.Digest == s.Digest && errors.Is(q.Err, sign.ErrContent)
	})
}

// ask adds what is always asked, beside what [sign.Verify] asks.
func (x *examined) ask(ctx context.Context, questions []sign.Question, now time.Time) ([]sign.Question, error) {
	x.contents = make([]content, len(x.subjects)) // which take the time
	group, within := errgroup.WithContext(ctx)
	for i, s := range x.subjects {
		if x.damaged[i] {
			x.contents[i] = content{sbom: no(fmt.Errorf("%w: %w", ErrContent, errDamaged)), hardening: no(fmt.Errorf("%w: %w", ErrHardening, errDamaged))}
			continue
		}
		if x.unsigned[i] {
			x.contents[i] = content{sbom: unanswered(errUnsigned.Error()), hardening: unanswered(errUnsigned.Error())}
			continue
		}
		group.Go(func() (err error) {
			x.contents[i], err = ask(within, x.Source, s, x.attested[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, s := range x.subjects {
		add := func(kind string, q sign.Question) {
			q.Subject, q.Kind = s, kind
			questions = append(questions, q)
		}
		add(askSBOM, x.contents[i].sbom)
		add(askProvenance, x.attested[i].origin())
		if s.Name != sign.IndexName {
			add(askHardening, x.contents[i].hardening)
			rec := x.record(s)
			add(askTests, x.attested[i].each(provenance.TestResultType, func(said []byte) sign.Question { return tested(said, rec) }))
		}
		if i == 0 {
			add(askFreshness, fresh(x, now))
		}
	}
	return questions, nil
}

// record returns the record of a platform's image, nil where it has none that can be
// read.
func (x *examined) record(s sign.Subject) *record.Record {
	img, err := x.Image(s.Platform)
	if err != nil {
		return nil
	}
	return x.records[img]
}

func no(err error) sign.Question { return sign.Question{Answer: err.Error(), Err: err} }

func unanswered(why string) sign.Question {
	return sign.Question{OK: true, Unanswered: true, Answer: "cannot be answered: " + why}
}

// content is what is answered by reading an image.
type content struct {
	sbom, hardening sign.Question
	known           *facts.Image // nil where it was not read
}

// ask compares a subject with what is attested of it.
func ask(ctx context.Context, src *oci.Source, s sign.Subject, said attested) (c content, err error) {
	if s.Name == sign.IndexName {
		c.sbom, err = listed(src.Index, said)
		return c, err
	}
	img, err := src.Image(s.Platform)
	if err != nil {
		return c, err
	}
	return read(ctx, img, said)
}

// listed compares the images of an index with the SBOMs that are attested of it.
func listed(index *oci.Index, said attested) (sign.Question, error) {
	var parts []sboms.Part
	for _, img := range index.Images {
		if len(img.Config.Record) == 0 {
			return unanswered("hardpan did not build the image for " + img.Platform.String()), nil
		}
		is, err := sboms.Identify(img)
		if err != nil {
			return no(fmt.Errorf("%w: %w", ErrContent, err)), nil
		}
		parts = append(parts, sboms.Part{Image: is})
	}
	formats := said.formats()
	if len(formats) == 0 {
		return unanswered("no SBOM is attested"), nil
	}
	is, err := sboms.IndexOf(index, parts)
	if err != nil {
		return sign.Question{}, err
	}
	for _, f := range formats {
		for _, document := range said[f.predicate] {
			differences, err := f.compareIndex(document, is)
			if question, ok := f.refusal(differences, err); ok {
				return question, nil
			}
		}
	}
	if len(parts) != is.Listed {
		return no(fmt.Errorf("%w: the index lists %d manifests, %d are images", ErrUnexplained, is.Listed, len(parts))), nil
	}
	return sign.Question{OK: true, Answer: fmt.Sprintf("%d images are those of %s", len(parts), names(formats))}, nil
}

// refusal answers with no where a document differs or cannot be read.
func (f *format) refusal(differences []string, err error) (sign.Question, bool) {
	switch {
	case err != nil:
		return no(fmt.Errorf("%w: %s: %w", ErrDocument, f.name, err)), true
	case len(differences) > 0:
		return no(fmt.Errorf("%w: %s: %s", ErrContent, f.name, summary(differences))), true
	}
	return sign.Question{}, false
}

// read compares the layers of an image with what is attested of it, in one pass over them.
func read(ctx context.Context, img *oci.Image, said attested) (content, error) {
	if len(img.Config.Record) == 0 {
		foreign := unanswered("hardpan did not build the image")
		return content{sbom: foreign, hardening: foreign}, nil
	}
	var is *sboms.Image
	reading, err := facts.NewReading(img)
	if err == nil {
		reading.Sums = true
		is, err = sboms.ReadWatched(ctx, img, func(index int) layer.Watcher { return reading.Layer(index) })
	}
	var known *facts.Image
	if err == nil {
		known, err = reading.Image()
	}
	if errors.Is(err, oci.ErrMismatch) || errors.Is(err, oci.ErrInvalid) {
		return content{sbom: no(fmt.Errorf("%w: %w", ErrContent, err)), hardening: no(fmt.Errorf("%w: %w", ErrHardening, err))}, nil
	}
	if err != nil {
		return content{}, err
	}
	sbom, err := described(is, otherwise(known), said)
	kept := said.each(check.ResultType, func(document []byte) sign.Question { return hardening(known, document) })
	return content{sbom, kept, known}, err
}

// described compares what an image is with the SBOMs that are attested. differs is what is
// not as its record says.
func described(is *sboms.Image, differs []string, said attested) (sign.Question, error) {
	formats := said.formats()
	for _, f := range formats {
		for _, document := range said[f.predicate] {
			differences, err := f.compare(document, is)
			if question, ok := f.refusal(differences, err); ok {
				return question, nil
			}
		}
	}
	if is.Completeness != sboms.Complete {
		return no(fmt.Errorf("%w: %s", ErrUnexplained, summary(is.Gaps))), nil
	}
	if len(differs) > 0 {
		return no(fmt.Errorf("%w: %s", ErrRecord, summary(differs))), nil
	}
	if len(formats) == 0 {
		return unanswered("no SBOM is attested"), nil
	}
	languages := ""
	if n := len(is.Languages); n > 0 {
		languages = fmt.Sprintf(", %d of them of programming languages,", n)
	}
	return sign.Question{OK: true, Answer: fmt.Sprintf("%d files and %d packages%s are those of %s, and all are explained", len(is.Files), len(is.Packages)+len(is.Languages), languages, names(formats))}, nil
}

// summary joins the first of many lines.
func summary(lines []string) string {
	const most = 8
	if more := len(lines) - most; more > 1 {
		lines = append(slices.Clone(lines[:most]), fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}
