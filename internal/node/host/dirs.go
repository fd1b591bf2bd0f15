package host

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/env"
)

// openDirs locks and recovers the log directories. All must belong to one cluster and to this node; the first, which
// holds the metadata, may be empty only if all are: else a lost metadata directory would look like a new cluster. The
// node goes on without another directory whose disk fails.
func (h *Host) openDirs() error {
	if err := h.findCluster(); err != nil {
		return err
	}
	for i, path := range h.o.Dirs {
		d, err := commitlog.OpenDir(h.dirOptions(path))
		switch {
		case err == nil:
			h.dirs = append(h.dirs, d)
			d.OnFail(func(error) { h.failed(d) })
		case i > 0 && brokenDisk(err):
			h.goOnWithout(path, wire.UUID{}, err)
		default:
			return err
		}
	}
	if err := h.loadDirs(); err != nil {
		return err
	}
	return h.noTwins()
}

// brokenDisk tells a directory that cannot be used from one that must not be: another's, or one with damaged files
// that say whose it is.
func brokenDisk(err error) bool {
	return !errors.Is(err, commitlog.ErrForeign) && !errors.Is(err, commitlog.ErrCorrupt) && !errors.Is(err, env.ErrLocked)
}

// goOnWithout reports a directory as offline for the whole life of this node. To the metadata it is gone, so the
// partitions whose logs lie there are missing.
func (h *Host) goOnWithout(path string, id wire.UUID, err error) {
	h.o.Log.Error("a log directory is offline from the start, and the node goes on without it", "path", path, "err", err)
	h.broken = append(h.broken, DirState{Path: path, ID: id, Err: err})
}

// loadDirs recovers all directories at once: each is a disk of its own.
func (h *Host) loadDirs() error {
	errs := make([]error, len(h.dirs))
	var loading sync.WaitGroup
	for i, d := range h.dirs {
		loading.Go(func() {
			errs[i] = d.Load(func(done, total int) {
				if h.o.Progress != nil {
					h.o.Progress(d.Path(), done, total)
				}
			})
		})
	}
	loading.Wait()
	var work []*commitlog.Dir
	for i, d := range h.dirs {
		if i == 0 || errs[i] == nil || !brokenDisk(errs[i]) {
			work = append(work, d)
			continue
		}
		d.Abandon()
		h.goOnWithout(d.Path(), d.ID(), fmt.Errorf("log directory %s: %w", d.Path(), errs[i]))
		errs[i] = nil
	}
	h.dirs = work
	return errors.Join(errs...)
}

func (h *Host) dirOptions(path string) commitlog.DirOptions {
	o := h.o.Dir
	o.Env, o.Path, o.ClusterID, o.NodeID, o.Log = h.o.Env, path, h.clusterID, h.o.NodeID, h.o.Log
	o.Defaults = keepAll() // until the image speaks of the log
	if h.o.Metrics != nil {
		o.Metrics = h.o.Metrics.Dir(path)
	}
	return o
}

func (h *Host) findCluster() error {
	for i, path := range h.o.Dirs {
		id, err := commitlog.ReadClusterID(h.o.Env.Disk, path)
		switch {
		case err != nil: // an empty metadata directory beside it: whether the cluster is new cannot be known
			return fmt.Errorf("log directory %s: %w", path, err)
		case id == "":
			continue
		case h.clusterID == "" && i > 0:
			return fmt.Errorf("log directory %s belongs to cluster %s, but the metadata directory %s is empty: "+
				"bring its content back, or name the directory that holds the metadata first", path, id, h.o.Dirs[0])
		}
		h.clusterID = id
		return nil // OpenDir compares the others with it
	}
	h.clusterID = h.newID().String()
	return nil
}

// noTwins refuses two logs of one partition: which of them was acknowledged cannot be known.
func (h *Host) noTwins() error {
	where := map[key]string{}
	for _, d := range h.dirs {
		for _, l := range d.Logs() {
			k := key{l.Topic(), l.Partition()}
			if other, ok := where[k]; ok {
				return fmt.Errorf("both %s and %s hold a log of %s-%d: move one of them away", other, d.Path(), k.topic, k.partition)
			}
			where[k] = d.Path()
		}
	}
	return nil
}

// Dirs describes the log directories, those that work and those that do not.
func (h *Host) Dirs() []DirState {
	all := slices.Clone(h.broken)
	for _, d := range h.dirs {
		free, total := d.Space()
		all = append(all, DirState{d.Path(), d.ID(), d.Failed(), free, total})
	}
	return all
}

// failed takes the partitions of a directory that went offline out of service.
func (h *Host) failed(d *commitlog.Dir) {
	for _, p := range h.Partitions() {
		if p.log.Dir() == d {
			p.resign(wire.KafkaStorageError)
		}
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, r := range h.runners {
		if r.p.log.Dir() == d {
			r.nudge() // its callers may wait for long
		}
	}
}

// registeredDirs are the directories that this start registers: its own, and those of the last start that are gone as
// long as a log is missed that may lie there.
func (h *Host) registeredDirs() (ids []wire.UUID) {
	for _, d := range h.dirs {
		ids = append(ids, d.ID())
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	if len(h.missing) > 0 {
		ids = append(ids, h.lost...)
	}
	return ids
}

// roomiest is the directory with the fewest logs among those that work, as Kafka chooses.
func (h *Host) roomiest() *commitlog.Dir {
	var best *commitlog.Dir
	count := 0
	for _, d := range h.dirs {
		if d.Failed() != nil {
			continue
		}
		if n := d.Count(); best == nil || n < count {
			best, count = d, n
		}
	}
	return best
}

// lostDirs are those of this node's last registration that this start did not find.
func (h *Host) lostDirs(image *meta.Image) (lost []wire.UUID) {
	b := image.Broker(h.o.NodeID)
	if b == nil {
		return nil
	}
	for _, id := range b.Dirs {
		if !slices.ContainsFunc(h.dirs, func(d *commitlog.Dir) bool { return d.ID() == id }) {
			lost = append(lost, id)
		}
	}
	return lost
}
