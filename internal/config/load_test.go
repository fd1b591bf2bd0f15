package config

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func properties(t *testing.T, text string) Properties {
	t.Helper()
	p, err := ParseProperties(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func load(t *testing.T, text string, env ...string) *Static {
	t.Helper()
	s, _, err := Load(properties(t, text), env, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPrecedence: flag over environment over file over default.
func TestPrecedence(t *testing.T) {
	file := properties(t, "log.retention.ms=1\nnum.partitions=2\nlog.segment.bytes=2097152\n")
	s, _, err := Load(file, []string{"MILLRACE_NUM_PARTITIONS=3", "MILLRACE_LOG_SEGMENT_BYTES=3145728", "HOME=/root", "MILLRACE_FAILPOINT=x"},
		Properties{{Key: "log.segment.bytes", Value: "4194304"}})
	if err != nil {
		t.Fatal(err)
	}
	got := []int64{s.Int64("log.retention.ms"), int64(s.Int("num.partitions")), s.Int64("log.segment.bytes"), s.Int64("log.roll.hours")}
	if diff := cmp.Diff([]int64{1, 3, 4194304, 168}, got); diff != "" {
		t.Error(diff)
	}
}

// What the command line reads itself may stand in the environment of a node.
func TestTheCommandLinesOwnEnvironment(t *testing.T) {
	own := []string{"MILLRACE_BOOTSTRAP=localhost:9092", "MILLRACE_REGISTRY=http://localhost:8081"}
	if _, _, err := Load(nil, own, nil); err != nil {
		t.Error(err)
	}
}

func TestTypedValues(t *testing.T) {
	s := load(t, "log.flush.before.ack=FALSE\nlog.cleaner.min.cleanable.ratio=0.25\nlog.dirs=/a , /b\nlog.retention.hours=-1\nlog.roll.hours=2\n")
	if s.Bool("log.flush.before.ack") || s.Float("log.cleaner.min.cleanable.ratio") != 0.25 {
		t.Error("boolean or double")
	}
	if diff := cmp.Diff([]string{"/a", "/b"}, s.LogDirs()); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]time.Duration{"log.roll.ms": 2 * time.Hour, "log.roll.hours": 2 * time.Hour,
		"offsets.retention.minutes": 10080 * time.Minute, "log.cleaner.max.compaction.lag.ms": math.MaxInt64} {
		if got := s.Duration(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if d := s.Duration("log.retention.ms"); d >= 0 {
		t.Errorf("keeping for ever: %v", d)
	}
	if s.MetadataDir() != "/a" || s.NodeID() != 1 || load(t, "broker.id=7").NodeID() != 7 {
		t.Error("metadata directory or node id")
	}
}

// TestRefusals: each bad line is refused in words that tell what to do.
func TestRefusals(t *testing.T) {
	for in, want := range map[string]string{
		"log.retention.msx=1":                "line 1: log.retention.msx is no setting: did you mean log.retention.ms?",
		"xyzzy=1":                            "none has a name like it",
		"retention.ms=1":                     "it is called log.retention.ms",
		"remote.storage.enable=true":         "millrace config set --topic",
		"log.retention.hours=x":              "not a number of type int",
		"log.retention.ms=0":                 "at least 1, or -1",
		"log.segment.bytes=1000":             "at least 1048576",
		"num.partitions=3000000000":          "not a number of type int",
		"log.cleanup.policy=compact,shred":   `"shred" is not one of compact, delete`,
		"log.cleanup.policy=compact,compact": "named twice",
		"compression.type=zip":               `"zip" is not one of`,
		"auto.create.topics.enable=yes":      "neither true nor false",
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer": "more open than its file says",
		"super.users=User:admin":                                                         "more open than its file says",
		"sasl.enabled.mechanisms=SCRAM-SHA-512":                                          "no SASL authentication yet",
		"listener.name.external.plain.sasl.jaas.config=secret":                           "no SASL authentication yet",
		"ssl.client.auth=required":                                                       "client certificates are not checked yet",
		"config.providers=file":                                                          "never be taken for the secret",
		"allow.anonymous=true":                                                           "listener.name.plaintext.allow.anonymous=true",
		"process.roles=broker":                                                           "process.roles=broker,controller",
		"controller.quorum.voters=1@a:9093,2@b:9093":                                     "names 2 controllers",
		"controller.quorum.voters=2@b:9093":                                              "names node 2, but this is node 1",
		"listeners=SASL_SSL://localhost:9092":                                            "SASL authentication is not built yet",
		"listeners=SSL://localhost:9092":                                                 "set listener.name.ssl.ssl.keystore.location",
		"listeners=FOO://localhost:9092":                                                 "add listener.security.protocol.map=FOO:PLAINTEXT",
		"listeners=localhost:9092":                                                       "not of the form NAME://host:port",
		"listeners=PLAINTEXT://::1:9092":                                                 "needs brackets",
		"listeners=PLAINTEXT://localhost:99999":                                          "between 0 and 65535",
		"listeners=PLAINTEXT://:9092":                                                    "listener.name.plaintext.allow.anonymous=true",
		"listeners=PLAINTEXT://10.1.2.3:9092":                                            "on 10.1.2.3:9092 has no authentication",
		"listeners=":                                                                     "names none for clients",
		"inter.broker.listener.name=OTHER":                                               "none of the listeners",
		"advertised.listeners=PLAINTEXT://0.0.0.0:9092":                                  "no client can connect to 0.0.0.0",
		"advertised.listeners=OTHER://a:9092":                                            "none of the listeners",
		"admin.listeners=0.0.0.0:9644":                                                   "admin.allow.anonymous=true",
		"admin.listeners=9644":                                                           "has no port",
		"schema.registry.listeners=http://0.0.0.0:8081":                                  "schema.registry.allow.anonymous=true",
		"schema.registry.listeners=https://localhost:8081":                               "does not speak TLS yet",
		"schema.registry.listeners=localhost:8081":                                       "not of the form http://host:port",
		"schema.registry.listeners=http://localhost":                                     "has no port",
		"schema.registry.listeners=http://localhost:1,http://localhost:1":                "names port 1 twice",
		"schema.registry.topic=a/b":                                                      "no name of a topic",
		"schema.registry.topic=__schemas":                                                "begin with two underscores",
		"security.inter.broker.protocol=SASL_SSL":                                        "no listener speaks it",
		"security.inter.broker.protocol=PLAINTEXT\ninter.broker.listener.name=PLAINTEXT": "set only one of them",
		"log.dirs=/a,/a":                                                                 "names /a twice",
		"group.min.session.timeout.ms=1800001":                                           "larger than group.max.session.timeout.ms",
	} {
		_, _, err := Load(properties(t, in), nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant ... %s", in, err, want)
		}
	}
	if _, _, err := Load(nil, []string{"MILLRACE_LOG_RETENTON_MS=1"}, nil); err == nil || !strings.Contains(err.Error(), "did you mean MILLRACE_LOG_RETENTION_MS?") {
		t.Errorf("environment: %v", err)
	}
	if _, _, err := Load(properties(t, "listener.name.a.ssl.key.password=hunter2\nlisteners=A\nssl.keystore.key=x\nsasl.jaas.config=hunter2"), nil, nil); strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret is shown: %v", err)
	}
}

// TestWhatSecuresMayRepeatItsDefault: saying that nothing is secured is no reason to refuse.
func TestWhatSecuresMayRepeatItsDefault(t *testing.T) {
	load(t, "ssl.client.auth=none\nauthorizer.class.name=\nsasl.enabled.mechanisms=GSSAPI\nconnections.max.reauth.ms=0\n")
}

// TestStockFile: Kafka's own config/server.properties, as it ships.
func TestStockFile(t *testing.T) {
	raw, err := os.ReadFile("testdata/stock-server.properties")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Load(properties(t, string(raw)), nil, nil)
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), " add the line listener.name.plaintext.allow.anonymous=true to the file;") {
		t.Fatalf("the wildcard listener must be the one refusal: %v", err)
	}
	s, warnings, err := Load(properties(t, string(raw)+"\nlistener.name.plaintext.allow.anonymous=true\n"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Listener{{Name: "PLAINTEXT", Address: Address{"", 9092}, Advertised: Address{"localhost", 9092}, AllowAnonymous: true}}
	if diff := cmp.Diff(want, s.Listeners()); diff != "" {
		t.Error(diff)
	}
	if c := s.ControllerListeners(); len(c) != 1 || c[0].Name != "CONTROLLER" || c[0].Port != 9093 {
		t.Errorf("controller listeners: %+v", c)
	}
	texts := map[string]string{}
	for _, w := range warnings {
		texts[w.Key] = w.Text
	}
	for _, key := range []string{"num.network.threads", "num.io.threads", "controller.listener.names"} {
		if texts[key] == "" {
			t.Errorf("nothing is said about %s", key)
		}
	}
}

// TestListeners: names, protocols, addresses, per-listener settings.
func TestListeners(t *testing.T) {
	s := load(t, `
listeners=internal://localhost:19092,EXTERNAL://0.0.0.0:9092,SIX://[::1]:9093
listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:SSL,SIX:PLAINTEXT
advertised.listeners=EXTERNAL://broker.example:19092
inter.broker.listener.name=INTERNAL
connections.max.idle.ms=1000
listener.name.external.connections.max.idle.ms=2000
listener.name.external.allow.anonymous=true
listener.name.external.ssl.keystore.location=/etc/tls/broker.pem
`[1:])
	want := []Listener{
		{Name: "INTERNAL", Address: Address{"localhost", 19092}, Advertised: Address{"localhost", 19092}},
		{Name: "EXTERNAL", Protocol: SSL, Address: Address{"0.0.0.0", 9092}, Advertised: Address{"broker.example", 19092}, AllowAnonymous: true},
		{Name: "SIX", Address: Address{"::1", 9093}, Advertised: Address{"::1", 9093}},
	}
	if diff := cmp.Diff(want, s.Listeners()); diff != "" {
		t.Error(diff)
	}
	if s.InterBroker().Name != "INTERNAL" {
		t.Errorf("inter-broker listener: %v", s.InterBroker())
	}
	if a, b := s.Listener("INTERNAL").Duration("connections.max.idle.ms"), s.Listener("EXTERNAL").Duration("connections.max.idle.ms"); a != time.Second || b != 2*time.Second {
		t.Errorf("idle %v and %v", a, b)
	}
	if got := s.Listener("EXTERNAL").String("ssl.keystore.location"); got != "/etc/tls/broker.pem" {
		t.Errorf("certificate %q", got)
	}
	_, _, err := Load(properties(t, "listeners=A://127.0.0.1:1,B://[::1]:1,C://127.0.0.1:1\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT,C:PLAINTEXT"), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "A and C both want port 1") {
		t.Errorf("one address twice: %v", err)
	}
}

func TestDefaultsAreLoopback(t *testing.T) {
	s := Defaults()
	for _, l := range s.Listeners() {
		if !l.Loopback() {
			t.Errorf("%s", l.Address)
		}
	}
	if diff := cmp.Diff([]Address{{"127.0.0.1", 9092}, {"::1", 9092}}, s.Listeners()[0].Bind()); diff != "" {
		t.Error(diff)
	}
	if a := s.AdminListeners(); len(a) != 1 || a[0].String() != "127.0.0.1:9644" {
		t.Error(a)
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{"localhost": true, "127.0.0.1": true, "127.8.9.1": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "0.0.0.0": false, "::": false, "10.0.0.1": false, "localhost.example": false, "host": false} {
		if got := (Address{host, 1}).Loopback(); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

func TestEnvironmentNames(t *testing.T) {
	for _, key := range []string{"log.retention.ms", "listener.name.sasl_ssl.plain.sasl.jaas.config", "listener.name.a-b.allow.anonymous"} {
		rest := strings.TrimPrefix(EnvironmentName(key), environmentPrefix)
		if got := environmentKey(rest); got != key {
			t.Errorf("%s -> %s -> %s", key, EnvironmentName(key), got)
		}
	}
}
