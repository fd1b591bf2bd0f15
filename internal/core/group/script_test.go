package group

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
)

// script plays clients against a machine, by commands that read like a story:
//
//	settings delay=3s max=2 ...      start again with these settings
//	join a                           client a joins, with the id that it has; v=, group=, session=, rebalance=,
//	                                 instance=, type=, protocols=range,sticky, topics=t1,t2, id=
//	sync a a=t1/0 b=t1/1             client a asks for its assignment; the leader gives everybody's; gen=, id=, v=
//	beat a                           heartbeat; gen=, id=, instance=
//	leave a b                        these leave, in one request; v=, instance=
//	commit a t1/0=5                  client a commits; "-" commits without a group membership; gen=, meta=, retention=
//	fetch g t1/0 t1/1                the group's offsets; without partitions: all; "stable" requires stable ones
//	drop-offsets g t1/0              OffsetDelete
//	describe g, list, delete g       list takes states= and types=
//	topics-deleted t1
//	forget a                         client a restarts and has no id any more
//	wait 10s                         time goes by; ticks are shown as they come
//	txn 7 g t1/0=5                   a hand-made batch of producer 7; marker 7 commit, marker 7 abort
//	foreign 5 g                      a record of type 5 for group g; foreign 5 g tombstone
//	reload                           the machine is dropped and loaded from its log; takes settings
//	show                             what the log holds
//	tick                             a tick, due or not
//	timer                            how long until the next deadline
type script struct {
	h       *testHost
	start   time.Time
	ids     int
	clients map[string]*client
	callers map[machine.Token]string
	out     []string
}

// client is what a real client remembers.
type client struct {
	name, group string
	id          string
	instance    *string
	generation  int32
	protocol    *string
	kind        string
}

func newScript() *script {
	s := &script{}
	s.begin(testSettings())
	return s
}

func testSettings() Settings {
	s := DefaultSettings()
	s.MaxSession = time.Hour
	return s
}

func (s *script) begin(settings Settings) {
	s.ids, s.clients, s.callers = 0, map[string]*client{}, map[machine.Token]string{}
	s.h = newTestHost(settings, func() string { s.ids++; return strconv.Itoa(s.ids) })
	s.start = s.h.now
	s.h.answered = s.answered
	s.h.wrote = s.wrote
}

func (s *script) run(line string) []string {
	s.out = nil
	verb, rest, _ := strings.Cut(line, " ")
	a := parseArgs(rest)
	run, ok := map[string]func(args){
		"settings": s.settings, "join": s.join, "sync": s.sync, "beat": s.beat, "leave": s.leave, "commit": s.commit,
		"fetch": s.fetch, "drop-offsets": s.dropOffsets, "describe": s.describe, "list": s.list, "delete": s.delete,
		"topics-deleted": s.topicsDeleted, "forget": s.forget, "wait": s.wait, "txn": s.txn, "marker": s.marker,
		"foreign": s.foreign, "reload": s.reload, "show": s.show, "timer": s.timer, "tick": s.tick,
	}[verb]
	if !ok {
		return []string{"unknown verb " + verb}
	}
	run(a)
	return s.out
}

func (s *script) say(format string, v ...any) { s.out = append(s.out, fmt.Sprintf(format, v...)) }

// args are the words of a command: names in order, and key=value options. Words such as t1/0=5 are names.
type args struct {
	names   []string
	options map[string]string
}

func parseArgs(text string) args {
	a := args{options: map[string]string{}}
	for _, word := range strings.Fields(text) {
		if key, value, ok := strings.Cut(word, "="); ok && isOption(key) {
			a.options[key] = value
		} else {
			a.names = append(a.names, word)
		}
	}
	return a
}

func isOption(key string) bool {
	return strings.Contains(" v group session rebalance instance type protocols topics id gen meta retention states types delay max batch check offsets host topicid ", " "+key+" ")
}

