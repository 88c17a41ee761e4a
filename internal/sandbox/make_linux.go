package sandbox

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// newMeta is the meta of a snapshot that is made now.
func (s *Space) newMeta(key string, on []string) meta {
	return meta{Key: key, On: on, Boot: s.boot}
}

// vacate makes sure that the name of a key is free for a new snapshot: one that a
// power failure may have torn goes.
func (s *Space) vacate(ctx context.Context, key string) error {
	if _, err := os.Lstat(s.dir + "/" + s.snaps() + "/" + snapName(key)); err != nil {
		return nil
	}
	return s.Remove(ctx, key)
}

// Unpack makes a snapshot of an image's layers, lowest first, as if they were
// applied one over the other (OCI image spec, layer.md). Devices are left out, as
// are extended attributes other than security.capability; with one id only, every
// file belongs to it. Where there is such a snapshot already, nothing is done.
func (s *Space) Unpack(ctx context.Context, key string, layers []Layer) error {
	if s.Has(key) {
		return nil
	}
	if err := s.vacate(ctx, key); err != nil {
		return err
	}
	req := &request{Verb: verbUnpack, Meta: s.newMeta(key, nil), Layers: len(layers)}
	err := s.call(ctx, req, func(w io.Writer) error {
		return feedLayers(w, layers)
	}, nil)
	if err != nil {
		return fmt.Errorf("cannot unpack layers: %w", err)
	}
	return nil
}

// Add makes a snapshot of files over the stack on, which it does not change.
// Directories that are missing above a file are made, root's and of mode 0755;
// links among them are followed inside the stack. Where there is such a snapshot
// already, nothing is done, and files is not called.
func (s *Space) Add(ctx context.Context, key string, on []string, files func(w *tar.Writer) error) error {
	if s.Has(key) {
		return nil
	}
	if err := s.need(on); err != nil {
		return fmt.Errorf("cannot add files: %w", err)
	}
	if err := s.vacate(ctx, key); err != nil {
		return err
	}
	req := &request{Verb: verbAdd, Meta: s.newMeta(key, on), On: snapNames(on)}
	err := s.call(ctx, req, func(w io.Writer) error {
		p := partWriter{w}
		b := bufio.NewWriterSize(p, 256<<10)
		tw := tar.NewWriter(b)
		if err := files(tw); err != nil {
			return err
		}
		if err := tw.Close(); err != nil {
			return err
		}
		if err := b.Flush(); err != nil {
			return err
		}
		return p.end()
	}, nil)
	if err != nil {
		return fmt.Errorf("cannot add files: %w", err)
	}
	return nil
}

// Remove removes snapshots; keys without one are no error. One that is in use
// loses its name at once, and Remove waits until it is not.
func (s *Space) Remove(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	if err := s.call(ctx, &request{Verb: verbRemove, Names: snapNames(keys)}, nil, nil); err != nil {
		return fmt.Errorf("cannot remove snapshots: %w", err)
	}
	return nil
}

// RemoveAll removes every snapshot and cache of the ids that the space has here.
// Like [Space.Remove] it waits for those in use.
func (s *Space) RemoveAll(ctx context.Context) error {
	if err := s.call(ctx, &request{Verb: verbRemoveAll}, nil, nil); err != nil {
		return fmt.Errorf("cannot remove all snapshots: %w", err)
	}
	return nil
}

// begin makes the temporary directory of a snapshot and its fs, and opens both.
func (in *inner) begin() (temp, files int, err error) {
	if err := unix.Mkdirat(in.space, in.req.Temp, 0o711); err != nil {
		return -1, -1, fmt.Errorf("cannot make a snapshot: %w", err)
	}
	temp, err = unix.Openat(in.space, in.req.Temp, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("cannot make a snapshot: %w", err)
	}
	if err := unix.Mkdirat(temp, "fs", 0o755); err != nil {
		return -1, -1, fmt.Errorf("cannot make a snapshot: %w", err)
	}
	files, err = unix.Openat(temp, "fs", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("cannot make a snapshot: %w", err)
	}
	return temp, files, nil
}

// commit gives the temporary directory the name of its snapshot. If another
// process was first, its snapshot stands and ours goes.
func (in *inner) commit(temp int) (made bool, err error) {
	for _, scratch := range []string{"work", "top", "merged", "marker"} {
		if err := removeTree(temp, scratch); err != nil {
			return false, err
		}
	}
	b, err := json.Marshal(in.req.Meta)
	if err != nil {
		return false, err
	}
	fd, err := unix.Openat(temp, "meta", unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return false, fmt.Errorf("cannot keep a snapshot: %w", err)
	}
	_, err = fdWriter(fd).Write(b)
	unix.Close(fd)
	if err != nil {
		return false, fmt.Errorf("cannot keep a snapshot: %w", err)
	}
	err = unix.Renameat2(in.space, in.req.Temp, in.space, snapName(in.req.Meta.Key), unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EEXIST) {
		return false, removeTree(in.space, in.req.Temp)
	}
	if err != nil {
		return false, fmt.Errorf("cannot keep a snapshot: %w", err)
	}
	return true, nil
}

