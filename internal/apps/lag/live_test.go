package lag

import (
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestAgainstCluster asks the cluster of LOAD_BOOTSTRAP, whatever groups it has.
func TestAgainstCluster(t *testing.T) {
	bootstrap := os.Getenv("LOAD_BOOTSTRAP")
	if bootstrap == "" {
		t.Skip("LOAD_BOOTSTRAP names no cluster")
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	rows, err := Collector(cl, Options{})()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Committed < 0 || r.Lag < 0 {
			t.Errorf("%+v", r)
		}
	}
	t.Log(rows)
}