func (a args) str(key, otherwise string) string {
	if v, ok := a.options[key]; ok {
		return v
	}
	return otherwise
}

func (a args) num(key string, otherwise int) int {
	v, ok := a.options[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		panic(err)
	}
	return n
}

func (a args) dur(key string, otherwise time.Duration) time.Duration {
	v, ok := a.options[key]
	if !ok {
		return otherwise
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		panic(err)
	}
	return d
}

func (s *script) settings(a args) {
	s.begin(settingsOf(testSettings(), a))
}

func settingsOf(x Settings, a args) Settings {
	x.InitialRebalanceDelay = a.dur("delay", x.InitialRebalanceDelay)
	x.MaxSize = a.num("max", x.MaxSize)
	x.MaxBatchBytes = a.num("batch", x.MaxBatchBytes)
	x.OffsetsRetention = a.dur("offsets", x.OffsetsRetention)
	x.RetentionCheck = a.dur("check", x.RetentionCheck)
	return x
}

func (s *script) client(name string, a args) *client {
	c := s.clients[name]
	if c == nil {
		c = &client{name: name, group: "g", generation: -1, kind: "consumer"}
		s.clients[name] = c
	}
	c.group = a.str("group", c.group)
	c.kind = a.str("type", c.kind)
	if v, ok := a.options["instance"]; ok {
		c.instance = &v
		if v == "none" {
			c.instance = nil
		}
	}
	return c
}

func (s *script) ask(name string, body any) {
	// The caller must be known before its answer comes.
	s.callers[s.h.token+1] = name
	if t := s.h.ask(body); s.h.waiting[t] {
		s.say("%s", strings.TrimSpace(name+" waits"))
	}
}

func (s *script) join(a args) {
	name := a.names[0]
	c := s.client(name, a)
	session := a.dur("session", 10*time.Second)
	s.ask(name, Join{
		Version: int16(a.num("v", 9)), Group: c.group, MemberID: a.str("id", c.id), InstanceID: c.instance,
		ClientID: name, ClientHost: a.str("host", "/127.0.0.1"),
		SessionTimeoutMs:   int32(session.Milliseconds()),
		RebalanceTimeoutMs: int32(a.dur("rebalance", time.Minute).Milliseconds()),
		ProtocolType:       c.kind, Protocols: protocols(c.kind, a.str("protocols", "range"), a.str("topics", "t1")),
	})
}

// protocols makes the metadata of each protocol: a subscription for consumers, plain text for others.
func protocols(kind, names, topics string) []Protocol {
	var out []Protocol
	for _, name := range strings.Split(names, ",") {
		if name == "none" {
			continue
		}
		metadata := []byte(topics)
		if kind == consumerProtocol {
			sub := record.ConsumerProtocolSubscription{Topics: strings.Split(topics, ",")}
			metadata = sub.AppendTo([]byte{0, 0}, 0)
		}
		out = append(out, Protocol{Name: name, Metadata: metadata})
	}
	return out
}

func (s *script) sync(a args) {
	name := a.names[0]
	c := s.client(name, a)
	body := Sync{
		Version: int16(a.num("v", 5)), Group: c.group, MemberID: a.str("id", c.id), InstanceID: c.instance,
		Generation: int32(a.num("gen", int(c.generation))), Protocol: c.protocol,
	}
	if p, ok := a.options["protocols"]; ok {
		body.Protocol = &p
	}
	if body.Protocol != nil {
		body.ProtocolType = &c.kind
	}
	for _, given := range a.names[1:] {
		to, text, _ := strings.Cut(given, "=")
		id := to
		if other := s.clients[to]; other != nil {
			id = other.id
		}
		body.Assignments = append(body.Assignments, Assignment{MemberID: id, Assignment: []byte(text)})
	}
	s.ask(name, body)
}

