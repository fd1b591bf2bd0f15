package boot

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/apps/cli"
	"millrace/internal/apps/registry"
)

// TestAnotherRegistryOnTheSameTopic: one that is started beside a node that runs its own is told not to write, and the node goes on. A node
// that is started while another one writes only reads, and says so.
func TestAnotherRegistryOnTheSameTopic(t *testing.T) {
	onComputer(t, func(m *computer) {
		other := func() *registry.Registry {
			t.Helper()
			r, err := registry.Open(m.context(), registry.Options{Client: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(m.network.Dial)},
				Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		n := m.start(withRegistry)
		m.wantAsk("/subjects/a/versions", schemaBody(`"string"`), 200, `"id":1`)
		r := other()
		if err := r.Settled(m.context()); err == nil || !strings.Contains(err.Error(), "another schema registry writes the topic _schemas") {
			t.Errorf("the second registry: %v", err)
		}
		r.Close()
		m.wantAsk("/subjects/b/versions", schemaBody(`"long"`), 200, `"id":2`)
		m.stop(n)

		n = m.start()
		r = other()
		if err := r.Settled(m.context()); err != nil {
			t.Errorf("the only registry is refused: %v", err)
		}
		m.stop(n)
		n = m.start(withRegistry) // the other one found it again
		m.wantAsk("/subjects/b/versions/1", "", 200, `"id":2`)
		m.wantAsk("/subjects/c/versions", schemaBody(`"int"`), 500, `another schema registry writes the topic _schemas`)
		if code, body := m.get("/healthz"); code != 200 || !strings.Contains(body, "another schema registry") {
			t.Errorf("/healthz: %d %s", code, body)
		}
		if got := m.metric("millrace_schemas_writer"); got != "0" {
			t.Errorf("millrace_schemas_writer is %s", got)
		}
		r.Close()
		m.stop(n)
	})
}

// TestRegistryBesideDev: the program millrace registry on the cluster of a running dev ends with a sentence; and the table of requests
// and answers holds for the registry in the node, over real sockets.
func TestRegistryBesideDev(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	printed := running(t, "Ctrl-C", func(ctx context.Context, out io.Writer) error {
		return dev(ctx, "1.2.3", cli.DevOptions{Data: dir, Port: 0}, out)
	})
	url := address(t, printed, "registry")
	t.Run("requests", func(t *testing.T) {
		if testing.Short() {
			t.Skip("it runs the tests of another package")
		}
		c := exec.CommandContext(t.Context(), "go", "test", "-count=1", "../apps/registry", "-run", "^TestRequests$", "-registry", url)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	healthy := func() {
		t.Helper()
		resp, err := http.Get(url + "/health")
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("the node's registry: %v %v", resp, err)
		}
		resp.Body.Close()
	}
	healthy() // and open: of two that start at the same moment, the node's may be the second
	o := cli.RegistryOptions{Client: []kgo.Opt{kgo.SeedBrokers(address(t, printed, "kafka"))}, Listen: "127.0.0.1:0", Topic: "_schemas"}
	err := runRegistry(t.Context(), "1.2.3", o, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "another schema registry writes the topic _schemas") {
		t.Errorf("it says: %v", err)
	}
	healthy()
}

// TestRegistryRefusesOtherSites: a page of another site that somebody's browser shows cannot change schemas.
func TestRegistryRefusesOtherSites(t *testing.T) {
	onComputer(t, func(m *computer) {
		n := m.start(withRegistry)
		h, err := http.NewRequestWithContext(m.context(), "POST", "http://127.0.0.1:8081/subjects/a/versions", strings.NewReader(schemaBody(`"string"`)))
		if err != nil {
			t.Fatal(err)
		}
		h.Header.Set("Origin", "https://example.com")
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: m.network.Dial}}).Do(h)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 403 || !strings.Contains(string(b), `"error_code":403`) {
			t.Errorf("%d %s", resp.StatusCode, b)
		}
		m.wantAsk("/subjects", "", 200, `[]`)
		m.stop(n)
	})
}
