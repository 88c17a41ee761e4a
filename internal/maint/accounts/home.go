package accounts

import (
	"github.com/hardpan/hardpan/internal/maint/rootfs"
	"github.com/hardpan/hardpan/internal/tree"
)

// copyOwned copies what is in the directory from into to, for another owner; mode and
// time stay. skip may leave names out.
func copyOwned(f *rootfs.FS, from, to string, uid, gid uint32, skip func(path string) bool) error {
	names, err := f.ReadDir(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		src, dst := from+"/"+name, to+"/"+name
		if skip != nil && skip(src) {
			continue
		}
		n, err := f.Lstat(src)
		if err != nil {
			return err
		}
		was := *n
		switch was.Type {
		case tree.Dir:
			if !f.IsDir(dst) {
				err = f.Mkdir(dst, 0o700)
			}
			if err == nil {
				err = copyOwned(f, src, dst, uid, gid, skip)
			}
		case tree.Symlink:
			err = f.Symlink(was.Link, dst)
		default:
			err = f.Copy(src, dst, was.Mode)
		}
		if err != nil {
			return err
		}
		if err := f.Chown(dst, uid, gid, false); err != nil {
			return err
		}
		if was.Type != tree.Symlink {
			if err := f.Chmod(dst, was.Mode); err != nil {
				return err
			}
		}
	}
	return nil
}

// chownTree gives what belongs to one id in a directory to another.
func chownTree(f *rootfs.FS, name string, from, to ownerIDs) error {
	n, err := f.Lstat(name)
	if err != nil {
		return nil // nothing there
	}
	uid, gid := rootfs.Owner, rootfs.Owner
	if n.UID == from.uid {
		uid = to.uid
	}
	if n.GID == from.gid {
		gid = to.gid
	}
	dir := n.Type == tree.Dir
	if err := f.Chown(name, uid, gid, false); err != nil || !dir {
		return err
	}
	names, err := f.ReadDir(name)
	if err != nil {
		return err
	}
	for _, child := range names {
		if err := chownTree(f, name+"/"+child, from, to); err != nil {
			return err
		}
	}
	return nil
}

type ownerIDs struct{ uid, gid uint32 }
