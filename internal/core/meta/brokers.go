package meta

import (
	"maps"
	"slices"
	"time"

	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
)

// session is a broker that the controller hears of.
type session struct {
	epoch int64
	seen  time.Time
	// heard: the broker has spoken to this controller. A session that was only adopted from the log fences a broker
	// that stays silent, but does not keep a restarted one out.
	heard bool
}

// registerBroker gives a broker its epoch: the offset of its record. A broker that died and came back takes its place
// again; one that another process impersonates while the first still sends heartbeats does not.
func (c *Controller) registerBroker(now time.Time, r RegisterBroker, w *writer) RegisterBrokerReply {
	before := c.image.Broker(r.ID)
	if p := c.checkRegistration(now, r, before); p != nil {
		return RegisterBrokerReply{Err: p.code, Message: p.message, Epoch: -1, Offset: w.offset()}
	}
	if before != nil && before.Incarnation == r.Incarnation {
		return RegisterBrokerReply{Epoch: before.Epoch, Offset: w.offset()} // the answer was lost, not the record
	}
	epoch := w.offset() + 1
	b := &Broker{ID: r.ID, Epoch: epoch, Incarnation: r.Incarnation, Endpoints: r.Endpoints, Fenced: true,
		Dirs: sortedIDs(r.Dirs), Cordoned: sortedIDs(r.Cordoned), Features: r.Features}
	if r.Rack != nil {
		b.Rack, b.HasRack = *r.Rack, true
	}
	w.add(b.record())
	if before != nil {
		c.moveLeaders(r.ID, w)
	}
	delete(c.sessions, r.ID)
	clean := before != nil && r.PreviousEpoch == before.Epoch
	return RegisterBrokerReply{Epoch: epoch, Clean: clean, Offset: w.offset()}
}

func sortedIDs(ids []wire.UUID) []wire.UUID {
	out := slices.Clone(ids)
	slices.SortFunc(out, func(a, b wire.UUID) int { return slices.Compare(a[:], b[:]) })
	return out
}

func (c *Controller) checkRegistration(now time.Time, r RegisterBroker, before *Broker) *problem {
	switch {
	case r.ID < 0:
		return refuse(wire.InvalidRequest, "%d is not a broker id.", r.ID)
	case r.Incarnation.IsZero():
		return refuse(wire.InvalidRegistration, "Broker %d registers without an incarnation id.", r.ID)
	case r.ClusterID != "" && c.opts.ClusterID != "" && r.ClusterID != c.opts.ClusterID:
		return refuse(wire.InconsistentClusterID, "Broker %d belongs to the cluster %s, this is %s.", r.ID, r.ClusterID, c.opts.ClusterID)
	case before != nil && before.Incarnation != r.Incarnation && c.alive(now, before):
		return refuse(wire.DuplicateBrokerRegistration, "Another broker with the id %d is running: it was heard of %s ago.", r.ID, now.Sub(c.sessions[r.ID].seen).Round(time.Millisecond))
	}
	if p := c.checkDirs(r); p != nil {
		return p
	}
	return c.checkBrokerFeatures(r)
}

// checkDirs: a directory belongs to one broker only.
func (c *Controller) checkDirs(r RegisterBroker) *problem {
	for i, d := range sortedIDs(r.Dirs) {
		if d == wire.DirectoryMigrating || d == wire.DirectoryUnassigned || d == wire.DirectoryLost {
			return refuse(wire.InvalidRegistration, "Broker %d registers the directory id %s, which is reserved.", r.ID, d)
		}
		if i > 0 && sortedIDs(r.Dirs)[i-1] == d {
			return refuse(wire.InvalidRegistration, "Broker %d registers the directory %s twice.", r.ID, d)
		}
		for _, other := range c.image.Brokers() {
			if other.ID != r.ID && slices.Contains(other.Dirs, d) {
				return refuse(wire.InvalidRegistration, "Broker %d registers the directory %s, which belongs to broker %d.", r.ID, d, other.ID)
			}
		}
	}
	return nil
}

// checkBrokerFeatures: a broker has to know every finalized level. One that names no features is this binary itself.
func (c *Controller) checkBrokerFeatures(r RegisterBroker) *problem {
	if len(r.Features) == 0 {
		return nil
	}
	for _, name := range sortedKeys(c.image.features) {
		level := c.image.features[name]
		at := slices.IndexFunc(r.Features, func(f FeatureRange) bool { return f.Name == name })
		if at < 0 || level < r.Features[at].Min || level > r.Features[at].Max {
			return refuse(wire.UnsupportedVersion, "Broker %d does not support %s %d, which the cluster uses.", r.ID, name, level)
		}
	}
	return nil
}

// current finds a broker by the epoch it believes in.
func current(image *Image, id int32, epoch int64) (*Broker, *problem) {
	b := image.Broker(id)
	switch {
	case b == nil:
		return nil, refuse(wire.BrokerIDNotRegistered, "Broker %d is not registered.", id)
	case b.Epoch != epoch:
		return nil, refuse(wire.StaleBrokerEpoch, "Broker %d is registered with epoch %d, not %d.", id, b.Epoch, epoch)
	}
	return b, nil
}

