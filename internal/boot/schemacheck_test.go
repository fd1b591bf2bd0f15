package boot

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const checkValues = "confluent.value.schema.validation"

// makeTopic creates a topic whose values are checked.
func (m *computer) makeTopic(name string) (err error) {
	yes := "true"
	m.admin(func(k *kadm.Client) error {
		made, e := k.CreateTopic(m.context(), 1, 1, map[string]*string{checkValues: &yes}, name)
		if err = e; err != nil {
			err = errors.Join(err, errors.New(made.ErrMessage))
		}
		return nil
	})
	return err
}

// sendValue produces one value and returns the broker's answer.
func (m *computer) sendValue(topic string, value []byte) error {
	m.t.Helper()
	cl := m.client()
	defer cl.Close()
	return cl.ProduceSync(m.context(), &kgo.Record{Topic: topic, Value: value}).FirstErr()
}

// TestSchemaCheckWithTheRegistry: franz-go produces with ids of the registry of the same node.
func TestSchemaCheckWithTheRegistry(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start(withRegistry)
		if err := m.makeTopic("orders"); err != nil {
			t.Fatal(err)
		}
		one, two := []byte{0, 0, 0, 0, 1, 2, 'x'}, []byte{0, 0, 0, 0, 2, 2, 'x'}
		refused := func(value []byte) {
			t.Helper()
			if err := m.sendValue("orders", value); !errors.Is(err, kerr.InvalidRecord) {
				t.Errorf("% x: %v", value, err)
			}
		}
		taken := func(value []byte) {
			t.Helper()
			if err := m.sendValue("orders", value); err != nil {
				t.Errorf("% x: %v", value, err)
			}
		}
		refused(one)
		m.wantAsk("/subjects/orders-value/versions", schemaBody(`"string"`), 200, `"id":1`)
		taken(one) // at once, although it was refused a moment ago
		taken(nil)
		refused([]byte("x"))
		m.wantAsk("/subjects/bills-value/versions", schemaBody(`"bytes"`), 200, `"id":2`)
		refused(two)
		if code, answer := m.call("DELETE", "/subjects/orders-value", ""); code != 200 {
			t.Fatal(answer)
		}
		refused(one)
		m.wantAsk("/subjects/orders-value/versions", schemaBody(`"string"`), 200, `"id":1`)
		taken(one)
		m.stop(n)

		// The registry is opened beside the broker: what is produced first waits for it.
		n = m.start(withRegistry)
		taken(one)
		refused(two)
		m.stop(n)
	})
}

// TestSchemaCheckNeedsARegistry: without one nobody can ask for the check, and a topic that has it takes nothing but another setting.
func TestSchemaCheckNeedsARegistry(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start(withRegistry)
		if err := m.makeTopic("orders"); err != nil {
			t.Fatal(err)
		}
		m.wantAsk("/subjects", "", 200, `[]`) // it is open
		err := m.setTopic("_schemas", checkValues, "true")
		if !errors.Is(err, kerr.InvalidConfig) {
			t.Errorf("the registry's own topic: %v", err)
		}
		m.stop(n)

		n = m.start()
		if err := m.makeTopic("bills"); !errors.Is(err, kerr.InvalidConfig) || !strings.Contains(err.Error(), "set schema.registry.listeners") {
			t.Errorf("without a registry: %v", err)
		}
		m.produce("plain", "x")
		if err := m.setTopic("plain", checkValues, "true"); !errors.Is(err, kerr.InvalidConfig) || !strings.Contains(err.Error(), "set schema.registry.listeners") {
			t.Errorf("without a registry: %v", err)
		}
		if err := m.setTopic("plain", checkValues, "false"); err != nil {
			t.Error(err)
		}
		if err := m.sendValue("orders", []byte{0, 0, 0, 0, 1}); !errors.Is(err, kerr.InvalidRecord) {
			t.Errorf("without a registry: %v", err)
		}
		if err := m.setTopic("orders", "retention.ms", "1000000"); err != nil {
			t.Error(err)
		}
		if err := m.setTopic("orders", checkValues, "false"); err != nil {
			t.Error(err)
		}
		if err := m.sendValue("orders", []byte("x")); err != nil {
			t.Error(err)
		}
		m.stop(n)
	})
}

// setTopic sets one setting of a topic.
func (m *computer) setTopic(topic, name, value string) (err error) {
	m.admin(func(k *kadm.Client) error {
		answers, e := k.AlterTopicConfigs(m.context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, topic)
		if err = e; err == nil {
			err = answers[0].Err
			if err != nil && answers[0].ErrMessage != "" {
				err = errors.Join(err, errors.New(answers[0].ErrMessage))
			}
		}
		return nil
	})
	return err
}

// TestSchemaCheckWhileTheRegistryIsGone: nothing good is refused, the client comes again until the registry is back.
func TestSchemaCheckWhileTheRegistryIsGone(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start(withRegistry)
		if err := m.makeTopic("orders"); err != nil {
			t.Fatal(err)
		}
		m.wantAsk("/subjects/orders-value/versions", schemaBody(`"string"`), 200, `"id":1`)
		m.stop(n)
		n = m.start() // beside its registry nobody may do this
		if err := m.setTopic("_schemas", "cleanup.policy", "delete"); err != nil {
			t.Fatal(err)
		}
		m.stop(n)

		n = m.start(withRegistry)
		sent := make(chan error, 1)
		go func() { sent <- m.sendValue("orders", []byte{0, 0, 0, 0, 1}) }()
		m.pass(3 * time.Second)
		select {
		case err := <-sent:
			t.Errorf("answered without the registry: %v", err)
		default:
		}
		if err := m.setTopic("_schemas", "cleanup.policy", "compact"); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		m.stop(n)
	})
}
