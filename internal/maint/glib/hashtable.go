package glib

import "iter"

// HashTable is a GHashTable of strings (g_str_hash), whose order of items files
// show: GLib's ghash.c, with the same slots, probing and growth. The zero value is
// empty.
type HashTable[V any] struct {
	slots    []slot[V]
	count    int // of items
	occupied int // slots that were ever used since the last growth
	shift    int // len(slots) is 1<<shift
}

type slot[V any] struct {
	hash  uint32
	key   string
	value V
}

const (
	unused    = 0
	tombstone = 1
	minShift  = 3
)

// primes are the moduli by the table's size, 1<<0 and so on.
var primes = [...]uint32{
	1, 2, 3, 7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071, 262139, 524287, 1048573,
	2097143, 4194301, 8388593, 16777213, 33554393, 67108859, 134217689, 268435399, 536870909, 1073741789, 2147483647,
}

// Hash is g_str_hash, Bernstein's, of bytes with a sign.
func Hash(s string) uint32 {
	h := uint32(5381)
	for i := range len(s) {
		h = h*33 + uint32(int8(s[i]))
	}
	return h
}

func (t *HashTable[V]) start(hash uint32, shift int) uint32 { return hash * 11 % primes[shift] }

// find returns the slot of a key, or the one where it can be put.
func (t *HashTable[V]) find(key string) (at int, hash uint32) {
	if t.slots == nil {
		t.shift = minShift
		t.slots = make([]slot[V], 1<<minShift)
	}
	if hash = Hash(key); hash <= tombstone {
		hash = 2
	}
	grave := -1
	mask := uint32(len(t.slots) - 1)
	i := t.start(hash, t.shift)
	for step := uint32(0); t.slots[i].hash != unused; i = (i + step) & mask {
		switch s := &t.slots[i]; {
		case s.hash == hash && s.key == key:
			return int(i), hash
		case s.hash == tombstone && grave < 0:
			grave = int(i)
		}
		step++
	}
	if grave >= 0 {
		return grave, hash
	}
	return int(i), hash
}

// Get returns the value of a key.
func (t *HashTable[V]) Get(key string) (v V, ok bool) {
	if i, _ := t.find(key); t.slots[i].hash > tombstone {
		return t.slots[i].value, true
	}
	return v, false
}

// Set gives a key a value.
func (t *HashTable[V]) Set(key string, v V) {
	i, hash := t.find(key)
	old := t.slots[i].hash
	t.slots[i] = slot[V]{hash, key, v}
	if old > tombstone {
		return
	}
	t.count++
	if old == unused {
		t.occupied++
		t.resize()
	}
}

// Delete removes a key, if it is there.
func (t *HashTable[V]) Delete(key string) {
	if i, _ := t.find(key); t.slots[i].hash > tombstone {
		t.slots[i] = slot[V]{hash: tombstone}
		t.count--
		t.resize()
	}
}

// Len returns the number of items.
func (t *HashTable[V]) Len() int { return t.count }

// All yields the items in the order of g_hash_table_foreach.
func (t *HashTable[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, s := range t.slots {
			if s.hash > tombstone && !yield(s.key, s.value) {
				return
			}
		}
	}
}

// resize is g_hash_table_maybe_resize. Items move to the first slot of their own that
// no item has moved to yet, and what was there moves next.
func (t *HashTable[V]) resize() {
	size := len(t.slots)
	if (size <= t.count*4 || size <= 1<<minShift) && size > t.occupied+t.occupied/16 {
		return
	}
	t.shift = 0
	for n := int(float64(t.count) * 1.333); n > 0; n >>= 1 {
		t.shift++
	}
	t.shift = max(t.shift, minShift)
	fresh := make([]slot[V], max(size, 1<<t.shift))
	copy(fresh, t.slots)
	t.slots = fresh
	moved := make([]bool, len(fresh))
	mask := uint32(1<<t.shift - 1)
	for i := range size {
		s := t.slots[i]
		if moved[i] && s.hash > tombstone {
			continue
		}
		t.slots[i] = slot[V]{}
		for s.hash > tombstone {
			at := t.start(s.hash, t.shift)
			for step := uint32(0); moved[at]; {
				step++
				at = (at + step) & mask
			}
			moved[at] = true
			s, t.slots[at] = t.slots[at], s
		}
	}
	t.slots = t.slots[:1<<t.shift]
	t.occupied = t.count
}