func brokerReply(p *problem, w *writer) BrokerReply {
	if p != nil {
		w.drop()
		return BrokerReply{Err: p.code, Message: p.message, Offset: w.offset()}
	}
	return BrokerReply{Offset: w.offset()}
}

func (c *Controller) unfenceBroker(cmd UnfenceBroker, w *writer) BrokerReply {
	b, p := current(c.image, cmd.ID, cmd.Epoch)
	if p == nil {
		c.unfence(b, w)
	}
	return brokerReply(p, w)
}

func (c *Controller) unfence(b *Broker, w *writer) {
	if b.Fenced {
		w.add(&record.BrokerRegistrationChangeRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, Fenced: changeUnfence})
	}
}

func (c *Controller) fenceBroker(cmd FenceBroker, w *writer) BrokerReply {
	b, p := current(c.image, cmd.ID, cmd.Epoch)
	if p == nil {
		c.fence(b, w)
	}
	return brokerReply(p, w)
}

// fence takes the broker out of every in-sync set that has another live member, and its leaderships away.
func (c *Controller) fence(b *Broker, w *writer) {
	if b.Fenced {
		return
	}
	w.add(&record.BrokerRegistrationChangeRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, Fenced: changeFence})
	c.giveUp(b.ID, w)
	w.accept() // another broker fenced by the same tick is not to lead what this one led, and the other way round
	delete(c.sessions, b.ID)
}

func (c *Controller) unregisterBroker(cmd UnregisterBroker, w *writer) BrokerReply {
	b := c.image.Broker(cmd.ID)
	if b == nil {
		return brokerReply(refuse(wire.BrokerIDNotRegistered, "Broker %d is not registered.", cmd.ID), w)
	}
	c.giveUp(b.ID, w)
	w.add(&record.UnregisterBrokerRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch})
	delete(c.sessions, b.ID)
	return brokerReply(nil, w)
}

// heartbeat keeps the session and moves the broker between fenced, unfenced and shutting down.
func (c *Controller) heartbeat(now time.Time, h BrokerHeartbeat, w *writer) BrokerHeartbeatReply {
	b, p := current(c.image, h.ID, h.Epoch)
	if p != nil {
		return BrokerHeartbeatReply{Err: p.code, Message: p.message, Fenced: true, Offset: w.offset()}
	}
	out := BrokerHeartbeatReply{CaughtUp: h.MetadataOffset >= b.Epoch, Fenced: b.Fenced}
	switch {
	case h.WantShutdown:
		out.ShouldShutdown = c.shutDown(b, w)
	case h.WantFence:
		c.fence(b, w)
		out.Fenced = true
	case b.Fenced && out.CaughtUp:
		c.unfence(b, w)
		out.Fenced = false
	}
	c.sessions[h.ID] = session{epoch: h.Epoch, seen: now, heard: true}
	out.Offset = w.offset()
	return out
}

// shutDown moves the broker's leaderships to others. It may go once it leads nothing, or nothing that anybody else
// could lead.
func (c *Controller) shutDown(b *Broker, w *writer) (mayGo bool) {
	if b.Fenced {
		return true
	}
	if !b.Shutdown {
		w.add(&record.BrokerRegistrationChangeRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, InControlledShutdown: changeToShutdown})
	}
	return c.moveLeaders(b.ID, w) == 0
}

func (c *Controller) alive(now time.Time, b *Broker) bool {
	s, ok := c.sessions[b.ID]
	timeout := c.opts.SessionTimeout
	return ok && s.heard && s.epoch == b.Epoch && !b.Fenced && (timeout == 0 || now.Sub(s.seen) < timeout)
}

func (c *Controller) adoptSessions(now time.Time) {
	for _, b := range c.image.Brokers() {
		if !b.Fenced {
			c.sessions[b.ID] = session{epoch: b.Epoch, seen: now}
		}
	}
}

func (c *Controller) nextSessionEnd() (first time.Time) {
	if c.opts.SessionTimeout == 0 {
		return first
	}
	for id, s := range c.sessions { // order-free: a minimum
		if b := c.image.Broker(id); b == nil || b.Fenced || b.Epoch != s.epoch {
			continue
		}
		if end := s.seen.Add(c.opts.SessionTimeout); first.IsZero() || end.Before(first) {
			first = end
		}
	}
	return first
}

// endSessions fences the brokers that were silent for too long.
func (c *Controller) endSessions(now time.Time, w *writer) {
	if c.opts.SessionTimeout == 0 {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(c.sessions)) {
		b, s := c.image.Broker(id), c.sessions[id]
		if b == nil || b.Epoch != s.epoch {
			delete(c.sessions, id)
			continue
		}
		if !b.Fenced && now.Sub(s.seen) >= c.opts.SessionTimeout {
			c.fence(b, w)
		}
	}
}
