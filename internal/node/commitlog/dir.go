package commitlog

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/kafka/wire"
	"millrace/internal/metrics"
	"millrace/internal/node/env"
	"millrace/internal/node/env/failpoint"
)

// DirOptions say which directory is opened and how. Zero numbers take the defaults written beside them.
type DirOptions struct {
	Env       env.Env
	Path      string
	ClusterID string
	NodeID    int32
	Log       *slog.Logger
	Metrics   *metrics.Dir // nil: nothing is counted

	MaxOpenFiles    int                       // 4096: idle handles beyond it are closed
	RecoveryThreads int                       // 4
	SyncWorkers     int                       // 16; Inline or Stepped: no goroutines
	Reserve         int64                     // bytes kept free: max(64 MiB, 1 % of the file system)
	Defaults        Config                    // of logs found by Load, until SetConfig; zero: DefaultConfig
	Configure       func(topic string) Config // if set, asked instead of Defaults

	CheckpointInterval     time.Duration // 60 s: recovery points and log starts
	CheckpointBytes        int64         // 2 GiB appended make a checkpoint due earlier
	HighWatermarkInterval  time.Duration // 5 s
	RetentionInterval      time.Duration // 5 min
	ProducerExpiryInterval time.Duration // 10 min
	CleanerBackoff         time.Duration // 15 s between two looks for logs to compact
}

