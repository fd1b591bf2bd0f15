package serde_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"millrace/internal/apps/registry"
	"millrace/internal/boot"
	"millrace/internal/config"
	"millrace/internal/node/env"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestExample runs the example against a node, with a registry that keeps its schemas there.
func TestExample(t *testing.T) {
	var p config.Properties
	for name, value := range map[string]string{"log.dirs": t.TempDir(), "listeners": "PLAINTEXT://127.0.0.1:0", "admin.listeners": "127.0.0.1:0", "auto.create.topics.enable": "true"} {
		p = append(p, config.Property{Key: name, Value: value})
	}
	settings, _, err := config.Load(p, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	node, err := boot.Start(boot.Options{Env: env.Real(), Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		within, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := node.Stop(within); err != nil {
			t.Error(err)
		}
	})
	bootstrap := boot.Address(node.Endpoints()[0])
	schemas, err := registry.Open(t.Context(), registry.Options{Client: []kgo.Opt{kgo.SeedBrokers(bootstrap)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(schemas.Close)
	web := httptest.NewServer(schemas.Handler())
	t.Cleanup(web.Close)
	want := Purchase{ID: 7, Customer: "Ada"}
	if got, err := thereAndBack(bootstrap, web.URL, want); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}
