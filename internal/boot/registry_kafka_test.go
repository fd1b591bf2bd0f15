package boot

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/apps/registry"
	"millrace/internal/apps/registry/state"
)

// A registry beside a broker: what it does to its topic over the wire, and what it does when the broker or the topic goes away.

// beside opens a registry that reaches the broker of this machine over its network.
func (m *computer) beside() (*registry.Registry, error) {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return m.network.Dial(ctx, network, address)
	}
	return registry.Open(m.context(), registry.Options{Client: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(dial)},
		Logger: slog.New(slog.DiscardHandler), Timeout: 5 * time.Second})
}

func (m *computer) mustBeside() *registry.Registry {
	m.t.Helper()
	r, err := m.beside()
	if err == nil {
		err = r.Settled(m.context())
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

// want asks a registry and compares.
func (m *computer) want(r *registry.Registry, method, path, body string, code int, part string) {
	m.t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if w.Code != code || !strings.Contains(w.Body.String(), part) {
		m.t.Errorf("%s %s: %d %s, want %d %s", method, path, w.Code, w.Body, code, part)
	}
}

func dump(r *registry.Registry) (text string) {
	r.Look(func(s *state.State) { text = s.Dump() })
	return text
}

// schemas creates the topic of the registry.
func (m *computer) schemas(partitions int32, configs map[string]string) {
	m.t.Helper()
	values := map[string]*string{}
	for name, value := range configs {
		values[name] = &value
	}
	m.admin(func(k *kadm.Client) error {
		made, err := k.CreateTopic(m.context(), partitions, 1, values, "_schemas")
		if err != nil {
			return err
		}
		return made.Err
	})
}

// read is every record of the topic, oldest first.
func (m *computer) read() []*kgo.Record {
	m.t.Helper()
	var end int64
	m.admin(func(k *kadm.Client) error {
		ends, err := k.ListEndOffsets(m.context(), "_schemas")
		if o, ok := ends.Lookup("_schemas", 0); ok {
			end = o.Offset
		}
		return err
	})
	cl := m.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"_schemas": {0: kgo.NewOffset().AtStart()}}))
	defer cl.Close()
	var all []*kgo.Record
	for len(all) == 0 || all[len(all)-1].Offset < end-1 {
		f := cl.PollFetches(m.context())
		if err := f.Err(); err != nil {
			m.t.Fatal(err)
		}
		all = append(all, f.Records()...)
	}
	return all
}

// write puts records into the topic as another registry would: unsigned.
func (m *computer) write(pairs ...string) {
	m.t.Helper()
	cl := m.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer cl.Close()
	for i := 0; i < len(pairs); i += 2 {
		r := &kgo.Record{Topic: "_schemas", Key: []byte(pairs[i])}
		if pairs[i+1] != "" {
			r.Value = []byte(pairs[i+1])
		}
		if err := cl.ProduceSync(m.context(), r).FirstErr(); err != nil {
			m.t.Fatal(err)
		}
	}
}

