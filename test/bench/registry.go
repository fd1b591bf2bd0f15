package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millrace/test/target"
)

// The rows of the schema registry. There is no other registry beside it: bars are figures, and the limits stand next to them.
var registryRows = []string{"R1", "R2", "R3", "R4", "R5", "R6", "R7"}

// registry measures the registry's rows. Each build in the comparison has nodes of its own.
func (b *bench) registry(rows []string) error {
	columns := []*column{b.ours}
	if b.against != "" {
		columns = append(columns, b.kafka)
	}
	if !slices.ContainsFunc(rows, isRegistry) {
		return nil
	}
	for _, c := range columns {
		if err := c.fillMany(rows); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		row string
		run func(c *column) error
	}{{"R1", (*column).getByID}, {"R2", (*column).getAtRate}, {"R3", (*column).loadMany}, {"R4", (*column).registering}, {"R5", (*column).comparing},
		{"R6", (*column).withAndWithout}, {"R7", (*column).checking}} {
		if !slices.Contains(rows, step.row) {
			continue
		}
		if err := b.repeat(columns, step.run); err != nil {
			b.failed = append(b.failed, fmt.Sprintf("row %s: %v", step.row, err))
			b.progress("FAILED %s", b.failed[len(b.failed)-1])
		}
		if b.ctx.Err() != nil {
			return b.ctx.Err()
		}
		if err := b.save([]string{step.row}); err != nil {
			return err
		}
	}
	return nil
}

