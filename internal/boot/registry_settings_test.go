package boot

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// TestRegistrySettings: each setting of the registry does what its line says.
func TestRegistrySettings(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start(withRegistry, "schema.registry.topic=other", "schema.compatibility.level=forward", "schema.registry.mode.mutability=false",
			"schema.registry.request.max.bytes=2000")
		m.wantAsk("/config", "", 200, `"compatibilityLevel":"FORWARD"`)
		m.wantAsk("/subjects/a/versions", schemaBody(`"int"`), 200, `"id":1`)
		m.wantAsk("/subjects/a/versions", schemaBody(`"long"`), 409, `409`) // backward it would fit: a long reads ints
		if code, answer := m.call("PUT", "/mode", `{"mode":"READONLY"}`); code != 422 || !strings.Contains(answer, "42205") {
			t.Errorf("a mode was changed: %d %s", code, answer)
		}
		m.wantAsk("/subjects/a/versions", schemaBody(`"`+strings.Repeat("x", 2000)+`"`), 413, "2000")
		if code, answer := m.call("PUT", "/config", `{"compatibility":"BACKWARD"}`); code != 200 {
			t.Errorf("%d %s", code, answer)
		}
		m.wantAsk("/subjects/a/versions", schemaBody(`"long"`), 200, `"id":2`)
		m.admin(func(k *kadm.Client) error {
			all, err := k.ListTopics(m.context())
			if !all.Has("other") || all.Has("_schemas") {
				t.Errorf("the topics are %v", all.Names())
			}
			return err
		})
		m.stop(n)
	})
}

// TestRegistryRequestTimeout: a request that comes while the registry is opened waits as long as it may, and is then told so.
func TestRegistryRequestTimeout(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start(withRegistry, "schema.registry.request.timeout.ms=2000", "schema.registry.parse.timeout.ms=100")
		m.wantAsk("/subjects", "", 200, `[]`)
		synctest.Wait()
		n.schemas.set(nil, nil) // as while it is opened for the first time
		began := m.env.Clock.Now()
		m.wantAsk("/subjects", "", 500, `still being opened`)
		if took := m.env.Clock.Now().Sub(began); took != 2000*time.Millisecond {
			t.Errorf("it waited %v", took)
		}
		m.stop(n)
	})
}

// TestRegistryPortTaken: one sentence with the remedy, nothing made, and the same start goes through once the port is free.
func TestRegistryPortTaken(t *testing.T) {
	onComputer(t, func(m *computer) {
		l, err := m.network.Listen("tcp", "127.0.0.1:8081")
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.tryStart(withRegistry)
		if err == nil || !strings.Contains(err.Error(), "127.0.0.1:8081") || !strings.Contains(err.Error(), "schema.registry.listeners") {
			t.Errorf("it says: %v", err)
		}
		if _, err := m.disk.Stat("/data"); err == nil {
			t.Error("it made its directory before it knew that it cannot serve")
		}
		l.Close()
		n := m.start(withRegistry)
		m.wantAsk("/subjects", "", 200, `[]`)
		m.stop(n)
	})
}