// The topic that is made, the bytes of what is written, and a restart that reads the same.
func TestRegistryBesideABroker(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start()
		r := m.mustBeside()
		m.admin(func(k *kadm.Client) error {
			topics, err := k.ListTopics(m.context(), "_schemas")
			if got := len(topics["_schemas"].Partitions); got != 1 {
				t.Errorf("%d partitions", got)
			}
			configs, err2 := k.DescribeTopicConfigs(m.context(), "_schemas")
			if err2 == nil {
				for _, c := range configs[0].Configs {
					if c.Key == "cleanup.policy" && c.MaybeValue() != "compact" {
						t.Errorf("cleanup.policy=%s", c.MaybeValue())
					}
				}
			}
			return err
		})
		m.want(r, "POST", "/subjects/a/versions", schemaBody(`"string"`), 200, `"id":1`)
		m.want(r, "POST", "/contexts/.c/subjects/a/versions", schemaBody(`"long"`), 200, `"id":1`)
		m.want(r, "PUT", "/config/a", `{"compatibility":"NONE"}`, 200, "NONE")
		m.want(r, "DELETE", "/subjects/a", "", 200, "[1]")
		m.want(r, "GET", "/v1/metadata/id", "", 200, `"kafka-cluster":"`)
		before := dump(r)
		r.Close()

		var keys []string
		for _, record := range m.read() {
			keys = append(keys, string(record.Key))
			if len(record.Headers) != 1 || record.Headers[0].Key != "millrace-registry" {
				t.Errorf("%s is not signed: %v", record.Key, record.Headers)
			}
		}
		want := []string{`{"keytype":"NOOP","magic":0}`, `{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`,
			`{"keytype":"CONTEXT","tenant":"default","context":".c","magic":0}`, `{"keytype":"SCHEMA","subject":":.c:a","version":1,"magic":1}`,
			`{"keytype":"CONFIG","subject":"a","magic":0}`, `{"keytype":"DELETE_SUBJECT","subject":"a","magic":0}`}
		if got := strings.Join(keys, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("the log:\n%s", got)
		}

		r = m.mustBeside()
		if after := dump(r); after != before {
			t.Errorf("after a restart:\n%s\nbefore:\n%s", after, before)
		}
		m.want(r, "POST", "/subjects/b/versions", schemaBody(`"int"`), 200, `"id":2`)
		r.Close()
		m.stop(n)
	})
}

// A topic that would forget schemas, or that has no one order of records, is not used.
func TestRegistryRefusesATopic(t *testing.T) {
	for _, c := range []struct {
		partitions int32
		policy     string
		says       string
	}{{2, "compact", "2 partitions"}, {1, "delete", "cleanup.policy=delete"}, {1, "compact,delete", "would forget"}} {
		onComputer(t, func(m *computer) {
			n := m.start()
			m.schemas(c.partitions, map[string]string{"cleanup.policy": c.policy})
			if _, err := m.beside(); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%d partitions, %s: %v", c.partitions, c.policy, err)
			}
			m.stop(n)
		})
	}
}

// A schema that the topic does not take is refused with its code, and nothing of it is left behind.
func TestRegistryRecordTooLarge(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start()
		m.schemas(1, map[string]string{"cleanup.policy": "compact", "max.message.bytes": "4000"})
		r := m.mustBeside()
		noise := make([]byte, 5000) // nothing that a compression could make smaller
		for i, rng := 0, rand.New(rand.NewPCG(1, 2)); i < len(noise); i++ {
			noise[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-"[rng.IntN(64)]
		}
		large := schemaBody(fmt.Sprintf(`{"type":"record","name":"R","doc":%q,"fields":[]}`, noise))
		m.want(r, "POST", "/contexts/.c/subjects/a/versions", large, 422, `42209`)
		larger := schemaBody(fmt.Sprintf(`{"type":"record","name":"R","doc":%q,"fields":[]}`, strings.Repeat(`"`, 300_000))) // in the record twice as long
		m.want(r, "POST", "/subjects/a/versions", larger, 422, `42209`)
		m.want(r, "POST", "/subjects/a/versions", schemaBody(`"string"`), 200, `"id":1,"version":1`)
		before := dump(r)
		r.Close()
		r = m.mustBeside()
		if after := dump(r); after != before {
			t.Errorf("after a restart:\n%s\nbefore:\n%s", after, before)
		}
		r.Close()
		m.stop(n)
	})
}

// A text of the largest size is registered, whatever of it has to be escaped in the record; one that is longer is too large.
func TestRegistryLargestText(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start()
		r := m.mustBeside()
		text := func(size int) string {
			head, tail := `{"type":"enum","name":"E","symbols":["a"],"doc":"`, `"}`
			return head + strings.Repeat(`\"`, (size-len(head)-len(tail))/2) + strings.Repeat("x", (size-len(head)-len(tail))%2) + tail
		}
		m.want(r, "POST", "/subjects/a/versions", schemaBody(text(1<<20)), 200, `"id":1`)
		m.want(r, "POST", "/subjects/a/versions", schemaBody(text(1<<20+1)), 422, `42209`)
		m.want(r, "GET", "/schemas/ids/1/schema", "", 200, `"name":"E"`)
		r.Close()
		m.stop(n)
	})
}

