package check
import ("testing";"time";"os";"github.com/hardpan/hardpan/internal/check/facts";"github.com/hardpan/hardpan/internal/oci")
func TestZZ(t *testing.T) {
	src, err := oci.Open(t.Context(), os.Getenv("ZZ"), oci.OpenOptions{})
	if err != nil { t.Skip(err) }
	for range 3 {
	a := time.Now()
	img, err := facts.Read(t.Context(), src.Images[0])
	if err != nil { t.Fatal(err) }
	b := time.Now()
	Judge(img, Options{})
	t.Log(b.Sub(a), time.Since(b), img.Len())
	}
}
func BenchmarkZZ(t *testing.B) {
	src, err := oci.Open(t.Context(), os.Getenv("ZZ"), oci.OpenOptions{})
	if err != nil { t.Skip(err) }
	img, err := facts.Read(t.Context(), src.Images[0])
	for range t.N { Judge(img, Options{}) }
}