func (s *script) beat(a args) {
	name := a.names[0]
	c := s.client(name, a)
	s.ask(name, Heartbeat{Group: c.group, Generation: int32(a.num("gen", int(c.generation))), MemberID: a.str("id", c.id), InstanceID: c.instance})
}

func (s *script) leave(a args) {
	body := Leave{Version: int16(a.num("v", 5))}
	for _, name := range a.names {
		c := s.client(name, args{})
		body.Group = a.str("group", c.group)
		m := LeavingMember{MemberID: a.str("id", c.id), InstanceID: c.instance}
		if m.MemberID == "none" {
			m.MemberID = ""
		}
		body.Members = append(body.Members, m)
	}
	s.ask(a.names[0], body)
}

func (s *script) commit(a args) {
	name := a.names[0]
	body := OffsetCommit{Version: int16(a.num("v", 10)), Generation: -1, RetentionMs: -1, Group: a.str("group", "g")}
	if name != "-" {
		c := s.client(name, a)
		body.Group, body.MemberID, body.InstanceID = c.group, a.str("id", c.id), c.instance
		body.Generation = int32(a.num("gen", int(c.generation)))
	}
	if d := a.dur("retention", -1); d >= 0 {
		body.RetentionMs = d.Milliseconds()
	}
	for _, word := range a.names[1:] {
		p, offset := parsePositionText(word)
		cp := CommitPartition{Partition: p.partition, Offset: offset, LeaderEpoch: -1}
		if m, ok := a.options["meta"]; ok {
			if n, err := strconv.Atoi(m); err == nil {
				m = strings.Repeat("x", n)
			}
			cp.Metadata = &m
		}
		body.Topics = append(body.Topics, CommitTopic{Topic: p.topic, TopicID: topicID(a, p.topic), Partitions: []CommitPartition{cp}})
	}
	s.ask(name, body)
}

// topicID gives a topic's first incarnation the id of its name, and topicid=N another.
func topicID(a args, topic string) wire.UUID {
	var id wire.UUID
	copy(id[1:], topic)
	id[0] = byte(a.num("topicid", 1))
	if a.str("topicid", "") == "0" {
		return wire.UUID{}
	}
	return id
}

func parsePositionText(word string) (topicPartition, int64) {
	where, offset, _ := strings.Cut(word, "=")
	topic, partition, ok := strings.Cut(where, "/")
	if !ok {
		panic("not a partition: " + word)
	}
	p, err := strconv.Atoi(partition)
	if err != nil {
		panic(err)
	}
	n, _ := strconv.ParseInt(offset, 10, 64)
	return topicPartition{topic, int32(p)}, n
}

func (s *script) fetch(a args) {
	body := OffsetFetch{Version: 9, Group: a.names[0]}
	for _, word := range a.names[1:] {
		if word == "stable" {
			body.RequireStable = true
			continue
		}
		p, _ := parsePositionText(word)
		body.Topics = append(body.Topics, FetchTopic{Topic: p.topic, TopicID: topicID(a, p.topic), Partitions: []int32{p.partition}})
	}
	body.All = len(body.Topics) == 0
	s.ask("", body)
}

func (s *script) dropOffsets(a args) {
	body := OffsetDelete{Group: a.names[0]}
	for _, word := range a.names[1:] {
		p, _ := parsePositionText(word)
		body.Topics = append(body.Topics, OffsetDeleteTopic{Topic: p.topic, Partitions: []int32{p.partition}})
	}
	s.ask("", body)
}

func (s *script) describe(a args) {
	s.ask("", Describe{Version: int16(a.num("v", 6)), Groups: a.names})
}
func (s *script) delete(a args) { s.ask("", Delete{Groups: a.names}) }

func (s *script) list(a args) {
	split := func(key string) []string {
		if v := a.str(key, ""); v != "" {
			return strings.Split(v, ",")
		}
		return nil
	}
	s.ask("", List{States: split("states"), Types: split("types")})
}

