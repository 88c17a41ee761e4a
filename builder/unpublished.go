package builder

import "context"

// Unpublished builds the image of a spec and writes it to none of its outputs: the
// index of the result has it, with its layers in the cache. No test of the spec is run.
func Unpublished(ctx context.Context, o Options) (*Result, error) {
	b, err := open(o)
	if err != nil {
		return nil, err
	}
	if _, err := b.platforms(); err != nil {
		return nil, err
	}
	if _, err := b.readLock(ctx); err != nil {
		return nil, err
	}
	return b.image(ctx)
}
