package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Groups of two members of the clients that are programs of their own: Java's consumer inside VerifiableConsumer, and kcat.
func init() {
	register(
		Case{"java/group-range", false, func(t *T) { javaGroup(t, "RangeAssignor") }},
		Case{"java/group-cooperative-sticky", false, func(t *T) { javaGroup(t, "CooperativeStickyAssignor") }},
		Case{"java/group-static-members", false, javaStatic},
		Case{"kcat/group-range", false, func(t *T) { kcatTwo(t, "range") }},
		Case{"kcat/group-cooperative-sticky", false, func(t *T) { kcatTwo(t, "cooperative-sticky") }},
	)
}

// javaMember is one VerifiableConsumer.
type javaMember struct{ *process }

func (t *T) javaMember(group, topic, assignor string, more ...string) javaMember {
	config := t.File("consumer.properties", "heartbeat.interval.ms=200\n")
	return javaMember{t.beginJava(tools+"VerifiableConsumer", append([]string{"--bootstrap-server", t.addr, "--topic", topic, "--group-id", group,
		"--session-timeout", "10000", "--assignment-strategy", "org.apache.kafka.clients.consumer." + assignor, "--command-config", config}, more...)...)}
}

// owns is what the member has been given and has not given back.
func (m javaMember) owns(t *T) (out []int) {
	for _, line := range t.JSONLines(m.printed()) {
		parts, _ := line["partitions"].([]any)
		for _, p := range parts {
			n, _ := p.(map[string]any)["partition"].(float64)
			switch line["name"] {
			case "partitions_assigned":
				out = append(out, int(n))
			case "partitions_revoked":
				out = slices.DeleteFunc(out, func(o int) bool { return o == int(n) })
			}
		}
	}
	slices.Sort(out)
	return out
}

// assignments counts how often the member was told what it owns.
func (m javaMember) assignments() int {
	return strings.Count(m.printed(), `"name":"partitions_assigned"`)
}

// read is how many records the member has read.
func (m javaMember) read(t *T) (n int) {
	for _, line := range t.JSONLines(m.printed()) {
		if line["name"] == "records_consumed" {
			n += int(line["count"].(float64))
		}
	}
	return n
}

func shareJava(t *T, partitions int, members ...javaMember) {
	t.Eventually(func() error {
		var all []int
		for i, m := range members {
			own := m.owns(t)
			if len(own) != partitions/len(members) {
				return fmt.Errorf("member %d owns %v of %d partitions; it has printed\n%s", i, own, partitions, clip(m.printed(), 1500))
			}
			all = append(all, own...)
		}
		slices.Sort(all)
		return same(len(slices.Compact(all)), partitions)
	})
}

// javaGroup: one member owns all; a second comes and both share; the first goes and the second owns all. Each record is read once,
// because both commit what they have read before they give a partition away.
func javaGroup(t *T, assignor string) {
	topic, group := t.Topic(4), t.Name("g")
	t.produce(topic, 400)
	a := t.javaMember(group, topic, assignor)
	shareJava(t, 4, a)
	b := t.javaMember(group, topic, assignor)
	shareJava(t, 4, a, b)
	t.produce(topic, 400)
	t.Eventually(func() error { return same(a.read(t)+b.read(t), 800) })
	a.stop(t)
	shareJava(t, 4, b)
	t.produce(topic, 400)
	t.Eventually(func() error { return same(a.read(t)+b.read(t), 1200) })
	b.stop(t)
}

// javaStatic: a static member that goes and comes back keeps its partitions, and the other one does not move.
func javaStatic(t *T) {
	topic, group := t.Topic(4), t.Name("g")
	start := func(id string) javaMember {
		return t.javaMember(group, topic, "RangeAssignor", "--group-instance-id", id)
	}
	a := start("a")
	shareJava(t, 4, a)
	b := start("b")
	shareJava(t, 4, a, b)
	before, told := b.owns(t), a.assignments()
	b.stop(t)
	b = start("b")
	shareJava(t, 4, a, b)
	t.Equal(b.owns(t), before, "what the member owns after it came back")
	t.Equal(a.assignments(), told, "assignments of the member that stayed")
}

// kcatTwo: two kcats share a topic, and both are served.
func kcatTwo(t *T, strategy string) {
	topic, group := t.Topic(4), t.Name("g")
	member := func() *process {
		return t.begin(t.kcatCommand("-u", "-G", group, "-X", "partition.assignment.strategy="+strategy, "-X", "heartbeat.interval.ms=200",
			"-X", "session.timeout.ms=10000", "-X", "auto.offset.reset=earliest", "-f", "<%p/%o>\n", topic))
	}
	a := member()
	t.Eventually(func() error { return ownsKcat(4, a) })
	b := member()
	t.Eventually(func() error { return ownsKcat(2, a, b) })
	for p := range 4 {
		t.kcat("one\n", "-P", "-t", topic, "-p", fmt.Sprint(p))
	}
	record := regexp.MustCompile(`<\d/\d+>`)
	t.Eventually(func() error {
		return same(fmt.Sprint(len(record.FindAllString(a.printed(), -1)), len(record.FindAllString(b.printed(), -1))), "2 2")
	})
	a.stop(t)
	t.Eventually(func() error { return ownsKcat(4, b) })
	b.stop(t)
}

// ownsKcat demands that each member owns as many partitions, by what it has printed of its rebalances.
func ownsKcat(want int, members ...*process) error {
	for _, m := range members {
		if owned := kcatOwned(m.printed()); owned != want {
			return fmt.Errorf("a member owns %d partitions, %d wanted; it has printed\n%s", owned, want, clip(m.printed(), 1500))
		}
	}
	return nil
}

// What kcat says of a rebalance, of the eager and of the cooperative kind.
var rebalance = regexp.MustCompile(`rebalanced.*: (assigned|revoked): (.*)|rebalanced: incremental (assignment|revoke) of (\d+) partition`)

func kcatOwned(printed string) (n int) {
	for _, m := range rebalance.FindAllStringSubmatch(printed, -1) {
		change, _ := strconv.Atoi(m[4])
		switch m[1] + m[3] {
		case "assigned":
			n = strings.Count(m[2], "[")
		case "revoked":
			n = 0
		case "assignment":
			n += change
		case "revoke":
			n -= change
		}
	}
	return n
}
