package meta

import (
	"slices"

	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
)

// SupportedFeatures is what this binary can finalize: a level stands here only once its behaviour is real. Of
// metadata.version one level is supported, as the records are written at its versions alone.
func SupportedFeatures() []FeatureRange {
	return []FeatureRange{
		{KRaftVersionFeature, 0, KRaftVersion},
		{MetadataVersionFeature, MetadataVersion, MetadataVersion},
	}
}

// Raise is the UpdateFeatures that a cluster of one node applies at its start, so that a new binary's levels come into
// force; ok is false when there is nothing to raise.
func Raise(image *Image, supported []FeatureRange) (cmd UpdateFeatures, ok bool) {
	for _, f := range supported {
		if f.Name != KRaftVersionFeature && image.features[f.Name] < f.Max {
			cmd.Updates = append(cmd.Updates, FeatureUpdate{f.Name, f.Max, Upgrade})
		}
	}
	return cmd, len(cmd.Updates) > 0
}

// bootstrap writes what every cluster begins with.
func (c *Controller) bootstrap(w *writer) BootstrapReply {
	if !c.image.Bootstrapped() {
		for _, f := range c.bootstrapFeatures() {
			w.add(&record.FeatureLevelRecord{Name: f.Name, FeatureLevel: f.Max})
		}
	}
	return BootstrapReply{Offset: w.offset()}
}

// bootstrapFeatures are the supported levels, metadata.version first, as all others are read under it.
func (c *Controller) bootstrapFeatures() []FeatureRange {
	out := slices.DeleteFunc(slices.Clone(c.opts.Features), func(f FeatureRange) bool { return f.Name == KRaftVersionFeature || f.Max == 0 })
	slices.SortStableFunc(out, func(a, b FeatureRange) int { return rank(a.Name) - rank(b.Name) })
	return out
}

func (c *Controller) updateFeatures(cmd UpdateFeatures, w *writer) UpdateFeaturesReply {
	out := UpdateFeaturesReply{Features: make([]FeatureResult, len(cmd.Updates))}
	twice := repeated(len(cmd.Updates), func(i int) string { return cmd.Updates[i].Name })
	if len(cmd.Updates) == 0 {
		out.Err, out.Message = wire.InvalidRequest, "The request names no feature."
	}
	for i, u := range cmd.Updates {
		p := refuse(wire.InvalidRequest, "The feature %s stands more than once in the request.", u.Name)
		if !twice[u.Name] {
			p = c.updateFeature(u, w)
		}
		out.Features[i].Name = u.Name
		if p != nil {
			out.Features[i].Err, out.Features[i].Message = p.code, p.message
			if out.Err == wire.None {
				out.Err, out.Message = p.code, p.message
			}
		}
	}
	if out.Err != wire.None || cmd.ValidateOnly {
		w.dropAll() // all levels or none
	}
	out.Offset = w.offset()
	return out
}

func (c *Controller) updateFeature(u FeatureUpdate, w *writer) *problem {
	now := c.image.features[u.Name]
	switch {
	case u.Type != Upgrade && u.Type != SafeDowngrade && u.Type != UnsafeDowngrade:
		return refuse(wire.InvalidUpdateVersion, "There is no feature update of type %d.", u.Type)
	case u.Level < 0:
		return refuse(wire.InvalidUpdateVersion, "A feature level is not negative; %s cannot become %d.", u.Name, u.Level)
	case u.Level == now:
		return nil
	case u.Level < now && u.Type == Upgrade:
		return refuse(wire.InvalidUpdateVersion, "%s is at %d; %d would be a downgrade, which has to be asked for as one.", u.Name, now, u.Level)
	case u.Level > now && u.Type != Upgrade:
		return refuse(wire.InvalidUpdateVersion, "%s is at %d; %d would be an upgrade, which has to be asked for as one.", u.Name, now, u.Level)
	case u.Name == KRaftVersionFeature:
		return refuse(wire.InvalidUpdateVersion, "%s is at %d since the quorum was formed and cannot change.", u.Name, now)
	case u.Name == MetadataVersionFeature && u.Level == 0:
		return refuse(wire.InvalidUpdateVersion, "A cluster cannot be without %s.", u.Name)
	}
	if p := c.supported(u); p != nil {
		return p
	}
	w.add(&record.FeatureLevelRecord{Name: u.Name, FeatureLevel: u.Level})
	return nil
}

// supported: by this controller and by every registered broker that said what it supports.
func (c *Controller) supported(u FeatureUpdate) *problem {
	if !covers(c.opts.Features, u) {
		return refuse(wire.InvalidUpdateVersion, "This controller does not support %s %d.", u.Name, u.Level)
	}
	for _, b := range c.image.Brokers() {
		if len(b.Features) > 0 && !covers(b.Features, u) {
			return refuse(wire.InvalidUpdateVersion, "Broker %d does not support %s %d.", b.ID, u.Name, u.Level)
		}
	}
	return nil
}

func covers(ranges []FeatureRange, u FeatureUpdate) bool {
	at := slices.IndexFunc(ranges, func(f FeatureRange) bool { return f.Name == u.Name })
	if at < 0 {
		return false
	}
	return u.Level == 0 && ranges[at].Min <= 1 || u.Level >= ranges[at].Min && u.Level <= ranges[at].Max
}

// allocateProducerIDs moves the mark that all ids below have been given out. The block may be used once the record is
// committed: a crash in between loses a block of ids, never gives one twice (IDM-3).
func (c *Controller) allocateProducerIDs(cmd AllocateProducerIDs, w *writer) AllocateProducerIDsReply {
	first := c.image.producerID
	_, p := current(c.image, cmd.Broker, cmd.Epoch)
	if p == nil && first > 1<<63-1-ProducerIDBlock {
		p = refuse(wire.UnknownServerError, "All producer ids have been given out.")
	}
	if p != nil {
		return AllocateProducerIDsReply{Err: p.code, Message: p.message, First: -1, Offset: w.offset()}
	}
	w.add(&record.ProducerIDsRecord{BrokerID: cmd.Broker, BrokerEpoch: cmd.Epoch, NextProducerID: first + ProducerIDBlock})
	return AllocateProducerIDsReply{First: first, Count: ProducerIDBlock, Offset: w.offset()}
}
