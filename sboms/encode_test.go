package sboms

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestIndented(t *testing.T) {
	for _, v := range []any{
		nil, true, -1.5e9, "", `a "quoted\" \\`, `\`, []any{}, map[string]any{}, []any{[]any{}, map[string]any{"a": nil}, "{[,:]}"},
		map[string]any{"a": []any{1, "b\n", map[string]any{"c": []any{}, "d<>&": "\u2028"}}, "b": `"expression": `},
	} {
		got, err := encode(v)
		check(t, err)
		plain, err := json.Marshal(v)
		check(t, err)
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		check(t, enc.Encode(v))
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s: got %s, want %s", plain, got, want.Bytes())
		}
	}
}
