package target

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// URL is the address of the registry: of one that was started by itself, or, when its port was given, of the one inside
// Millrace's node.
func (p *Process) URL() string {
	if p.Kind == "registry" {
		return "http://" + p.Addr()
	}
	return "http://127.0.0.1:" + strconv.Itoa(p.Registry)
}

// registryCommand is Millrace's registry beside a cluster, whosoever's it is.
func registryCommand(o Options) ([]string, error) {
	binary, err := millrace(o)
	if err != nil {
		return nil, err
	}
	args := []string{binary, "registry", "--bootstrap", o.Bootstrap, "--listen", "127.0.0.1:" + strconv.Itoa(o.Port)}
	if o.Topic != "" {
		args = append(args, "--topic", o.Topic)
	}
	return args, nil
}

// RegistryAnswers asks a registry for its root.
func RegistryAnswers(url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(url + "/")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s/ answers %s", url, answer.Status)
	}
	return nil
}
