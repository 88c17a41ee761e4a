package accounts

import (
	"slices"
	"testing"
)

func TestFurtherGroups(t *testing.T) {
	f, err := Parse([]byte("root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\nagain:x:1000:1000::/:/bin/sh\nother:x:1001:1001::/:/bin/sh\n"),
		[]byte("root:x:0:\napp:x:1000:app\nlog:x:30:other,app\naudio:x:29:app,again\nvideo:x:44:other\nnobody:x:45:missing\n"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		uid, gid uint32
		want     []uint32
	}{
		{1000, 1000, []uint32{29, 30}}, {1000, 30, []uint32{29, 1000}}, {1001, 1001, []uint32{30, 44}}, {0, 0, nil}, {65534, 65534, nil},
	} {
		if got := f.FurtherGroups(test.uid, test.gid); !slices.Equal(got, test.want) {
			t.Errorf("user %d:%d has the groups %d, expected %d", test.uid, test.gid, got, test.want)
		}
	}
}