func (in *inner) unpack() (*reply, error) {
	temp, files, err := in.begin()
	if err != nil {
		return nil, err
	}
	x := newExtractor(files, in.req, true)
	stream := bufio.NewReaderSize(in.in, maxChunk)
	for i := range in.req.Layers {
		if err := x.extract(&partReader{r: stream}); err != nil {
			return nil, in.giveUp(fmt.Errorf("layer %d: %w", i+1, err))
		}
	}
	in.req.Meta.Notes = x.notes()
	made, err := in.commit(temp)
	return &reply{Made: made}, err
}

// giveUp removes what was begun. The error is the one given.
func (in *inner) giveUp(err error) error {
	removeTree(in.space, in.req.Temp) // what is left, the parent has swept
	return err
}

// notes say what the extractor could not keep.
func (x *extractor) notes() []string {
	var notes []string
	if n := len(x.skipped); n > 0 {
		notes = append(notes, fmt.Sprintf("%d devices left out, the first one %s", n, x.skipped[0]))
	}
	if x.squash > 0 {
		notes = append(notes, fmt.Sprintf("%d files given to root, because this host has one id only", x.squash))
	}
	return notes
}

func (in *inner) add() (*reply, error) {
	if err := in.hold(in.req.On); err != nil {
		return nil, err
	}
	temp, files, err := in.begin()
	if err != nil {
		return nil, err
	}
	root := files
	if len(in.req.On) > 0 {
		if root, err = in.stack(temp, files); err != nil {
			return nil, in.giveUp(err)
		}
	}
	var since unix.Timespec
	if in.req.Copy {
		if since, err = in.fileTime(); err != nil {
			return nil, in.giveUp(err)
		}
	}
	x := newExtractor(root, in.req, false)
	if err := x.extract(&partReader{r: bufio.NewReaderSize(in.in, maxChunk)}); err != nil {
		return nil, in.giveUp(err)
	}
	in.req.Meta.Notes = x.notes()
	err = in.unstack(root)
	if err == nil && in.req.Copy && len(in.req.On) > 0 {
		err = in.compare(temp, files, since, time.Time{})
	}
	if err != nil {
		return nil, in.giveUp(err)
	}
	made, err := in.commit(temp)
	return &reply{Made: made}, err
}

// lowerDirs are the directories of snapshots, from the working directory.
func lowerDirs(names []string) []string {
	dirs := make([]string, len(names))
	for i, name := range names {
		dirs[i] = "space/" + name + "/fs"
	}
	return dirs
}

// stack mounts the stack with files over it at "root" and opens that.
func (in *inner) stack(temp, files int) (root int, err error) {
	if in.req.Copy {
		return files, in.materialize(in.req.On, files)
	}
	lower := lowerDirs(in.req.On)
	if err := unix.Mkdirat(temp, "work", 0o700); err != nil {
		return -1, err
	}
	if err := copyRoot(lower[len(lower)-1], files); err != nil {
		return -1, err
	}
	dir := "space/" + in.req.Temp
	if err := mountOverlay(lower, dir+"/fs", dir+"/work", "root"); err != nil {
		return -1, err
	}
	return unix.Open("root", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// errNoOverlay is in the chain of an error about an overlay that was refused.
var errNoOverlay = errors.New("overlayfs cannot be mounted")

// try mounts an overlay as a step would, and removes a file in it.
func (in *inner) try() error {
	if in.req.Copy {
		return nil
	}
	temp, files, err := in.begin()
	if err != nil {
		return err
	}
	defer unix.Close(temp)
	defer unix.Close(files)
	if err = in.tryOverlay(temp); err != nil {
		err = fmt.Errorf("%w: %w", errNoOverlay, err)
	}
	return errors.Join(err, removeTree(in.space, in.req.Temp))
}

func (in *inner) tryOverlay(temp int) error {
	if err := errors.Join(unix.Mkdirat(temp, "work", 0o700), unix.Mkdir("empty/file", 0o700)); err != nil {
		return err
	}
	dir := "space/" + in.req.Temp
	if err := mountOverlay([]string{"empty"}, dir+"/fs", dir+"/work", "root"); err != nil {
		return err
	}
	return errors.Join(unix.Rmdir("root/file"), unix.Unmount("root", unix.MNT_DETACH))
}

// unstack lets go of a stack, so that the directory over it is whole.
func (in *inner) unstack(root int) error {
	if len(in.req.On) == 0 || in.req.Copy {
		return nil
	}
	unix.Close(root)
	return unix.Unmount("root", unix.MNT_DETACH)
}

// copyRoot gives the root directory of a snapshot the owner, mode and time of that below.
func copyRoot(below string, files int) error {
	fd, err := unix.Open(below, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return copyDirMeta(fd, files)
}

// copyDirMeta gives the directory to the owner, mode and time of from.
func copyDirMeta(from, to int) error {
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return err
	}
	if err := unix.Fchown(to, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	if err := unix.Fchmod(to, st.Mode&0o7777); err != nil {
		return err
	}
	return unix.UtimesNanoAt(to, "", []unix.Timespec{st.Atim, st.Mtim}, unix.AT_EMPTY_PATH)
}
