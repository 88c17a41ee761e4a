package builder

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// parallel calls do for each item, in order, jobs at a time. The first error
// cancels the rest and is returned.
func parallel[T any](ctx context.Context, jobs int, items []T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan T)
	var wg sync.WaitGroup
	for range min(jobs, len(items)) {
		wg.Go(func() {
			for item := range queue {
				if err := do(ctx, item); err != nil {
					cancel(err)
				}
			}
		})
	}
feed:
	for _, item := range items {
		select {
		case queue <- item:
		case <-ctx.Done():
			break feed
		}
	}
	close(queue)
	wg.Wait()
	return context.Cause(ctx)
}

// bySize returns the members, the largest package first.
func bySize(members []*member) []*member {
	sorted := slices.Clone(members)
	slices.SortStableFunc(sorted, func(a, b *member) int { return cmp.Compare(b.Size, a.Size) })
	return sorted
}