// repeat takes the pairs of a row, the order alternating.
func (b *bench) repeat(columns []*column, run func(c *column) error) error {
	for i := range b.pairs {
		order := slices.Clone(columns)
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, c := range order {
			b.calm()
			if err := run(c); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

// isRegistry tells a row of the registry's table.
func isRegistry(row string) bool { return strings.HasPrefix(row, "R") }

// served is a schema registry with the node it is in, or beside.
type served struct {
	broker   *target.Process
	registry *target.Process // nil: inside the broker
	addr     string          // of the REST interface
}

// dir is where a column keeps a node with n schemas.
func (c *column) dir(n int) string { return fmt.Sprintf("%s-registry-%d", c.name, n) }

// node starts a node; an empty address leaves the registry out.
func (c *column) node(dir, registry string, core int) (*target.Process, error) {
	o := c.options(dir)
	o.Core, o.Overrides = core, map[string]string{"schema.registry.listeners": ""}
	if registry != "" {
		o.Overrides["schema.registry.listeners"] = "http://" + registry
	}
	return target.Start(c.ctx, o)
}

// inside starts a node with its registry, and returns when it has answered.
func (c *column) inside(dir string) (*served, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p, err := c.node(dir, addr, brokerCore)
	if err != nil {
		return nil, err
	}
	s := &served{broker: p, addr: addr}
	if _, err := firstAnswer(addr, getRequest("/subjects?limit=1")); err != nil {
		s.stop()
		return nil, fmt.Errorf("%w\n%s", err, p.Tail(20))
	}
	return s, nil
}

func (s *served) stop() {
	if s.registry != nil {
		s.registry.Stop()
	}
	s.broker.Stop()
}

// process is the one that serves.
func (s *served) process() *target.Process {
	if s.registry != nil {
		return s.registry
	}
	return s.broker
}

func freeAddr() (string, error) {
	port, err := target.FreePort()
	return fmt.Sprintf("127.0.0.1:%d", port), err
}

// firstAnswer asks until there is an answer of 200.
func firstAnswer(addr string, request []byte) (body []byte, err error) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		h, e := dialHTTP(addr)
		if err = e; e != nil {
			continue
		}
		h.conn.SetDeadline(end)
		body, err = h.ask(request)
		h.close()
		if err == nil {
			return body, nil
		}
	}
	return nil, errors.Join(errors.New("the registry does not answer"), err)
}

// fillMany makes the nodes that the rows start from: one with a thousand schemas and one with a hundred thousand.
func (c *column) fillMany(rows []string) error {
	for _, n := range []int{1000, manySchemas} {
		if n == manySchemas && !overlap(rows, []string{"R1", "R2", "R3", "R4"}) {
			continue
		}
		p, err := c.node(c.dir(n), "", brokerCore)
		if err != nil {
			return err
		}
		err = fill(c.ctx, p.Addr(), n)
		if e := p.Stop(); err == nil {
			err = e
		}
		if err != nil {
			return fmt.Errorf("%d schemas: %w", n, err)
		}
		c.progress("%s has a node with %d schemas", c.name, n)
	}
	return nil
}

// getRequests ask for schemas by their ids, spread over all, as a deserializer does.
func getRequests(n int) [][]byte {
	requests := make([][]byte, 1000)
	for i := range requests {
		at := i * (n / len(requests))
		requests[i] = getRequest(fmt.Sprintf("/schemas/ids/%d?fetchMaxId=false&subject=%s", at+1, subjectOf(at)))
	}
	return requests
}

// warmedUp opens connections and asks for everything once, and for two seconds.
func warmedUp(addr string, requests [][]byte) ([]*httpConn, error) {
	conns, err := dialCrowd(addr)
	if err == nil {
		_, err = askAll(conns, requests, 2*time.Second)
	}
	return conns, err
}

func closeCrowd(conns []*httpConn) {
	for _, h := range conns {
		h.close()
	}
}

// eachServer calls f for a node with a thousand schemas, one with a hundred thousand, and Go's server with a fixed body of the same size.
func (c *column) eachServer(f func(variant, addr string, cpu func() float64, requests [][]byte) error) error {
	var body []byte
	for _, n := range []int{1000, manySchemas} {
		s, err := c.inside(c.dir(n))
		if err != nil {
			return err
		}
		requests := getRequests(n)
		if body, err = firstAnswer(s.addr, requests[len(requests)/2]); err == nil {
			body = slices.Clone(body)
			err = f(fmt.Sprintf("%s, %d schemas", c.name, n), s.addr, s.broker.CPU, requests)
		}
		s.stop()
		if err != nil {
			return err
		}
	}
	return c.withFixed(body, func(addr string, cpu func() float64) error { return f(c.bare(), addr, cpu, getRequests(1000)) })
}

// bare is the name of a limit measured beside a column.
func (c *column) bare() string {
	if c == c.bench.ours {
		return "bare"
	}
	return "bare beside " + c.name
}

// getByID is row R1: as many as there can be.
func (c *column) getByID() error {
	return c.eachServer(func(variant, addr string, cpu func() float64, requests [][]byte) error {
		conns, err := warmedUp(addr, requests)
		defer closeCrowd(conns)
		if err != nil {
			return err
		}
		m := startPacedMeter(cpu)
		delays, err := askAll(conns, requests, time.Duration(c.seconds)*time.Second)
		if err != nil {
			return err
		}
		took, used, client := m.stop()
		s := sample{"requests/s": float64(len(delays)) / took, "CPU us/request": used * 1e6 / float64(len(delays)), "client %": client}
		c.add("R1", variant, s.latencies(delays))
		return nil
	})
}

// getRate is half of what R1 demands.
const getRate = 10_000

// getAtRate is row R2: the delays at half of that.
func (c *column) getAtRate() error {
	return c.eachServer(func(variant, addr string, cpu func() float64, requests [][]byte) error {
		conns, err := warmedUp(addr, requests)
		defer closeCrowd(conns)
		if err != nil {
			return err
		}
		m := startPacedMeter(cpu)
		delays, err := askAtRate(c.ctx, conns, requests, getRate, getRate*c.seconds)
		if err != nil {
			return err
		}
		took, used, client := m.stop()
		s := sample{"requests/s": float64(len(delays)) / took, "CPU us/request": used * 1e6 / float64(len(delays)), "client %": client}
		c.add("R2", variant, s.latencies(delays))
		return nil
	})
}

// loadMany is row R3: from the start of a process to its first answer out of a hundred thousand schemas, inside a node and beside one;
// and what a client needs that reads the same records and throws them away.
func (c *column) loadMany() error {
	last := getRequest(fmt.Sprintf("/schemas/ids/%d", manySchemas))
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	timed := func(variant string, start func() (*target.Process, error)) (*target.Process, error) {
		began := time.Now()
		p, err := start()
		if err != nil {
			return nil, err
		}
		if _, err := firstAnswer(addr, last); err != nil {
			p.Stop()
			return nil, fmt.Errorf("%w\n%s", err, p.Tail(20))
		}
		c.add("R3", c.name+" "+variant, sample{"ready ms": float64(time.Since(began).Microseconds()) / 1e3, "resident MB": float64(p.Resident()) / 1e6,
			"CPU s": p.CPU()})
		time.Sleep(3 * time.Second)
		c.add("R3", c.name+" "+variant+", 3 s later", sample{"resident MB": float64(p.Resident()) / 1e6})
		return p, nil
	}
	node, err := timed("inside a node", func() (*target.Process, error) {
		o := c.options(c.dir(manySchemas))
		o.Overrides = map[string]string{"schema.registry.listeners": "http://" + addr}
		return target.Spawn(o)
	})
	if err != nil {
		return err
	}
	node.Stop()
	if node, err = c.node(c.dir(manySchemas), "", clientCore); err != nil {
		return err
	}
	defer node.Stop()
	registry, err := timed("beside a node", func() (*target.Process, error) {
		o := target.Options{Kind: "registry", Binary: c.binary, Dir: filepath.Join(c.work, c.name+"-alone"), Core: brokerCore, Bootstrap: node.Addr(), Env: []string{"GOMAXPROCS=2", "GOGC=100"}}
		fmt.Sscanf(addr, "127.0.0.1:%d", &o.Port)
		return target.Spawn(o)
	})
	if err != nil {
		return err
	}
	registry.Stop()
	cmd, err := startSelf("-read-topic", node.Addr(), schemasTopic, fmt.Sprint(manySchemas))
	if err != nil {
		return err
	}
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	var ms float64
	fmt.Sscan(string(out), &ms)
	c.add("R3", c.bare(), sample{"ready ms": ms, "CPU s": cmd.ProcessState.UserTime().Seconds() + cmd.ProcessState.SystemTime().Seconds()})
	return os.RemoveAll(filepath.Join(c.work, c.name+"-alone.log"))
}
