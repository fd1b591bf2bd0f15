package boot

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
)

// request sends one request and gives the answer.
func request[T kmsg.Response](m *computer, q kmsg.Request) T {
	m.t.Helper()
	cl := m.client()
	defer cl.Close()
	resp, err := cl.Request(m.context(), q)
	if err != nil {
		m.t.Fatal(err)
	}
	return resp.(T)
}

// refused compares an answer with the one that protects a topic.
func (m *computer) refused(what string, code int16, message *string, want bool) {
	m.t.Helper()
	if !want {
		if code != 0 {
			m.t.Errorf("%s: %v", what, kerr.ErrorForCode(code))
		}
		return
	}
	if code != kerr.PolicyViolation.Code || message == nil || !strings.Contains(*message, "schema registry") {
		m.t.Fatalf("%s: %v %v", what, kerr.ErrorForCode(code), message)
	}
}

func (m *computer) setPolicy(op kmsg.IncrementalAlterConfigOp, value string, want bool) {
	m.t.Helper()
	m.alterSchemas("cleanup.policy", op, value, want)
}

func (m *computer) alterSchemas(name string, op kmsg.IncrementalAlterConfigOp, value string, want bool) {
	m.t.Helper()
	c := kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Op: op, Value: &value}
	q := &kmsg.IncrementalAlterConfigsRequest{Resources: []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic,
		ResourceName: "_schemas", Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{c}}}}
	out := request[*kmsg.IncrementalAlterConfigsResponse](m, q).Resources[0]
	m.refused(name+" "+op.String()+" "+value, out.ErrorCode, out.ErrorMessage, want)
}

// replace sends AlterConfigs, which takes away what it does not name.
func (m *computer) replace(want bool, pairs ...string) {
	m.t.Helper()
	r := kmsg.AlterConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "_schemas"}
	for i := 0; i < len(pairs); i += 2 {
		r.Configs = append(r.Configs, kmsg.AlterConfigsRequestResourceConfig{Name: pairs[i], Value: &pairs[i+1]})
	}
	out := request[*kmsg.AlterConfigsResponse](m, &kmsg.AlterConfigsRequest{Resources: []kmsg.AlterConfigsRequestResource{r}}).Resources[0]
	m.refused("replace by "+strings.Join(pairs, "="), out.ErrorCode, out.ErrorMessage, want)
}

func (m *computer) dropSchemas(byID, want bool) {
	m.t.Helper()
	name := "_schemas"
	topic := kmsg.DeleteTopicsRequestTopic{Topic: &name}
	if byID {
		m.admin(func(k *kadm.Client) error {
			all, err := k.ListTopics(m.context(), name)
			topic = kmsg.DeleteTopicsRequestTopic{TopicID: [16]byte(all[name].ID)}
			return err
		})
	}
	out := request[*kmsg.DeleteTopicsResponse](m, &kmsg.DeleteTopicsRequest{Topics: []kmsg.DeleteTopicsRequestTopic{topic}, TimeoutMillis: 10_000}).Topics[0]
	m.refused("delete", out.ErrorCode, out.ErrorMessage, want)
}

