package env

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// NotExist reports whether an error says that a file is not there.
func NotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// ReadFile reads a whole file.
func ReadFile(d Disk, name string) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if size == 0 {
		return b, nil
	}
	_, err = f.ReadAt(b, 0)
	return b, err
}

// WriteFile replaces a file durably and whole: a crash leaves the old content or the new. The order is temporary
// file, sync, rename, sync of the directory.
func WriteFile(d Disk, name string, content []byte) error {
	tmp := name + ".tmp"
	if err := d.Mkdir(filepath.Dir(name)); err != nil {
		return err
	}
	if err := writeSynced(d, tmp, content); err != nil {
		return fmt.Errorf("writing %s: %w", tmp, err)
	}
	if err := d.Rename(tmp, name); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(name))
}

func writeSynced(d Disk, name string, content []byte) error {
	f, err := d.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.WriteAt(content, 0); err != nil {
		return err
	}
	return f.Sync()
}
