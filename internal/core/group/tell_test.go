package group

import (
	"fmt"
	"strings"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/wire"
)

// answered shows a reply and lets the client learn from it.
func (s *script) answered(to machine.Token, body any) {
	name := s.callers[to]
	c := s.clients[name]
	switch r := body.(type) {
	case JoinReply:
		s.say("%s <- %s", name, tellJoin(r))
		if r.Err == wire.None || r.Err == wire.MemberIDRequired {
			c.id, c.generation, c.protocol = r.MemberID, r.Generation, r.Protocol
		}
	case SyncReply:
		s.say("%s <- %s", name, tellSync(r))
	case HeartbeatReply:
		s.say("%s <- %s", name, tellErr(r.Err))
	case LeaveReply:
		s.say("%s <- %s", name, tellLeave(r))
	case OffsetCommitReply:
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				s.say("%s <- %s/%d %s", name, t.Topic, p.Partition, tellErr(p.Err))
			}
		}
	case OffsetFetchReply:
		s.tellFetch(r)
	case OffsetDeleteReply:
		s.tellOffsetDelete(r)
	case DescribeReply:
		s.tellDescribe(r)
	case ListReply:
		for _, g := range r.Groups {
			s.say("%s %s %s type=%s", g.Group, g.State, orNone(g.ProtocolType), g.Type)
		}
		if len(r.Groups) == 0 {
			s.say("none")
		}
	case DeleteReply:
		for _, g := range r.Groups {
			s.say("%s %s", g.Group, tellErr(g.Err))
		}
	case TopicsDeletedReply:
	default:
		s.say("%s <- %+v", name, body)
	}
}

func tellErr(e wire.ErrorCode) string {
	if e == wire.None {
		return "ok"
	}
	return e.String()
}

func tellJoin(r JoinReply) string {
	if r.Err != wire.None {
		return strings.TrimSpace(r.Err.String() + " " + r.MemberID)
	}
	text := fmt.Sprintf("joined as %s generation %d %s leader %s", r.MemberID, r.Generation, tellString(r.Protocol), r.Leader)
	if r.SkipAssignment {
		text += " skip-assignment"
	}
	if len(r.Members) > 0 {
		var ids []string
		for _, m := range r.Members {
			ids = append(ids, m.MemberID)
		}
		text += " members " + strings.Join(ids, ",")
	}
	return text
}

func tellString(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func tellSync(r SyncReply) string {
	if r.Err != wire.None {
		return r.Err.String()
	}
	return fmt.Sprintf("assigned %q by %s", r.Assignment, tellString(r.Protocol))
}

func tellLeave(r LeaveReply) string {
	text := tellErr(r.Err)
	for _, m := range r.Members {
		text += fmt.Sprintf(" [%s %s]", orNone(m.MemberID), tellErr(m.Err))
	}
	return text
}

func (s *script) tellFetch(r OffsetFetchReply) {
	if r.Err != wire.None {
		s.say("%s", r.Err.String())
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			text := fmt.Sprintf("%s/%d = %d", t.Topic, p.Partition, p.Offset)
			if p.Err != wire.None {
				text = fmt.Sprintf("%s/%d %s", t.Topic, p.Partition, tellErr(p.Err))
			}
			if p.Metadata != "" {
				text += fmt.Sprintf(" %q", p.Metadata)
			}
			s.say("%s", text)
		}
	}
	if len(r.Topics) == 0 && r.Err == wire.None {
		s.say("none")
	}
}

func (s *script) tellOffsetDelete(r OffsetDeleteReply) {
	if r.Err != wire.None {
		s.say("%s", r.Err.String())
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			s.say("%s/%d %s", t.Topic, p.Partition, tellErr(p.Err))
		}
	}
}

func (s *script) tellDescribe(r DescribeReply) {
	for _, g := range r.Groups {
		text := fmt.Sprintf("%s %s %s", g.Group, tellErr(g.Err), g.State)
		if g.ProtocolType != "" {
			text += fmt.Sprintf(" %s/%s", g.ProtocolType, orNone(g.Protocol))
		}
		s.say("%s", text)
		for _, m := range g.Members {
			s.say("  %s client %s%s metadata %d bytes assignment %q", m.MemberID, m.ClientID, m.ClientHost, len(m.Metadata), m.Assignment)
		}
	}
}

// wrote shows a batch as it is appended.
func (s *script) wrote(b machine.Batch) {
	prefix := ""
	if b.Producer != nil {
		prefix = fmt.Sprintf("producer %d ", b.Producer.ID)
	}
	if b.Marker != nil {
		s.say("log: %smarker commit=%v", prefix, b.Marker.Commit)
	}
	for _, r := range b.Records {
		s.say("log: %s%s", prefix, tellRecord(r))
	}
}

func tellRecord(r machine.Record) string {
	switch r.Key[1] {
	case offsetKey:
		p, err := parsePosition(r.Key)
		if err != nil {
			return err.Error()
		}
		where := fmt.Sprintf("offset %s %s/%d", p.group, p.topic, p.partition)
		if r.Value == nil {
			return where + " tombstone"
		}
		v, err := parseCommitted(r)
		if err != nil {
			return err.Error()
		}
		text := fmt.Sprintf("%s = %d v%d", where, v.offset, r.Value[1])
		if v.expireMs >= 0 {
			text += fmt.Sprintf(" expires %dms", v.expireMs)
		}
		return text
	case groupKey:
		return tellGroupRecord(r)
	}
	return fmt.Sprintf("type %d %q value %x", r.Key[1], r.Key[4:], r.Value)
}

func tellGroupRecord(r machine.Record) string {
	id, err := parseGroupKey(r.Key)
	if err != nil {
		return err.Error()
	}
	if r.Value == nil {
		return fmt.Sprintf("group %s tombstone", id)
	}
	v, err := parseGroupValue(r.Value)
	if err != nil {
		return err.Error()
	}
	text := fmt.Sprintf("group %s v%d generation %d %s/%s leader %s since %dms", id, r.Value[1], v.Generation, orNone(v.ProtocolType), tellString(v.Protocol), tellString(v.Leader), v.CurrentStateTimestamp)
	for _, m := range v.Members {
		text += fmt.Sprintf(" [%s %q]", m.MemberID, m.Assignment)
	}
	return text
}