func (s *script) topicsDeleted(a args) {
	var body TopicsDeleted
	for _, name := range a.names {
		body.Topics = append(body.Topics, DeletedTopic{Name: name, ID: topicID(a, name)})
	}
	s.ask("", body)
}

func (s *script) forget(a args) {
	c := s.client(a.names[0], args{})
	c.id, c.generation, c.protocol = "", -1, nil
}

func (s *script) wait(a args) {
	d, err := time.ParseDuration(a.names[0])
	if err != nil {
		panic(err)
	}
	shown := len(s.out)
	var at time.Time
	flush := func() {
		if len(s.out) > shown {
			s.out = append(s.out[:shown], append([]string{"at " + at.Sub(s.start).String()}, s.out[shown:]...)...)
		}
		shown = len(s.out)
	}
	s.h.pass(d, func() { flush(); at = s.h.now })
	flush()
}

func (s *script) txn(a args) {
	b := machine.Batch{Producer: &machine.Producer{ID: producerID(a)}}
	for _, word := range a.names[2:] {
		p, offset := parsePositionText(word)
		v := committed{offset: offset, leaderEpoch: -1, commitMs: s.h.now.UnixMilli(), expireMs: -1}
		b.Records = append(b.Records, offsetRecord(position{a.names[1], p.topic, p.partition}, v))
	}
	s.h.append(b)
}

func producerID(a args) int64 {
	n, err := strconv.ParseInt(a.names[0], 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (s *script) marker(a args) {
	s.h.append(machine.Batch{Producer: &machine.Producer{ID: producerID(a)}, Marker: &machine.Marker{Commit: a.names[1] == "commit"}})
}

func (s *script) foreign(a args) {
	key := []byte{0, byte(producerID(a)), 0, byte(len(a.names[1]))}
	r := machine.Record{Key: append(key, a.names[1]...), Value: []byte{0, 0, 0}}
	if len(a.names) > 2 {
		r.Value = nil
	}
	s.h.append(machine.Batch{Records: []machine.Record{r}})
}

func (s *script) reload(a args) {
	s.h.options.Settings = settingsOf(s.h.options.Settings, a)
	before := s.h.k.Dump()
	var lost []string
	for t := range s.h.waiting {
		lost = append(lost, s.callers[t])
	}
	sort.Strings(lost)
	for _, name := range lost {
		s.say("%s is told NOT_COORDINATOR", name)
	}
	s.h.load()
	if after := s.h.k.Dump(); after != before {
		s.say("the rebuilt machine differs: %s", firstDifference(before, after))
	}
}

func (s *script) show(args) {
	for _, id := range sortedKeys(s.h.k.groups) {
		s.say("%s", showGroup(s.h.k.groups[id]))
	}
	for _, line := range strings.Split(strings.TrimSpace(s.h.k.Dump()), "\n") {
		if line != "" && !strings.HasPrefix(line, "group ") {
			s.say("%s", line)
		}
	}
}

func showGroup(g *classic) string {
	var b strings.Builder
	fmt.Fprintf(&b, "group %s %s generation %d leader %s", g.id, g.state, g.generation, orNone(g.leader))
	for _, m := range g.members {
		fmt.Fprintf(&b, " [%s", m.id)
		if m.joining {
			b.WriteString(" joining")
		}
		if m.syncing {
			b.WriteString(" syncing")
		}
		if m.assignment != nil {
			fmt.Fprintf(&b, " %s", m.assignment)
		}
		b.WriteString("]")
	}
	for _, id := range sortedKeys(g.pending) {
		fmt.Fprintf(&b, " (%s pending)", id)
	}
	return b.String()
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func (s *script) timer(args) {
	if at := s.h.k.Deadline(); at.IsZero() {
		s.say("no deadline")
	} else {
		s.say("in %s", at.Sub(s.h.now))
	}
}

func (s *script) tick(args) {
	s.h.deliver(s.h.k.Handle(s.h.now, machine.Command{Body: machine.Tick{}}))
}