func (o *DirOptions) setDefaults() {
	o.MaxOpenFiles = cmp.Or(o.MaxOpenFiles, 4096)
	o.RecoveryThreads = cmp.Or(o.RecoveryThreads, 4)
	o.SyncWorkers = cmp.Or(o.SyncWorkers, 16)
	o.CheckpointInterval = cmp.Or(o.CheckpointInterval, time.Minute)
	o.CheckpointBytes = cmp.Or(o.CheckpointBytes, 2<<30)
	o.HighWatermarkInterval = cmp.Or(o.HighWatermarkInterval, 5*time.Second)
	o.RetentionInterval = cmp.Or(o.RetentionInterval, 5*time.Minute)
	o.ProducerExpiryInterval = cmp.Or(o.ProducerExpiryInterval, 10*time.Minute)
	o.CleanerBackoff = cmp.Or(o.CleanerBackoff, 15*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Defaults == (Config{}) {
		o.Defaults = DefaultConfig()
	}
	if o.Configure == nil {
		o.Configure = func(string) Config { return o.Defaults }
	}
}

// Dir is one log directory.
type Dir struct {
	// Constant after OpenDir.
	options DirOptions
	disk    env.Disk
	random  env.Random
	log     *slog.Logger
	path    string
	meta    metaProperties
	clean   bool
	epoch   int64 // broker epoch of the clean marker
	lock    io.Closer

	handles handles
	loop    syncLoop
	failure atomic.Pointer[error]
	space   space
	names   names

	appended atomic.Int64 // bytes since the start

	checkpointing sync.Mutex // one writer of the checkpoint files
	ticking       ticks      // owned by Tick
	cleaner       cleaner

	mu         sync.Mutex
	logs       map[partition]*Log
	onFail     []func(error)
	onDisk     map[string]map[partition]int64 // the checkpoint files as last read or written
	removals   []removal
	cleanedTo  map[partition]int64 // how far the cleaner has been through each log
	closedOnce bool
}

// names makes new names in the directory durable for many logs with one sync.
type names struct {
	mu     sync.Mutex
	ticket atomic.Int64
	synced int64
}

// OpenDir locks a directory, makes sure that it is this node's (an empty one becomes so), and reads its checkpoints. The
// clean marker is gone, durably, when it returns (L5).
func OpenDir(o DirOptions) (*Dir, error) {
	o.setDefaults()
	d := &Dir{options: o, disk: o.Env.Disk, random: o.Env.Random, log: o.Log, path: o.Path, logs: map[partition]*Log{},
		onDisk: map[string]map[partition]int64{}}
	d.handles = handles{disk: d.disk, max: o.MaxOpenFiles}
	if err := d.disk.Mkdir(d.path); err != nil {
		return nil, fmt.Errorf("log directory %s: %w", d.path, err)
	}
	if _, err := d.disk.Stat(filepath.Join(d.path, metaPropertiesFile)); env.NotExist(err) {
		if err := d.mustBeEmpty(); err != nil { // before the lock leaves a file in somebody's directory
			return nil, fmt.Errorf("log directory %s: %w", d.path, err)
		}
	}
	lock, err := d.disk.Lock(filepath.Join(d.path, lockFile))
	if errors.Is(err, env.ErrLocked) {
		return nil, fmt.Errorf("log directory %s is in use: %w", d.path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("log directory %s: %w", d.path, err)
	}
	d.lock = lock
	if err := d.open(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("log directory %s: %w", d.path, err)
	}
	d.loop.start(o.SyncWorkers)
	return d, nil
}

func (d *Dir) open() error {
	if err := d.own(); err != nil {
		return err
	}
	for _, name := range []string{recoveryPointFile, logStartFile, highWatermarkFile, cleanerFile} {
		offsets, err := d.readCheckpoint(name)
		if err != nil {
			return err
		}
		d.onDisk[name] = offsets
	}
	d.cleanedTo = maps.Clone(d.onDisk[cleanerFile])
	epoch, clean, err := readCleanMarker(d.disk, d.path)
	if err != nil {
		return err
	}
	d.epoch, d.clean = epoch, clean
	if b, err := readWhole(d.disk, filepath.Join(d.path, cleanMarkerFile)); err != nil || b == nil || keepCleanMarker {
		return err
	}
	if err := failpoint.Hit("marker.before-remove"); err != nil {
		return err
	}
	if err := d.disk.Remove(filepath.Join(d.path, cleanMarkerFile)); err != nil {
		return err
	}
	if err := failpoint.Hit("marker.after-remove"); err != nil {
		return err
	}
	return d.disk.SyncDir(d.path)
}

// readCheckpoint reads an offset checkpoint. A damaged one counts as empty: that costs a longer recovery, where a wrong
// offset would cost data. The log start is the exception: forgetting it would bring deleted records back (RET-2).
func (d *Dir) readCheckpoint(name string) (map[partition]int64, error) {
	b, err := readWhole(d.disk, filepath.Join(d.path, name))
	if err != nil || b == nil {
		return map[partition]int64{}, err
	}
	offsets, err := parseOffsets(b)
	if err != nil && name == logStartFile {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err != nil {
		d.log.Warn("checkpoint file is damaged and ignored", "file", name, "error", err)
		return map[partition]int64{}, nil
	}
	return offsets, nil
}

// own reads meta.properties, or writes it into a directory that holds nothing yet.
func (d *Dir) own() error {
	name := filepath.Join(d.path, metaPropertiesFile)
	b, err := readWhole(d.disk, name)
	if err != nil {
		return err
	}
	if len(b) == 0 {
		if err := d.mustBeEmpty(); err != nil {
			return err
		}
		d.meta = metaProperties{d.options.ClusterID, d.options.NodeID, wire.NewUUID(d.random.Uint64(), d.random.Uint64())}
		if err := writeDurable(d.disk, name, d.meta.text()); err != nil {
			return err
		}
		return d.syncParents()
	}
	if d.meta, err = parseMetaProperties(b); err != nil {
		return err
	}
	if d.options.ClusterID != "" && d.meta.clusterID != d.options.ClusterID {
		return fmt.Errorf("%w: it is cluster %s's, this is cluster %s", ErrForeign, d.meta.clusterID, d.options.ClusterID)
	}
	if d.meta.nodeID != d.options.NodeID {
		return fmt.Errorf("%w: it is node %d's, this is node %d", ErrForeign, d.meta.nodeID, d.options.NodeID)
	}
	if d.meta.id.IsZero() {
		d.meta.id = wire.NewUUID(d.random.Uint64(), d.random.Uint64())
		return writeDurable(d.disk, name, d.meta.text())
	}
	return nil
}

// syncParents makes the name of a new directory durable, and those of the directories made on the way to it: all that is
// synced inside is lost with it.
func (d *Dir) syncParents() error {
	for path := filepath.Clean(d.path); filepath.Dir(path) != path; path = filepath.Dir(path) {
		if err := d.disk.SyncDir(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// mustBeEmpty: a directory with logs and without meta.properties is somebody's, and no place to format.
func (d *Dir) mustBeEmpty() error {
	list, err := d.disk.List(d.path)
	if err != nil {
		return err
	}
	for _, e := range list {
		if _, ok := parsePartition(e.Name()); ok && e.IsDir() {
			return fmt.Errorf("%w: it holds %s but no meta.properties", ErrForeign, e.Name())
		}
	}
	return nil
}

// ReadClusterID tells which cluster a directory belongs to before it is opened; it is empty for a new directory.
func ReadClusterID(disk env.Disk, path string) (string, error) {
	b, err := readWhole(disk, filepath.Join(path, metaPropertiesFile))
	if err != nil || len(b) == 0 {
		return "", err
	}
	m, err := parseMetaProperties(b)
	return m.clusterID, err
}

// ID is the directory's own id.
func (d *Dir) ID() wire.UUID { return d.meta.id }

// Path is where it is.
func (d *Dir) Path() string { return d.path }

// ClusterID is the cluster's that the directory belongs to.
func (d *Dir) ClusterID() string { return d.meta.clusterID }

// Clean tells whether the last shutdown was clean, and BrokerEpoch the broker epoch it was recorded with, or -1.
func (d *Dir) Clean() bool { return d.clean }

func (d *Dir) BrokerEpoch() int64 { return d.epoch }

// Logs lists the logs by topic and partition.
func (d *Dir) Logs() []*Log {
	d.mu.Lock()
	logs := make([]*Log, 0, len(d.logs))
	for _, l := range d.logs {
		logs = append(logs, l)
	}
	d.mu.Unlock()
	slices.SortFunc(logs, byName)
	return logs
}

// Count is the number of logs.
func (d *Dir) Count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.logs)
}

func byName(a, b *Log) int {
	return cmp.Or(cmp.Compare(a.partition.topic, b.partition.topic), cmp.Compare(a.partition.index, b.partition.index))
}

// Log returns one log, or nil.
func (d *Dir) Log(topic string, index int32) *Log {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.logs[partition{topic, index}]
}

// Create makes an empty log. Its names become durable with its first sync.
func (d *Dir) Create(topic string, index int32, id wire.UUID, c Config) (*Log, error) {
	if err := d.Failed(); err != nil {
		return nil, err
	}
	p := partition{topic, index}
	if d.Log(topic, index) != nil {
		return nil, fmt.Errorf("log %s exists already", p)
	}
	if err := d.forgetCheckpoints(p); err != nil {
		return nil, err
	}
	l := d.newLog(p, filepath.Join(d.path, p.String()), c)
	l.id = id
	if err := d.disk.Mkdir(l.Path()); err != nil {
		return nil, d.broken("create "+p.String(), err)
	}
	err := failpoint.Hit("log.create.after-mkdir")
	if err == nil {
		err = writeWhole(d.disk, filepath.Join(l.Path(), partitionMetadataFile), partitionMetadata(id), false)
	}
	if err != nil {
		d.disk.RemoveAll(l.Path())
		return nil, d.broken("create "+p.String(), err)
	}
	l.newMetadata, l.nameTicket = true, d.names.ticket.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.logs[p] != nil {
		return nil, fmt.Errorf("log %s exists already", p)
	}
	d.logs[p] = l
	return l, nil
}

func (d *Dir) newLog(p partition, path string, c Config) *Log {
	l := &Log{dir: d, partition: p}
	l.path_.Store(&path)
	l.SetConfig(c)
	return l
}

// syncNames makes the names in the directory durable that were made up to a ticket.
func (d *Dir) syncNames(ticket int64) error {
	d.names.mu.Lock()
	defer d.names.mu.Unlock()
	if d.names.synced >= ticket {
		return nil
	}
	now := d.names.ticket.Load()
	if err := d.disk.SyncDir(d.path); err != nil {
		return err
	}
	d.names.synced = now
	return nil
}

// Failed is why the directory is offline, nil while it is not. It never comes back (DUR-5).
func (d *Dir) Failed() error {
	if err := d.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// OnFail adds a call for the moment the directory goes offline.
func (d *Dir) OnFail(f func(error)) {
	d.mu.Lock()
	d.onFail = append(d.onFail, f)
	d.mu.Unlock()
	if err := d.Failed(); err != nil {
		f(err)
	}
}

// fail takes the directory offline and returns the error that everybody gets from now on (L3).
func (d *Dir) fail(cause error) error {
	err := fmt.Errorf("%w: %s: %w", ErrOffline, d.path, cause)
	if !d.failure.CompareAndSwap(nil, &err) {
		return d.Failed()
	}
	if cause != errAbandoned { // whoever abandons it says why
		d.log.Error("log directory goes offline", "path", d.path, "error", cause)
	}
	d.mu.Lock()
	calls := slices.Clone(d.onFail)
	d.mu.Unlock()
	go func() { // the caller holds locks of a log
		for _, f := range calls {
			f(err)
		}
	}()
	return err
}

// broken judges an error of the disk: a full one harms nothing but the operation, any other takes the directory offline.
func (d *Dir) broken(doing string, err error) error {
	if errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return d.fail(fmt.Errorf("%s: %w", doing, err))
}