// TestSchemasAreProtected: while the registry runs in the node nobody can delete its topic, or parts of it, or make it forget; reading it,
// writing to it and its other settings are free. Without the registry it is a topic like any other.
func TestSchemasAreProtected(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start(withRegistry, "log.cleanup.policy=delete")
		m.wantAsk("/subjects/a/versions", schemaBody(`"string"`), 200, `"id":1`)

		m.dropSchemas(false, true)
		m.dropSchemas(true, true)
		m.setPolicy(kmsg.IncrementalAlterConfigOpSet, "delete", true)
		m.setPolicy(kmsg.IncrementalAlterConfigOpAppend, "delete", true)
		m.setPolicy(kmsg.IncrementalAlterConfigOpSubtract, "compact", true)
		m.setPolicy(kmsg.IncrementalAlterConfigOpDelete, "", true)
		m.setPolicy(kmsg.IncrementalAlterConfigOpSet, "compact", false)
		m.replace(true, "max.message.bytes", "2000000")
		m.replace(true, "cleanup.policy", "compact,delete")
		m.replace(true, "cleanup.policy", "compact", "max.message.bytes", "100")
		m.alterSchemas("max.message.bytes", kmsg.IncrementalAlterConfigOpSet, "1048575", true)
		m.alterSchemas("max.message.bytes", kmsg.IncrementalAlterConfigOpSet, "1048576", false)
		m.alterSchemas("max.message.bytes", kmsg.IncrementalAlterConfigOpDelete, "", false)
		m.replace(false, "cleanup.policy", "compact", "max.message.bytes", "2000000")
		more := request[*kmsg.CreatePartitionsResponse](m, &kmsg.CreatePartitionsRequest{TimeoutMillis: 10_000,
			Topics: []kmsg.CreatePartitionsRequestTopic{{Topic: "_schemas", Count: 2}}}).Topics[0]
		m.refused("partitions", more.ErrorCode, more.ErrorMessage, true)
		m.admin(func(k *kadm.Client) error {
			gone, err := k.DeleteRecords(m.context(), kadm.Offsets{"_schemas": {0: {Topic: "_schemas", At: 1}}})
			if at := gone["_schemas"][0]; !errors.Is(at.Err, kerr.PolicyViolation) {
				t.Errorf("delete records: %v", at.Err)
			}
			return err
		})
		if got := m.consume("reader", "_schemas", 2); !strings.Contains(got, `"subject":"a"`) {
			t.Errorf("it reads as %s", got)
		}
		m.produce("t", "x")
		m.admin(func(k *kadm.Client) error { _, err := k.DeleteTopic(m.context(), "t"); return err })
		m.wantAsk("/subjects/a/versions/1", "", 200, `"id":1`)
		cl := m.client()
		if err := cl.ProduceSync(m.context(), &kgo.Record{Topic: "_schemas", Key: []byte("k")}).FirstErr(); err != nil {
			t.Errorf("writing to it: %v", err)
		}
		cl.Close()
		m.wantAsk("/subjects/a/versions", schemaBody(`"string"`), 200, `"id":1`) // a stray record is no rival
		m.wantAsk("/subjects/b/versions", schemaBody(`"bytes"`), 200, `"id":2`)
		m.stop(n)

		n = m.start()
		m.setPolicy(kmsg.IncrementalAlterConfigOpSet, "delete", false)
		m.dropSchemas(true, false)
		m.stop(n)
	})
}

// only allows what its function does, and remembers what it was asked.
type only struct {
	allows func(op auth.Operation, r auth.Resource) bool

	mu    sync.Mutex
	asked []string // guarded by mu
}

func (o *only) Authorize(p auth.Principal, host string, op auth.Operation, r auth.Resource) bool {
	if p.Name == "millrace" {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.Type == auth.SubjectResource {
		o.asked = append(o.asked, p.String()+"@"+host+" "+r.Name)
	}
	return o.allows(op, r)
}

// TestRegistryAsksTheAuthorizer: the broker's authorizer decides about every subject, and lists leave out what may not be read.
func TestRegistryAsksTheAuthorizer(t *testing.T) {
	onComputer(t, func(m *computer) {
		gate := &only{allows: func(auth.Operation, auth.Resource) bool { return true }}
		n := m.startWith(Options{Authorizer: gate}, withRegistry)
		m.wantAsk("/subjects/mine/versions", schemaBody(`"string"`), 200, `"id":1`)
		m.wantAsk("/subjects/theirs/versions", schemaBody(`"long"`), 200, `"id":2`)
		gate.mu.Lock()
		gate.allows = func(op auth.Operation, r auth.Resource) bool {
			return r.Type == auth.SubjectResource && r.Name == "mine" && op != auth.Delete
		}
		if len(gate.asked) == 0 || !strings.HasSuffix(gate.asked[0], " mine") || !strings.HasPrefix(gate.asked[0], "User:ANONYMOUS@") {
			t.Errorf("it was asked %q", gate.asked)
		}
		gate.mu.Unlock()

		m.wantAsk("/subjects", "", 200, `["mine"]`)
		m.wantAsk("/schemas", "", 200, `"subject":"mine"`)
		if _, all := m.ask("/schemas", ""); strings.Contains(all, "theirs") {
			t.Errorf("/schemas shows %s", all)
		}
		m.wantAsk("/subjects/mine/versions/1", "", 200, `"id":1`)
		m.wantAsk("/schemas/ids/1", "", 200, "string")
		const refused = `"error_code":403`
		for _, path := range []string{"/subjects/theirs/versions", "/subjects/theirs/versions/1", "/schemas/ids/2", "/config", "/config/theirs", "/mode"} {
			m.wantAsk(path, "", 403, refused)
		}
		m.wantAsk("/subjects/theirs/versions", schemaBody(`"int"`), 403, `User:ANONYMOUS may not write (subject \"theirs\")`)
		if code, answer := m.call("DELETE", "/subjects/mine", ""); code != 403 {
			t.Errorf("delete: %d %s", code, answer)
		}
		if code, answer := m.call("PUT", "/config", `{"compatibility":"NONE"}`); code != 403 {
			t.Errorf("settings of all: %d %s", code, answer)
		}
		m.stop(n)
	})
}
