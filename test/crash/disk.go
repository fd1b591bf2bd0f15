package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// disk is an ext4 file system in a file behind a loop device, whose power can be cut: the file-system shutdown drops what is
// not on the device and flushes no journal, and every later access fails. What the device has stays, as on a disk that
// honours its flushes.
type disk struct {
	image, loop, mount string
	mounted            bool
}

func newDisk(dir string, megabytes int64) (*disk, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("a loop mount needs root")
	}
	d := &disk{image: filepath.Join(dir, "disk.img"), mount: filepath.Join(dir, "disk")}
	if err := os.MkdirAll(d.mount, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(megabytes<<20), f.Close()); err != nil {
		return nil, err
	}
	if _, err := command("mkfs.ext4", "-q", "-F", d.image); err != nil {
		return nil, err
	}
	if d.loop, err = command("losetup", "-f", "--show", d.image); err != nil {
		return nil, err
	}
	return d, d.attach()
}

func (d *disk) attach() error {
	_, err := command("mount", "-t", "ext4", d.loop, d.mount)
	d.mounted = err == nil
	return err
}

// cut is the moment without power.
func (d *disk) cut() error {
	f, err := os.Open(d.mount)
	if err != nil {
		return err
	}
	defer f.Close()
	const shutdown = 0x8004587d // EXT4_IOC_SHUTDOWN, the same number as xfs's
	noLogFlush := uint32(2)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), shutdown, uintptr(unsafe.Pointer(&noLogFlush))); errno != 0 {
		return fmt.Errorf("file-system shutdown: %w", errno)
	}
	return nil
}

// detach unmounts as soon as the killed broker has let go of its files.
func (d *disk) detach() (err error) {
	for range 100 {
		if _, err = command("umount", d.mount); err == nil {
			d.mounted = false
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// remove takes everything away.
func (d *disk) remove() {
	if d.mounted {
		d.detach()
	}
	if d.loop != "" {
		command("losetup", "-d", d.loop)
	}
	os.Remove(d.image)
}

func command(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
