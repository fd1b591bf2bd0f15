package boot

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// withRegistry is the setting that gives a node a schema registry in these tests.
const withRegistry = "schema.registry.listeners=http://127.0.0.1:8081"

// ask sends a request to the schema registry of this machine; an empty body is a GET.
func (m *computer) ask(path, body string) (code int, answer string) {
	m.t.Helper()
	method := "GET"
	if body != "" {
		method = "POST"
	}
	return m.call(method, path, body)
}

func (m *computer) call(method, path, body string) (code int, answer string) {
	m.t.Helper()
	h, err := http.NewRequestWithContext(m.context(), method, "http://127.0.0.1:8081"+path, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	h.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: m.network.Dial}}).Do(h)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// schemaBody is a request that registers an Avro schema.
func schemaBody(schema string) string {
	b, _ := json.Marshal(map[string]string{"schema": schema})
	return string(b)
}

// wantAsk asks and compares.
func (m *computer) wantAsk(path, body string, code int, part string) {
	m.t.Helper()
	if c, answer := m.ask(path, body); c != code || !strings.Contains(answer, part) {
		m.t.Errorf("%s: %d %s, want %d %s", path, c, answer, code, part)
	}
}

// TestRegistryInTheNode: it answers as soon as the node is up, and its schemas outlive a stop, a kill and a power cut (DUR-1).
func TestRegistryInTheNode(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start(withRegistry)
		m.wantAsk("/subjects/a/versions", schemaBody(`"string"`), 200, `"id":1`)
		m.stop(n)

		n = m.start(withRegistry)
		m.wantAsk("/schemas/ids/1", "", 200, `string`)
		m.wantAsk("/subjects/a/versions", schemaBody(`["string","null"]`), 200, `"id":2`)
		m.disk.Kill()
		m.leave(n)

		n = m.start(withRegistry)
		m.wantAsk("/subjects/a/versions", "", 200, `[1,2]`)
		m.wantAsk("/subjects/b/versions", schemaBody(`"long"`), 200, `"id":3`)
		m.disk.PowerCut(0)
		m.leave(n)

		n = m.start(withRegistry)
		m.wantAsk("/subjects/b/versions/1", "", 200, `"id":3`)
		m.wantAsk("/subjects/c/versions", schemaBody(`"int"`), 200, `"id":4`)
		m.wantAsk("/health", "", 200, `ok`)
		m.stop(n)
	})
}

// TestRegistryWithoutItsTopic: a topic that would forget schemas, or has several partitions, leaves Kafka served and says in every
// answer why the registry is not. It is opened once the topic is right.
func TestRegistryWithoutItsTopic(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start()
		m.admin(func(k *kadm.Client) error {
			_, err := k.CreateTopics(m.context(), 1, 1, nil, "_schemas")
			return err
		})
		m.admin(func(k *kadm.Client) error {
			_, err := k.CreateTopics(m.context(), 2, 1, nil, "two")
			return err
		})
		m.stop(n)

		n = m.start(withRegistry, "schema.registry.topic=two")
		m.wantAsk("/subjects", "", 500, `"error_code":50001,"message":"the topic two has 2 partitions`)
		m.stop(n)

		n = m.start(withRegistry)
		m.wantAsk("/subjects", "", 500, `set cleanup.policy=compact`)
		m.wantAsk("/subjects/a/versions", schemaBody(`"string"`), 500, `50001`)
		m.produce("t", "x")
		if code, body := m.get("/healthz"); code != 200 || !strings.Contains(body, `"healthy":true,"apps":{"schema registry":"the topic _schemas has`) {
			t.Errorf("/healthz: %d %s", code, body)
		}
		if code, body := m.get("/readyz"); code != 200 {
			t.Errorf("/readyz: %d %s", code, body)
		}
		if got := m.metric("millrace_schemas_open"); got != "0" {
			t.Errorf("millrace_schemas_open is %s", got)
		}
		if got := m.metric(`millrace_schemas_request_time_ms_count{method="GET",route="(not open)",status="500"}`); got != "1" {
			t.Errorf("refused requests: %s", got)
		}
		compact := "compact"
		m.admin(func(k *kadm.Client) error {
			_, err := k.AlterTopicConfigs(m.context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &compact}}, "_schemas")
			return err
		})
		m.pass(lastRetry)
		m.wantAsk("/subjects/a/versions", schemaBody(`"string"`), 200, `"id":1`)
		if code, body := m.get("/healthz"); code != 200 || !strings.Contains(body, `{"schema registry":"ok"}`) {
			t.Errorf("/healthz: %d %s", code, body)
		}
		for series, want := range map[string]string{"millrace_schemas_open": "1", "millrace_schemas_writer": "1", "millrace_schemas_versions": "1",
			"millrace_schemas_subjects": "1", `millrace_schemas_request_time_ms_count{method="POST",route="/subjects/{subject}/versions",status="200"}`: "1"} {
			if got := m.metric(series); got != want {
				t.Errorf("%s is %s, want %s", series, got, want)
			}
		}
		m.stop(n)
	})
}

// TestStopWhileTheRegistryOpens: neither the stop nor a request waits for a registry that does not come.
func TestStopWhileTheRegistryOpens(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start(withRegistry)
		began := m.env.Clock.Now()
		m.stop(n) // at once: the registry is in the middle of it
		if took := m.env.Clock.Now().Sub(began); took > lastRetry/10 {
			t.Errorf("the stop took %v", took)
		}
		n = m.start(withRegistry)
		m.wantAsk("/subjects", "", 200, `[]`)
		m.stop(n)
	})
}
