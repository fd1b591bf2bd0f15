package broker

import (
	"strings"
	"testing"

	"millrace/internal/config"
	"millrace/internal/core/auth"
	"millrace/internal/core/group"
	"millrace/internal/core/machine"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/env"
	"millrace/internal/node/env/simenv"
	"millrace/internal/node/host"
)

// TestOnTheRealHost runs the tests of the handlers once more on the real host over a simulated disk, so that the
// tests' own host and the real one cannot drift apart.
func TestOnTheRealHost(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"AcksZero":             TestAcksZero,
		"ApiVersions":          TestApiVersions,
		"CreateTopicsForJava":  TestCreateTopicsAnswersWhatJavaInsistsOn,
		"DescribeTopicsPages":  TestDescribeTopicPartitionsPages,
		"FetchEndsByItself":    TestFetchEndsByItself,
		"FetchOfManySizes":     TestFetchOfManySizes,
		"FetchSession":         TestFetchSession,
		"FetchWaits":           TestFetchWaitsForARecord,
		"IllegalTopicNames":    TestIllegalTopicNames,
		"InternalTopics":       TestInternalTopicsAreProtected,
		"MetadataCreates":      TestMetadataCreatesOnDemand,
		"NobodySharesBuffers":  TestBuffersAreNotShared,
		"ParkedFetchesEnd":     TestParkedFetchesEndWithTheirConnection,
		"ProduceRules":         TestProduceRules,
		"StopAnswersFetches":   TestStopAnswersParkedFetches,
		"TransactionsAreFatal": TestProduceWithTransactionalIDIsFatal,
	} {
		t.Run(name, test)
	}
}

func onTheRealHost(t *testing.T) bool { return strings.HasPrefix(t.Name(), "TestOnTheRealHost/") }

// newRealNode is a broker on the real host.
func newRealNode(t *testing.T, lines ...string) *node {
	t.Helper()
	rights := &swappable{}
	rights.set(auth.AllowAll{})
	return newNodeOn(t, openRealHost, Options{Authorizer: rights}, lines...)
}

// openRealHost starts the host as boot does, on a disk in memory.
func openRealHost(t *testing.T, e env.Env, s Settings, endpoints []Endpoint) Host {
	t.Helper()
	seed := e.Random.Uint64()
	t.Logf("the disk's seed is %d", seed)
	e.Disk = simenv.NewDisk(seed)
	table := meta.Table{Static: s}
	h, err := host.Open(host.Options{
		Env: e, NodeID: s.NodeID(), Dirs: []string{"/data"}, Controller: table.Options(meta.Options{}),
		LogConfig: func(image *meta.Image, topic string) commitlog.Config { return realLogConfig(s, image, topic) },
		MinISR:    table.MinISR,
		Machines: map[string]func(int32) machine.Machine{offsetsTopic: func(int32) machine.Machine {
			return group.New(group.Options{Settings: group.SettingsOf(s.Values),
				NewMemberID: func() string { return wire.NewUUID(e.Random.Uint64(), e.Random.Uint64()).String() }})
		}},
		DeletedTopics: func(gone []*meta.Topic) any { return group.TopicsDeleted{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	var at []meta.Endpoint
	for _, p := range endpoints {
		at = append(at, meta.Endpoint{Name: p.Name, Host: p.Host, Port: uint16(p.Port)})
	}
	if err := h.Register(at, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return Over(h)
}

func realLogConfig(s Settings, image *meta.Image, topic string) commitlog.Config {
	c := commitlog.DefaultConfig()
	c.Compact, c.DeletePolicy = false, false
	for _, p := range config.Topic(s, image.Config(brokerConfigs, ""), nil, image.Config(topicConfigs, topic)).List("cleanup.policy") {
		c.Compact = c.Compact || p == "compact"
		c.DeletePolicy = c.DeletePolicy || p == "delete"
	}
	return c
}
