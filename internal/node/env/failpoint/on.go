//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Enabled tells whether this build has fail points.
const Enabled = true

type point struct {
	action string
	at     int
	hits   int
}

var (
	mu     sync.Mutex
	armed  = mustParse(os.Getenv("MILLRACE_FAILPOINT"))
	struck = map[string]int{}
)

// Struck is how often a point has done what it was armed for.
func Struck(name string) int {
	mu.Lock()
	defer mu.Unlock()
	return struck[name]
}

func mustParse(s string) map[string]*point {
	m, err := parse(s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "MILLRACE_FAILPOINT:", err)
		os.Exit(2)
	}
	return m
}

func parse(s string) (map[string]*point, error) {
	m := map[string]*point{}
	for _, one := range strings.Split(s, ";") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		name, rest, ok := strings.Cut(one, "=")
		action, count, counted := strings.Cut(rest, "@")
		p := &point{action: action, at: 1}
		var err error
		if counted {
			p.at, err = strconv.Atoi(count)
		}
		isAction := action == "kill" || action == "pause" || action == "error"
		if !ok || !isAction || err != nil || p.at < 1 {
			return nil, fmt.Errorf("%q is not name=kill|pause|error[@n]", one)
		}
		if !known(name) {
			return nil, fmt.Errorf("there is no fail point %q", name)
		}
		m[name] = p
	}
	return m, nil
}

// Arm sets the points of this process anew, in the notation of MILLRACE_FAILPOINT; "" disarms all.
func Arm(s string) error {
	m, err := parse(s)
	mu.Lock()
	defer mu.Unlock()
	if err == nil {
		armed = m
	}
	return err
}

// Hit marks a point. It returns nil unless the point is armed with "error" and this is the hit that counts.
func Hit(name string) error {
	action := due(name)
	if action != "" {
		fmt.Fprintf(os.Stderr, "fail point %s: %s\n", name, action) // a file written by the kernel: it outlives the kill
	}
	switch action {
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "pause":
		select {}
	case "error":
		return fmt.Errorf("%s: %w", name, ErrInjected)
	}
	return nil
}

func due(name string) string {
	mu.Lock()
	defer mu.Unlock()
	p := armed[name]
	if p == nil {
		return ""
	}
	p.hits++
	if p.hits != p.at {
		return ""
	}
	struck[name]++
	return p.action
}