// The second of two registries on one topic never writes, says why, and may write once the first is gone and it is started again.
func TestTwoRegistriesBesideABroker(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start()
		first := m.mustBeside()
		m.want(first, "POST", "/subjects/a/versions", schemaBody(`"string"`), 200, `"id":1`)
		second, err := m.beside()
		if err != nil {
			t.Fatal(err)
		}
		if err := second.Settled(m.context()); err == nil || !strings.Contains(err.Error(), "another schema registry writes the topic _schemas") {
			t.Errorf("the second registry: %v", err)
		}
		m.want(second, "POST", "/subjects/b/versions", schemaBody(`"int"`), 500, "stop one of the two and start this one again")
		m.want(second, "GET", "/subjects/a/versions/1/schema", "", 200, "string")
		m.want(second, "GET", "/health", "", 503, "another schema registry")
		m.want(first, "POST", "/subjects/b/versions", schemaBody(`"int"`), 200, `"id":2`)
		first.Close()
		second.Close()
		second = m.mustBeside()
		m.want(second, "POST", "/subjects/c/versions", schemaBody(`"long"`), 200, `"id":3`)
		// Another kind of registry asks nobody.
		m.write(`{"keytype":"SCHEMA","subject":"foreign","version":1,"magic":1}`, `{"subject":"foreign","version":1,"id":4,"schema":"\"bytes\""}`)
		m.pass(time.Second)
		m.want(second, "POST", "/subjects/d/versions", schemaBody(`"float"`), 500, "another kind of schema registry writes")
		second.Close()
		m.stop(n)
	})
}

// The broker goes away and comes back: writes meanwhile say that they failed, reads go on, and afterwards everything works as before
// without a restart of the registry.
func TestBrokerRestartsUnderTheRegistry(t *testing.T) {
	for _, kill := range []bool{false, true} {
		onComputer(t, func(m *computer) {
			n := m.start()
			r := m.mustBeside()
			m.want(r, "POST", "/subjects/a/versions", schemaBody(`"string"`), 200, `"id":1`)
			if kill {
				m.disk.Kill()
				m.leave(n)
			} else {
				m.stop(n)
			}
			m.want(r, "POST", "/subjects/b/versions", schemaBody(`"int"`), 500, `"error_code":5000`)
			m.want(r, "PUT", "/config/b", `{"compatibility":"NONE"}`, 500, `"error_code":5000`)
			m.want(r, "GET", "/subjects/a/versions/1/schema", "", 200, "string")
			n = m.start()
			m.pass(10 * time.Second) // the client asks for the broker's address again
			m.want(r, "POST", "/subjects/c/versions", schemaBody(`"long"`), 200, `"version":1`)
			m.want(r, "POST", "/subjects/b/versions", schemaBody(`"int"`), 200, `"version":1`)
			m.want(r, "GET", "/health", "", 200, "ok")
			m.want(r, "GET", "/v1/fsck", "", 200, `"findings":[]`)
			before := dump(r)
			r.Close()
			r = m.mustBeside()
			if after := dump(r); after != before {
				t.Errorf("after a restart:\n%s\nbefore:\n%s", after, before)
			}
			r.Close()
			m.stop(n)
		})
	}
}

