package glib

import (
	"testing"
	"unicode/utf8"
)

// A text that is read as a type has that type, and its bytes have their alignment.
func FuzzParseVariant(f *testing.F) {
	for _, seed := range [][2]string{
		{"a{sv}", `{'a': <[('x', 1)]>, "b": <@ms nothing>}`}, {"(nds)", `(-1, .5, b'\101')`}, {"mmi", "just 1"}, {"v", "<{1, <'x'>}>"},
		{"v", "<[[], [@as []]]>"}, {"g", "'a{s(iu)}'"}, {"ay", `b"\0"`}, {"s", `'\U0001f600`}, {"v", "<[{1, 2}, {1, 'x'}]>"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, typ, text string) {
		if !validType(typ) {
			return
		}
		v, err := parseVariant(typ, text)
		if err != nil {
			return
		}
		if v.typ != typ {
			t.Fatalf("type %q of %q, want %q", v.typ, text, typ)
		}
		if _, size := layout(typ); size > 0 && len(v.serialise()) != size {
			t.Fatalf("%q has %d bytes, a %s has %d", text, len(v.serialise()), typ, size)
		}
	})
}

type silent struct{}

func (silent) Start(string, string, []Attribute) error { return nil }
func (silent) End(string) error                        { return nil }
func (silent) Text(_, s string) error {
	if !utf8.ValidString(s) {
		panic("text that is not UTF-8")
	}
	return nil
}

func FuzzMarkup(f *testing.F) {
	for _, seed := range []string{`<a b="c&#10;"><!-- x --><c/>t&amp;<![CDATA[<]]></a>`, `<?xml?><!DOCTYPE a [<!ELEMENT b>]><a/>`, "<a:b><c></c></a:b>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { _ = Markup{}.Read(text, silent{}) }) // what is broken may be refused
}

func FuzzKeyFile(f *testing.F) {
	for _, seed := range []string{"[a]\nb=c\nd[de]=e\n", "#\n[a b] \r\nk = v;\\;w\n", "[a\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKeyFile(text)
		if err != nil {
			return
		}
		for _, g := range k.Groups {
			for _, key := range g.Keys {
				if _, ok := g.Values[key]; !ok || key == "" {
					t.Fatalf("key %q without a value", key)
				}
				g.List(key)
			}
		}
	})
}

// A table has what was put in last and was not deleted, in whatever order.
func FuzzHashTable(f *testing.F) {
	f.Add([]byte("abcdefghijklmnopABCDabcd"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		var table HashTable[int]
		want := map[string]int{}
		for i, op := range ops {
			key := string(rune(op & 0x7f))
			if op&0x80 != 0 {
				table.Delete(key)
				delete(want, key)
			} else {
				table.Set(key, i)
				want[key] = i
			}
		}
		seen := 0
		for key, v := range table.All() {
			if seen++; want[key] != v {
				t.Fatalf("%q is %d, want %d", key, v, want[key])
			}
		}
		if seen != len(want) || table.Len() != seen {
			t.Fatalf("%d keys, %d counted, want %d", seen, table.Len(), len(want))
		}
	})
}
