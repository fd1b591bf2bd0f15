package meta

import (
	"fmt"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
)

// Settings is what the controller asks of the table of settings. resource is the name of the resource: for a broker ""
// means the default of all brokers, which not every setting has.
type Settings interface {
	// Known says in one sentence why such a resource cannot have a setting of that name; nil when it can.
	Known(resourceType int8, resource, name string) error
	// Check says why the setting may not have this value. What is not Known is an error here too.
	Check(resourceType int8, resource, name, value string) error
	// CheckTogether says why these values, all that a resource would have set, do not go together with each other or with what the resource inherits.
	CheckTogether(image *Image, resourceType int8, resource string, set map[string]string) error
	// List reports whether the setting is a list, which can be appended to and subtracted from, and its default.
	List(resourceType int8, name string) (isList bool, def string)
}

// Options are the controller's surroundings. All function fields must be set, and deterministic in a simulation.
type Options struct {
	// Image is what to start from, such as a snapshot's; nil is Empty.
	Image     *Image
	ClusterID string
	Settings  Settings
	// NewID makes topic ids.
	NewID func() wire.UUID
	// Partitions and ReplicationFactor are what a topic gets that asks for the default.
	Partitions        int32
	ReplicationFactor int16
	// MinISR tells the min.insync.replicas in force for a topic, for eligible leader replicas. Nil: 1.
	MinISR func(image *Image, topic string) int
	// UncleanElection tells unclean.leader.election.enable in force for a topic. Nil: false.
	UncleanElection func(image *Image, topic string) bool
	// TopicDeletionDisabled is delete.topic.enable=false.
	TopicDeletionDisabled bool
	// Features is what this binary supports; nil is SupportedFeatures.
	Features []FeatureRange
	// SessionTimeout fences a broker that was silent for so long. Zero: never, as on a cluster of one process.
	SessionTimeout time.Duration
}

// Controller decides what is written to the metadata log. It is a machine.Machine: one goroutine at a time.
type Controller struct {
	// Constant after construction.
	opts Options

	// Durable: changed by Replay alone.
	image *Image
	next  int64 // the offset that the next record will get

	// Volatile.
	sessions map[int32]session
	placed   int // where round-robin placement goes on
}

var _ machine.Machine = (*Controller)(nil)

// NewController returns a controller that has read opts.Image.
func NewController(opts Options) *Controller {
	if opts.Image == nil {
		opts.Image = Empty()
	}
	if opts.Features == nil {
		opts.Features = SupportedFeatures()
	}
	if opts.MinISR == nil {
		opts.MinISR = func(*Image, string) int { return 1 }
	}
	if opts.UncleanElection == nil {
		opts.UncleanElection = func(*Image, string) bool { return false }
	}
	return &Controller{opts: opts, image: opts.Image, next: opts.Image.offset + 1, sessions: map[int32]session{}}
}

// Image is the metadata with everything replayed, committed or not: only the controller itself may act on it.
func (c *Controller) Image() *Image { return c.image }

// Replay reads one batch of the metadata log. A control batch (leader change, voters) has no Records and takes one
// offset.
func (c *Controller) Replay(b machine.Batch) error {
	image, _, err := c.image.ApplyBatch(b)
	if err != nil {
		return err
	}
	c.image, c.next = image, image.offset+1
	return nil
}

// Loaded starts the sessions of the brokers that the log says are alive: they have one session timeout to speak up.
func (c *Controller) Loaded(now time.Time) machine.Result {
	c.placed = c.image.TopicCount()
	c.adoptSessions(now)
	return machine.Result{}
}

// Deadline is when the next broker's session ends.
func (c *Controller) Deadline() time.Time { return c.nextSessionEnd() }

// Handle decides one command.
func (c *Controller) Handle(now time.Time, cmd machine.Command) machine.Result {
	w := &writer{next: c.next, image: c.image}
	reply := c.decide(now, cmd.Body, w)
	w.seal()
	r := machine.Result{Records: w.records}
	if cmd.Token != 0 {
		r.Replies = []machine.Reply{{To: cmd.Token, Body: reply}}
	}
	return r
}

func (c *Controller) decide(now time.Time, body any, w *writer) any {
	switch b := body.(type) {
	case Bootstrap:
		return c.bootstrap(w)
	case CreateTopics:
		return c.createTopics(b, w)
	case DeleteTopics:
		return c.deleteTopics(b, w)
	case CreatePartitions:
		return c.createPartitions(b, w)
	case IncrementalAlterConfigs:
		return c.incrementalAlterConfigs(b, w)
	case AlterConfigs:
		return c.alterConfigs(b, w)
	case RegisterBroker:
		return c.registerBroker(now, b, w)
	case UnfenceBroker:
		return c.unfenceBroker(b, w)
	case FenceBroker:
		return c.fenceBroker(b, w)
	case UnregisterBroker:
		return c.unregisterBroker(b, w)
	case BrokerHeartbeat:
		return c.heartbeat(now, b, w)
	case StartLeading:
		return c.startLeading(b, w)
	case ElectLeaders:
		return c.electLeaders(b, w)
	case AllocateProducerIDs:
		return c.allocateProducerIDs(b, w)
	case UpdateFeatures:
		return c.updateFeatures(b, w)
	case AlterPartition:
		return c.alterPartition(b, w)
	case machine.Tick:
		c.endSessions(now, w)
		return nil
	}
	panic(fmt.Sprintf("meta: no command %T", body))
}

// writer collects the records of one command, item by item, and knows the offset that each will get. Its image is the
// controller's with the accepted items applied, so that a later item of the command sees an earlier one.
type writer struct {
	next    int64
	image   *Image
	records []machine.Record
	pending []record.Metadata
}

// add notes a record of the current item and returns its offset.
func (w *writer) add(m record.Metadata) int64 {
	w.pending = append(w.pending, m)
	return w.offset()
}

// offset is that of the last record added, or of the last one replayed.
func (w *writer) offset() int64 { return w.next + int64(len(w.records)+len(w.pending)) - 1 }

// accept ends an item that other items of the command may depend on.
func (w *writer) accept() {
	if len(w.pending) == 0 {
		return
	}
	image, _, err := w.image.Apply(w.pending, w.next+int64(len(w.records)), w.image.epoch)
	if err != nil {
		panic(fmt.Sprintf("meta: the controller wrote what cannot be replayed: %v", err))
	}
	w.image = image
	w.seal()
}

// seal ends the last item.
func (w *writer) seal() {
	for _, m := range w.pending {
		w.records = append(w.records, machine.Record{Value: record.AppendMetadata(nil, m, writeVersion(m))})
	}
	w.pending = nil
}

// drop takes back the current item; dropAll the whole command, as after a dry run.
func (w *writer) drop()    { w.pending = nil }
func (w *writer) dropAll() { w.pending, w.records = nil, nil }

// problem is a refusal on its way into a reply.
type problem struct {
	code    wire.ErrorCode
	message string
}

func refuse(code wire.ErrorCode, format string, args ...any) *problem {
	return &problem{code, fmt.Sprintf(format, args...)}
}
