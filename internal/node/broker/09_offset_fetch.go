// OffsetFetch (key 9), versions 1-10
//
// Reads the positions of one or several groups. No topics asked for (null) means all that the group has. Needs
// Describe on each group and on each topic; topics of a list of all that the client may not see are left out.
//
//	v2   all topics, top-level error
//	v5   leader epoch
//	v6   flexible
//	v7   require stable: UNSTABLE_OFFSET_COMMIT while a transaction holds offsets
//	v8   several groups
//	v9   member id and epoch
//	v10  topic ids instead of names

package broker

import (
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/group"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.OffsetFetch, Min: 1, Max: 10, Handle: decoded(handleOffsetFetch)})

func handleOffsetFetch(r *Request, req *kmsg.OffsetFetchRequest) {
	if r.Version < 8 {
		req.Groups = []kmsg.OffsetFetchRequestGroup{oneGroup(r, req)}
	}
	groups := make([]kmsg.OffsetFetchResponseGroup, len(req.Groups))
	var open atomic.Int32
	open.Store(int32(len(groups)) + 1)
	done := func() {
		if open.Add(-1) == 0 {
			r.Reply(r.fetchedOffsets(groups))
		}
	}
	for i := range req.Groups {
		out := &groups[i]
		*out = kmsg.NewOffsetFetchResponseGroup()
		r.fetchGroup(&req.Groups[i], req.RequireStable, out, done)
	}
	done()
}

// oneGroup is the form that requests have had since version 8.
func oneGroup(r *Request, req *kmsg.OffsetFetchRequest) kmsg.OffsetFetchRequestGroup {
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.MemberEpoch = req.Group, -1
	if req.Topics == nil && r.Version >= 2 {
		return g
	}
	g.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	for _, t := range req.Topics {
		n := kmsg.NewOffsetFetchRequestGroupTopic()
		n.Topic, n.Partitions = t.Topic, t.Partitions
		g.Topics = append(g.Topics, n)
	}
	return g
}

func (r *Request) fetchGroup(in *kmsg.OffsetFetchRequestGroup, stable bool, out *kmsg.OffsetFetchResponseGroup, done func()) {
	out.Group = in.Group
	if !r.allowed(auth.Describe, auth.Group(in.Group)) {
		r.refuseGroup(in, out, wire.GroupAuthorizationFailed)
		done()
		return
	}
	command := group.OffsetFetch{Version: r.Version, Group: in.Group, MemberID: in.MemberID, MemberEpoch: in.MemberEpoch,
		All: in.Topics == nil, RequireStable: stable}
	for i := range in.Topics {
		name, code := r.offsetsOf(&in.Topics[i])
		if code != wire.None {
			out.Topics = append(out.Topics, r.refusedOffsets(&in.Topics[i], code))
			continue
		}
		command.Topics = append(command.Topics, group.FetchTopic{Topic: name, TopicID: in.Topics[i].TopicID, Partitions: in.Topics[i].Partitions})
	}
	ask(r, in.Group, command, func(reply group.OffsetFetchReply, code wire.ErrorCode) {
		if code == wire.None {
			code = reply.Err
		}
		if code != wire.None {
			r.refuseGroup(in, out, code)
			done()
			return
		}
		for i := range reply.Topics {
			t := &reply.Topics[i]
			if command.All && !r.allowed(auth.Describe, auth.Topic(t.Topic)) {
				continue
			}
			if o, ok := r.fetchedTopic(t); ok {
				out.Topics = append(out.Topics, o)
			}
		}
		done()
	})
}

// offsetsOf is the name under which the group remembers a topic.
func (r *Request) offsetsOf(in *kmsg.OffsetFetchRequestGroupTopic) (string, wire.ErrorCode) {
	name := in.Topic
	if r.Version >= 10 {
		t := r.b.host.Image().TopicByID(in.TopicID)
		if t == nil {
			return "", wire.UnknownTopicID
		}
		name = t.Name
	}
	if !r.allowed(auth.Describe, auth.Topic(name)) {
		return "", wire.TopicAuthorizationFailed
	}
	return name, wire.None
}

func (r *Request) refusedOffsets(in *kmsg.OffsetFetchRequestGroupTopic, code wire.ErrorCode) kmsg.OffsetFetchResponseGroupTopic {
	r.fail(code)
	t := kmsg.NewOffsetFetchResponseGroupTopic()
	t.Topic, t.TopicID = in.Topic, in.TopicID
	for _, partition := range in.Partitions {
		t.Partitions = append(t.Partitions, fetchedOffset(group.FetchedPartition{Partition: partition, Offset: -1, LeaderEpoch: -1, Err: code}))
	}
	return t
}

// refuseGroup gives a group's error; before version 2 there was no place for it but the partitions.
func (r *Request) refuseGroup(in *kmsg.OffsetFetchRequestGroup, out *kmsg.OffsetFetchResponseGroup, code wire.ErrorCode) {
	r.fail(code)
	out.ErrorCode = int16(code)
	out.Topics = nil
	if r.Version >= 2 {
		return
	}
	for i := range in.Topics {
		out.Topics = append(out.Topics, r.refusedOffsets(&in.Topics[i], code))
	}
}

// fetchedTopic translates one topic; from version 10 on a topic without an id any more cannot be named.
func (r *Request) fetchedTopic(in *group.FetchedTopic) (kmsg.OffsetFetchResponseGroupTopic, bool) {
	t := kmsg.NewOffsetFetchResponseGroupTopic()
	t.Topic, t.TopicID = in.Topic, in.TopicID
	if r.Version >= 10 && in.TopicID.IsZero() {
		var known *meta.Topic
		if known = r.b.host.Image().Topic(in.Topic); known == nil {
			return t, false
		}
		t.TopicID = known.ID
	}
	for _, p := range in.Partitions {
		r.fail(p.Err)
		t.Partitions = append(t.Partitions, fetchedOffset(p))
	}
	return t, true
}

func fetchedOffset(p group.FetchedPartition) kmsg.OffsetFetchResponseGroupTopicPartition {
	o := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	o.Partition, o.Offset, o.LeaderEpoch, o.ErrorCode = p.Partition, p.Offset, p.LeaderEpoch, int16(p.Err)
	o.Metadata = &p.Metadata
	return o
}

func (r *Request) fetchedOffsets(groups []kmsg.OffsetFetchResponseGroup) *kmsg.OffsetFetchResponse {
	resp := kmsg.NewPtrOffsetFetchResponse()
	if r.Version >= 8 {
		resp.Groups = groups
		return resp
	}
	g := &groups[0]
	resp.ErrorCode = g.ErrorCode
	for _, t := range g.Topics {
		n := kmsg.NewOffsetFetchResponseTopic()
		n.Topic = t.Topic
		for _, p := range t.Partitions {
			o := kmsg.NewOffsetFetchResponseTopicPartition()
			o.Partition, o.Offset, o.LeaderEpoch, o.Metadata, o.ErrorCode = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode
			n.Partitions = append(n.Partitions, o)
		}
		resp.Topics = append(resp.Topics, n)
	}
	return resp
}