// The topic is deleted, and perhaps made again by somebody: what is in memory is not in the log any more, so nothing may be written on
// top of it. A registry that is opened again begins with an empty log.
func TestTopicDeletedUnderTheRegistry(t *testing.T) {
	for _, again := range []bool{false, true} {
		onComputer(t, func(m *computer) {
			n := m.start()
			r := m.mustBeside()
			for i := range 5 {
				m.want(r, "POST", "/subjects/a/versions?force=true", schemaBody(fmt.Sprintf(`{"type":"fixed","name":"F","size":%d}`, i+1)), 200, fmt.Sprintf(`"id":%d`, i+1))
			}
			m.admin(func(k *kadm.Client) error {
				_, err := k.DeleteTopics(m.context(), "_schemas")
				return err
			})
			if again {
				m.schemas(1, map[string]string{"cleanup.policy": "compact"})
			}
			m.want(r, "POST", "/subjects/b/versions", schemaBody(`"int"`), 500, `"error_code":5000`)
			m.pass(time.Minute)
			m.want(r, "POST", "/subjects/b/versions", schemaBody(`"int"`), 500, `"error_code":5000`)
			m.want(r, "GET", "/health", "", 503, "topic")
			r.Close()
			r = m.mustBeside()
			m.want(r, "GET", "/schemas/ids/1", "", 404, "40403")
			m.want(r, "POST", "/subjects/b/versions", schemaBody(`"int"`), 200, `"version":1`)
			r.Close()
			m.stop(n)
		})
	}
}

// A topic that older and other releases wrote: keys in other orders and with magic 0, a subject that is null, a deletion of a whole
// subject, values that are broken or name an id twice. What is deleted afterwards is deleted under the bytes that lie there.
func TestTopicOfOtherReleases(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start()
		m.schemas(1, map[string]string{"cleanup.policy": "compact"})
		old := `{"magic":0,"version":1,"subject":"old","keytype":"SCHEMA"}`
		m.write(
			`{"keytype":"NOOP","magic":0}`, "",
			`{"keytype":"CONFIG","subject":null,"magic":0}`, `{"compatibilityLevel":"NONE"}`,
			old, `{"subject":"old","version":1,"id":1,"schema":"\"string\"","deleted":false}`,
			`{"keytype":"SCHEMA","subject":"old","version":2,"magic":1}`, `{"version":2,"id":2,"subject":"old","schemaType":"AVRO","schema":"\"int\""}`,
			`{"keytype":"SCHEMA","subject":"broken","version":1,"magic":1}`, `{"deleted": false, "id": 9, "schema": "\"int\", "version": 1}`,
			`{"keytype":"SCHEMA","subject":"doubled","version":1,"magic":1}`, `{"subject":"doubled","version":1,"id":2,"schema":"\"long\""}`,
			`{"keytype":"SCHEMA","subject":"gone","version":1,"magic":1}`, `{"subject":"gone","version":1,"id":3,"schema":"\"bytes\""}`,
			`{"keytype":"SCHEMA","subject":"gone","version":2,"magic":1}`, `{"subject":"gone","version":2,"id":4,"schema":"\"float\""}`,
			`{"keytype":"DELETE_SUBJECT","subject":"gone","magic":0}`, `{"subject":"gone","version":1}`,
			`{"keytype":"MODE","subject":"frozen","magic":0}`, `{"mode":"READONLY"}`,
			`not a key`, `of a registry`,
		)
		r := m.mustBeside()
		m.want(r, "GET", "/config", "", 200, "NONE")
		m.want(r, "GET", "/subjects", "", 200, `["gone","old"]`)
		m.want(r, "GET", "/subjects/old/versions", "", 200, `[1,2]`)
		m.want(r, "GET", "/subjects/gone/versions?deletedAsNegative=true", "", 200, `[-1,2]`)
		m.want(r, "GET", "/schemas/ids/2/schema", "", 200, `"int"`)
		m.want(r, "GET", "/mode/frozen", "", 200, `READONLY`)
		m.want(r, "GET", "/v1/fsck", "", 200, `DOUBLED_ID`)
		m.want(r, "GET", "/v1/fsck", "", 200, `UNREADABLE`)
		m.want(r, "POST", "/subjects/new/versions", schemaBody(`"double"`), 200, `"id":5`)
		m.want(r, "DELETE", "/subjects/old/versions/1", "", 200, "1")
		m.want(r, "DELETE", "/subjects/old/versions/1?permanent=true", "", 200, "1")
		before := dump(r)
		r.Close()
		last := map[string]*kgo.Record{}
		for _, record := range m.read() {
			last[string(record.Key)] = record
		}
		if record := last[old]; record == nil || record.Value != nil {
			t.Errorf("the key of another release has the last value %v", record)
		}
		for key, record := range last {
			if strings.Contains(key, `"old"`) && strings.Contains(key, `"version":1`) && record.Value != nil {
				t.Errorf("%s is left behind", key)
			}
		}
		r = m.mustBeside()
		if after := dump(r); after != before {
			t.Errorf("after a restart:\n%s\nbefore:\n%s", after, before)
		}
		r.Close()
		m.stop(n)
	})
}

