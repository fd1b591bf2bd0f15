package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"syscall"

	"millrace/internal/node/commitlog"
	"millrace/internal/node/env"
)

// explain turns a failure to open the log directories into one sentence with the remedy.
func explain(err error) error {
	switch {
	case errors.Is(err, env.ErrLocked):
		return fmt.Errorf("%w: another millrace uses it; stop that one, or give this one a directory of its own with log.dirs (dev: --data)", err)
	case errors.Is(err, commitlog.ErrForeign):
		return fmt.Errorf("%w; nothing in it was changed: give this node its own directory with log.dirs (dev: --data), or start it with the node.id and cluster it belongs to", err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: this user may not write there; change the owner of the directory, or name another with log.dirs (dev: --data)", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: make room on that disk, then start again; nothing that was acknowledged is lost", err)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EEXIST):
		return fmt.Errorf("%w: log.dirs (dev: --data) must name a directory", err)
	}
	return err
}

// explainPort does the same for a listener.
func explainPort(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: another program listens there; stop it, or choose another port with listeners (dev: --port)", plain(err))
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: this user may not use ports below 1024; choose another with listeners (dev: --port)", plain(err))
	case addressMissing(err):
		return fmt.Errorf("%w: this machine does not have that address; name one of its own in listeners", plain(err))
	}
	return err
}

// explainAdmin does the same for the admin port.
func explainAdmin(err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: another program listens there, perhaps another millrace; stop it, or choose another port with admin.listeners", plain(err))
	}
	return err
}

// explainRegistry does the same for the schema registry's port.
func explainRegistry(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: another program listens there, perhaps another schema registry; stop it, or choose another port with schema.registry.listeners (dev: --override schema.registry.listeners=http://localhost:8082; registry: --listen)", plain(err))
	case addressMissing(err):
		return fmt.Errorf("%w: this machine does not have that address; name one of its own in schema.registry.listeners", plain(err))
	}
	return err
}

// plain takes the system's repetition of the address out of an error of the network.
func plain(err error) error {
	return errors.New(repetition.ReplaceAllString(err.Error(), ""))
}

var repetition = regexp.MustCompile(`listen tcp [^ ]+ (bind: )?`)

func addressMissing(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}
