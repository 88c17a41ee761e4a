package archivetest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Server serves an archive on loopback. Its methods may be called while it serves.
type Server struct {
	URL     string // base of the archive, for a mirror or a repository's uri
	Keyring string // path of a file with the certificate of Key, armored
	Key     *Key   // signs what names no key

	http *httptest.Server
	dir  string

	mu         sync.Mutex
	files      map[string]served
	faults     map[string][]Fault
	requests   []Request
	auth       [2]string
	noRange    bool
	noValidate bool
}

type served struct {
	content  []byte
	modified time.Time
}

// Request is what the server noted of a request.
type Request struct {
	Path            string // without the leading slash
	Range           string
	IfModifiedSince string
	IfNoneMatch     string
	Authorization   string
	Status          int // 0 where the connection was reset instead
}

// Fault is how one answer goes wrong. The first field that is set counts.
type Fault struct {
	Status     int    // answer with this status and nothing else
	RetryAfter string // header beside Status
	Reset      bool   // reset the connection instead of answering
	Cut        int    // cut the connection after so many bytes of the body
	Stall      bool   // send the head and then nothing until the client goes
	Body       []byte // answer 200 with these bytes instead
	Redirect   string // redirect there
	Hook       func() // call this, then answer as usual
}

// New makes a key, builds the archive and serves it. Close ends it.
func New(a Archive) (*Server, error) {
	key, err := NewKey(KeyOptions{})
	if err != nil {
		return nil, err
	}
	s := &Server{Key: key, faults: make(map[string][]Fault)}
	if err := s.Publish(a); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "archivetest-"); err != nil {
		return nil, err
	}
	s.Keyring = filepath.Join(s.dir, "fixture.asc")
	public, err := key.Armored()
	if err == nil {
		err = os.WriteFile(s.Keyring, public, 0o644)
	}
	if err != nil {
		os.RemoveAll(s.dir)
		return nil, err
	}
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	return s, nil
}

// Close ends the server and removes the keyring's file.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
	os.RemoveAll(s.dir)
}

// Publish replaces all that the server has by another archive.
func (s *Server) Publish(a Archive) error {
	built, err := a.Build(s.Key)
	if err != nil {
		return err
	}
	modified := Epoch
	for _, suite := range a.Suites {
		if suite.date().After(modified) {
			modified = suite.date()
		}
	}
	files := make(map[string]served, len(built))
	for name, content := range built {
		files[name] = served{content, modified}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = files
	return nil
}

// Get returns the content of a file, or nil.
func (s *Server) Get(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[name].content
}

// Put replaces or adds a file.
func (s *Server) Put(name string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[name] = served{content, Epoch}
}

// Delete removes a file.
func (s *Server) Delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, name)
}

// Inject makes the next answers for a file go wrong, one fault an answer. The name
// "*" stands for every file.
func (s *Server) Inject(name string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[name] = append(s.faults[name], faults...)
}

// Heal takes back the faults that are still due.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
}

// Requests returns the requests since the last call.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.requests
	s.requests = nil
	return all
}

// RequireAuth makes the server refuse requests without this name and password.
func (s *Server) RequireAuth(user, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth = [2]string{user, password}
}

// NoRange makes the server ignore Range headers.
func (s *Server) NoRange() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noRange = true
}

// NoValidators makes the server send neither ETag nor Last-Modified.
func (s *Server) NoValidators() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noValidate = true
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	log := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	// The request is noted when it is answered, so that the status is known, but
	// before its body is complete: a client that has the body sees it noted.
	noted := Request{
		Path: name, Authorization: r.Header.Get("Authorization"), Range: r.Header.Get("Range"),
		IfModifiedSince: r.Header.Get("If-Modified-Since"), IfNoneMatch: r.Header.Get("If-None-Match"),
	}
	log.note = sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		noted.Status = log.status
		s.requests = append(s.requests, noted)
	})
	defer log.note()

	f, ok, fault, allowed := s.look(name, r)
	if fault != nil && s.misbehave(log, r, f, *fault) {
		return
	}
	switch {
	case !allowed:
		w.Header().Set("WWW-Authenticate", `Basic realm="fixture"`)
		log.WriteHeader(http.StatusUnauthorized)
	case !ok:
		log.WriteHeader(http.StatusNotFound)
	default:
		s.serve(log, r, f)
	}
}

// look finds the file and takes the fault that is due.
func (s *Server) look(name string, r *http.Request) (f served, ok bool, fault *Fault, allowed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok = s.files[name]
	for _, key := range []string{name, "*"} {
		if due := s.faults[key]; len(due) > 0 {
			fault, s.faults[key] = &due[0], due[1:]
			break
		}
	}
	user, password, _ := r.BasicAuth()
	allowed = s.auth == [2]string{} || s.auth == [2]string{user, password}
	return f, ok, fault, allowed
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, f served) {
	s.mu.Lock()
	noRange, noValidate := s.noRange, s.noValidate
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/octet-stream")
	modified := f.modified
	if noValidate {
		modified = time.Time{}
	} else {
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(f.content)))
	}
	if noRange {
		r.Header.Del("Range")
	}
	http.ServeContent(w, r, "", modified, bytes.NewReader(f.content))
}

// misbehave commits a fault and reports whether that was the answer.
func (s *Server) misbehave(w *statusWriter, r *http.Request, f served, fault Fault) bool {
	switch {
	case fault.Status != 0:
		if fault.RetryAfter != "" {
			w.Header().Set("Retry-After", fault.RetryAfter)
		}
		w.WriteHeader(fault.Status)
	case fault.Reset:
		w.status = 0
		w.note()
		reset(w.ResponseWriter)
	case fault.Cut > 0:
		s.serve(&cutWriter{statusWriter: w, left: fault.Cut}, r, f)
		panic(http.ErrAbortHandler)
	case fault.Stall:
		w.Header().Set("Content-Length", fmt.Sprint(len(f.content)))
		w.WriteHeader(http.StatusOK)
		w.ResponseWriter.(http.Flusher).Flush()
		<-r.Context().Done()
	case fault.Body != nil:
		w.Header().Set("Content-Length", fmt.Sprint(len(fault.Body)))
		w.Write(fault.Body)
	case fault.Redirect != "":
		w.Header().Set("Location", fault.Redirect)
		w.WriteHeader(http.StatusFound)
	case fault.Hook != nil:
		fault.Hook()
		return false
	}
	return true
}

// reset closes the connection so that the client sees a reset, not an end.
func reset(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// statusWriter notes the request once its status is known.
type statusWriter struct {
	http.ResponseWriter
	status int
	note   func()
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.note()
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.note()
	return w.ResponseWriter.Write(p)
}

// cutWriter sends so many bytes of the body and drops the rest.
type cutWriter struct {
	*statusWriter
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	if _, err := w.statusWriter.Write(p[:n]); err != nil {
		return 0, err
	}
	if w.left == 0 {
		w.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return len(p), nil
}
