package boot

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// alter changes a broker setting: of all brokers, or of the ones that are named. An empty value takes it away.
func (m *computer) alter(key, value string, brokers ...int32) error {
	m.t.Helper()
	change := kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: &value}
	if value == "" {
		change.Op = kadm.DeleteConfig
	}
	cl := m.client()
	defer cl.Close()
	answers, err := kadm.NewClient(cl).AlterBrokerConfigs(m.context(), []kadm.AlterConfig{change}, brokers...)
	for _, a := range answers {
		err = errors.Join(err, a.Err)
		if a.ErrMessage != "" {
			err = errors.Join(err, errors.New(a.ErrMessage))
		}
	}
	return err
}

func (m *computer) mustAlter(key, value string, brokers ...int32) {
	m.t.Helper()
	if err := m.alter(key, value, brokers...); err != nil {
		m.t.Fatalf("%s=%s: %v", key, value, err)
	}
}

// send produces one record without retries that would hide the answer.
func (m *computer) send(topic string, size int) error {
	cl := m.client(kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer cl.Close()
	return cl.ProduceSync(m.context(), &kgo.Record{Topic: topic, Value: bytes.Repeat([]byte("x"), size)}).FirstErr()
}

// TestBrokerSettingsReachTopics: message.max.bytes through the whole chain: file, default of all brokers, this broker,
// the topic.
func TestBrokerSettingsReachTopics(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start("message.max.bytes=2000")
		large := func(size int, refused bool) {
			t.Helper()
			if err := m.send("t", size); errors.Is(err, kerr.MessageTooLarge) != refused || err != nil && !refused {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
		large(1000, false)
		large(3000, true)
		m.mustAlter("message.max.bytes", "4000")
		large(3000, false)
		m.mustAlter("message.max.bytes", "500", 1)
		large(1000, true)
		small := "5000"
		m.admin(func(k *kadm.Client) error {
			_, err := k.AlterTopicConfigs(m.context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &small}}, "t")
			return err
		})
		large(4500, false)
		m.admin(func(k *kadm.Client) error {
			_, err := k.AlterTopicConfigs(m.context(), []kadm.AlterConfig{{Op: kadm.DeleteConfig, Name: "max.message.bytes"}}, "t")
			return err
		})
		m.mustAlter("message.max.bytes", "", 1)
		large(4500, true)
		large(3000, false)
		m.stop(n)

		n = m.start("message.max.bytes=2000") // what was changed outlives the node
		large(3000, false)
		m.stop(n)
	})
}

// TestRetentionReachesLogs: the default of all brokers, under a synonym of the file's, makes the logs forget.
func TestRetentionReachesLogs(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start("log.retention.hours=1")
		m.produce("t", "old")
		start := func() (offset int64) {
			m.admin(func(k *kadm.Client) error {
				l, err := k.ListStartOffsets(m.context(), "t")
				offset = l["t"][0].Offset
				return err
			})
			return offset
		}
		m.pass(30 * time.Minute)
		if got := start(); got != 0 {
			t.Errorf("after half an hour of an hour the log starts at %d", got)
		}
		m.mustAlter("log.retention.ms", "600000")
		m.pass(10 * time.Minute)
		if got := start(); got != 1 {
			t.Errorf("with ten minutes of retention the log still starts at %d", got)
		}
		m.stop(n)
	})
}

// TestConnectionLimitsChange: max.connections.per.ip holds for the next connection.
func TestConnectionLimitsChange(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start()
		closed := func() bool {
			c, err := m.network.Dial(m.context(), "tcp", "127.0.0.1:9092")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetReadDeadline(m.env.Clock.Now().Add(time.Second))
			_, err = c.Read(make([]byte, 1))
			return errors.Is(err, io.EOF) || err != nil && strings.Contains(err.Error(), "reset")
		}
		if closed() {
			t.Error("a connection was refused without a limit")
		}
		m.mustAlter("max.connections.per.ip", "0")
		if !closed() {
			t.Error("a connection was let in over the limit")
		}
		m.stop(n)
	})
}

// TestGroupSettingsReachMachines: what the file says of groups holds, and what is fixed at start says so.
func TestGroupSettingsReachMachines(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start("group.max.session.timeout.ms=10000")
		m.produce("t", "a")
		cl := m.client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.SessionTimeout(20*time.Second))
		if err := cl.PollFetches(m.context()).Err(); !errors.Is(err, kerr.InvalidSessionTimeout) {
			t.Errorf("a session longer than allowed: %v", err)
		}
		cl.Close()
		if err := m.alter("group.max.session.timeout.ms", "60000"); err == nil || !strings.Contains(err.Error(), "restart") {
			t.Errorf("a setting that is fixed at start: %v", err)
		}
		if err := m.alter("group.max.sesion.timeout.ms", "60000"); err == nil || !strings.Contains(err.Error(), "did you mean group.max.session.timeout.ms") {
			t.Errorf("a setting with a typing error: %v", err)
		}
		m.stop(n)
	})
}
