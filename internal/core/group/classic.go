package group

import (
	"time"

	"millrace/internal/core/machine"
)

// State is the state of a classic group.
type State int8

// The states. Dead has no group: it is what DescribeGroups says of an id that nobody uses.
const (
	Empty State = iota
	PreparingRebalance
	CompletingRebalance
	Stable
	Dead
)

func (s State) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"}[s]
}

// consumerProtocol is the protocol type of consumers, whose subscriptions the coordinator understands.
const consumerProtocol = "consumer"

// classic is a classic group as it lives in memory.
type classic struct {
	id           string
	state        State
	sinceMs      int64 // when it took its state; -1: unknown
	generation   int32
	protocolType *string // nil: no member ever joined
	protocol     *string // nil while Empty
	leader       string  // empty: none

	// members stand in the order in which they joined; byID and static find them.
	members []*member
	byID    map[string]*member
	static  map[string]*member
	// supported counts, for each protocol, the members that speak it.
	supported map[string]int
	// joining counts the members that wait for the end of the join phase, unsynced those of this generation whose
	// SyncGroup has not come.
	joining, unsynced int
	// pending are the ids given with MEMBER_ID_REQUIRED, each with its session.
	pending map[string]*timer
	// topics are the topics that the members subscribe to; nil: not known.
	topics map[string]bool

	// initial: this rebalance began Empty and waits for more members: window says how long from the last look,
	// remaining how much of the rebalance timeout is left, grew whether somebody joined since.
	initial           bool
	grew              bool
	window, remaining time.Duration

	joinTimer, syncTimer timer
}

// member is a member of a classic group.
type member struct {
	id         string
	instance   *string
	clientID   string
	clientHost string
	session    time.Duration
	rebalance  time.Duration
	protocols  []Protocol
	assignment []byte

	// isNew: it has not seen a generation yet, so that it may expire even while it waits.
	isNew bool
	// joining, syncing: it waits for the end of that phase, and the token is its caller's.
	joining, syncing     bool
	joinToken, syncToken machine.Token
	// unsynced: its SyncGroup of this generation has not come.
	unsynced bool

	sessionTimer timer
}

func newClassic(id string) *classic {
	return &classic{
		id: id, sinceMs: -1,
		byID: map[string]*member{}, static: map[string]*member{}, supported: map[string]int{}, pending: map[string]*timer{},
	}
}

func (g *classic) add(m *member, protocolType string) {
	if len(g.members) == 0 {
		g.protocolType = &protocolType
	}
	if g.leader == "" {
		g.leader = m.id
	}
	g.members = append(g.members, m)
	g.byID[m.id] = m
	if m.instance != nil {
		g.static[*m.instance] = m
	}
	g.count(m, +1)
}

// drop takes a member out. Its callers must have been answered.
func (g *classic) drop(m *member) {
	for i, other := range g.members {
		if other == m {
			g.members = append(g.members[:i], g.members[i+1:]...)
			break
		}
	}
	delete(g.byID, m.id)
	if m.instance != nil {
		delete(g.static, *m.instance)
	}
	g.count(m, -1)
	g.setUnsynced(m, false)
	if g.leader == m.id {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = g.members[0].id
		}
	}
}

// rename gives a static member another member id, at its place.
func (g *classic) rename(m *member, id string) {
	delete(g.byID, m.id)
	g.byID[id] = m
	if g.leader == m.id {
		g.leader = id
	}
	m.id = id
}

func (g *classic) count(m *member, by int) {
	for _, p := range m.protocols {
		if g.supported[p.Name] += by; g.supported[p.Name] == 0 {
			delete(g.supported, p.Name)
		}
	}
}

func (g *classic) setProtocols(m *member, ps []Protocol) {
	g.count(m, -1)
	m.protocols = ps
	g.count(m, +1)
}

func (g *classic) setUnsynced(m *member, unsynced bool) {
	if m.unsynced == unsynced {
		return
	}
	m.unsynced = unsynced
	if unsynced {
		g.unsynced++
	} else {
		g.unsynced--
	}
}

// allJoined says that nobody is left to wait for in the join phase.
func (g *classic) allJoined() bool {
	return g.joining == len(g.members) && len(g.pending) == 0
}

// rebalanceTimeout is the longest of the members'.
func (g *classic) rebalanceTimeout() time.Duration {
	var longest time.Duration
	for _, m := range g.members {
		longest = max(longest, m.rebalance)
	}
	return longest
}

// electJoined keeps a leader who rejoined, or takes the first member who did. False: nobody did.
func (g *classic) electJoined() bool {
	if l := g.byID[g.leader]; l == nil || l.joining {
		return l != nil
	}
	for _, m := range g.members {
		if m.joining {
			g.leader = m.id
			return true
		}
	}
	return false
}

// accepts says whether a member with these protocols fits: all members must keep one protocol in common.
func (g *classic) accepts(protocolType string, ps []Protocol) bool {
	if g.state == Empty {
		return protocolType != "" && len(ps) > 0
	}
	if g.protocolType == nil || *g.protocolType != protocolType {
		return false
	}
	for _, p := range ps {
		if g.supported[p.Name] == len(g.members) {
			return true
		}
	}
	return false
}

// selectProtocol lets each member vote for the first protocol of its list that all members speak. Among equals, the
// one that was voted for first wins.
func (g *classic) selectProtocol() string {
	votes := map[string]int{}
	var order []string
	for _, m := range g.members {
		for _, p := range m.protocols {
			if g.supported[p.Name] != len(g.members) {
				continue
			}
			if votes[p.Name]++; votes[p.Name] == 1 {
				order = append(order, p.Name)
			}
			break
		}
	}
	best := ""
	for _, name := range order {
		if best == "" || votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

// joinMembers is what the leader learns of all members.
func (g *classic) joinMembers() []JoinMember {
	out := make([]JoinMember, len(g.members))
	for i, m := range g.members {
		out[i] = JoinMember{MemberID: m.id, InstanceID: m.instance, Metadata: m.metadata(g.protocol)}
	}
	return out
}

// metadata is what the member said about itself in the given protocol.
func (m *member) metadata(protocol *string) []byte {
	if protocol != nil {
		for _, p := range m.protocols {
			if p.Name == *protocol {
				return p.Metadata
			}
		}
	}
	return nil
}

// matches says whether a member comes back with what it said before.
func (m *member) matches(ps []Protocol) bool {
	if len(ps) != len(m.protocols) {
		return false
	}
	for i, p := range ps {
		if p.Name != m.protocols[i].Name || string(p.Metadata) != string(m.protocols[i].Metadata) {
			return false
		}
	}
	return true
}