// The broker compacts the topic while the registry is away: the holes change nothing.
func TestCompactedTopic(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start("log.cleaner.backoff.ms=300")
		m.schemas(1, map[string]string{"cleanup.policy": "compact", "segment.ms": "1000", "min.cleanable.dirty.ratio": "0.001"})
		r := m.mustBeside()
		for i := range 20 {
			m.want(r, "PUT", "/config/a", fmt.Sprintf(`{"compatibilityGroup":"g%d"}`, i), 200, "")
			if i%5 == 0 {
				m.want(r, "POST", "/subjects/a/versions?force=true", schemaBody(fmt.Sprintf(`{"type":"fixed","name":"F","size":%d}`, i+1)), 200, "")
			}
		}
		m.want(r, "DELETE", "/subjects/a/versions/1", "", 200, "1")
		m.want(r, "DELETE", "/subjects/a/versions/1?permanent=true", "", 200, "1")
		m.pass(2 * time.Second)
		m.want(r, "POST", "/subjects/b/versions", schemaBody(`"int"`), 200, "") // into a segment of its own
		m.pass(time.Minute)
		ids := func(r *registry.Registry) (text string) {
			w := httptest.NewRecorder()
			r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/schemas?deleted=true", nil))
			return w.Body.String()
		}
		before := ids(r)
		r.Close()
		records := m.read()
		if holes := records[len(records)-1].Offset + 1 - int64(len(records)); holes < 15 {
			t.Errorf("only %d records were compacted away", holes)
		}
		r = m.mustBeside()
		if after := ids(r); after != before {
			t.Errorf("after compaction:\n%s\nbefore:\n%s", after, before)
		}
		m.want(r, "GET", "/config/a", "", 200, "g19")
		m.want(r, "POST", "/subjects/c/versions", schemaBody(`"long"`), 200, `"id":6`)
		r.Close()
		m.stop(n)
	})
}

// A client that sends its request a byte at a time is cut off, and nobody waits for it.
func TestSlowBodiesAreCutOff(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start(withRegistry)
		m.wantAsk("/subjects", "", 200, "[]")
		var slow []net.Conn
		for range 50 {
			c, err := m.network.Dial(m.context(), "tcp", "127.0.0.1:8081")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(c, "POST /subjects/a/versions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
			slow = append(slow, c)
		}
		head, err := m.network.Dial(m.context(), "tcp", "127.0.0.1:8081")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(head, "GET /sub")
		for range 8 {
			m.pass(5 * time.Second)
			for _, c := range append(slow, head) {
				c.Write([]byte(" "))
			}
			m.wantAsk("/subjects/b/versions", schemaBody(`"int"`), 200, `"id":1`)
		}
		for _, c := range append(slow, head) {
			c.SetReadDeadline(m.env.Clock.Now().Add(time.Second))
			answer, err := io.ReadAll(c)
			if err != nil || strings.HasPrefix(string(answer), "HTTP/1.1 200") {
				t.Errorf("after forty seconds the connection is still open: %q %v", answer, err)
			}
			c.Close()
		}
		m.stop(n)
	})
}
