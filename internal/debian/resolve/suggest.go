package resolve

// unknown returns the error for a name that is not there, with the nearest that is.
func (u *Universe) unknown(r Request) error {
	e := &UnknownPackageError{Name: r.Name, Where: u.String()}
	if r.Architecture != "" && !u.isNative(r.Architecture) {
		e.Name += ":" + r.Architecture
	}
	nearest := min(3, 1+len(r.Name)/4) + 1 // no suggestion from this distance on
	var row [2][]int
	for n := range u.nodes {
		node := &u.nodes[n]
		if node.newest == none || node.qualifier != "" {
			continue
		}
		d := distance(r.Name, node.name, nearest, &row)
		if d < nearest || d == nearest && e.Suggestion != "" && node.name < e.Suggestion {
			nearest, e.Suggestion = d, node.name
		}
	}
	return e
}

// distance returns the edit distance (Levenshtein) of two names, or limit+1 where
// it is more than limit.
func distance(a, b string, limit int, rows *[2][]int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	for i := range rows {
		if cap(rows[i]) < len(b)+1 {
			rows[i] = make([]int, len(b)+65)
		}
		rows[i] = rows[i][:len(b)+1]
	}
	last, row := rows[0], rows[1]
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		best := row[0]
		for j := range len(b) {
			substituted := last[j]
			if a[i] != b[j] {
				substituted++
			}
			row[j+1] = min(substituted, last[j+1]+1, row[j]+1)
			best = min(best, row[j+1])
		}
		if best > limit {
			return limit + 1
		}
		last, row = row, last
	}
	return last[len(b)]
}
