package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// registering is row R4: one client that registers one schema after another, each the next version of one of a hundred subjects. Before each it
// flushes a file and produces a record of the same size, which is what a registration has to wait for.
func (c *column) registering() error {
	for _, n := range []int{1000, manySchemas} {
		s, err := c.inside(c.dir(n))
		if err != nil {
			return err
		}
		err = c.registeringOn(s, n)
		s.stop()
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *column) registeringOn(s *served, n int) error {
	flush, done, err := c.flushes(2048)
	if err != nil {
		return err
	}
	defer done()
	h, err := dialHTTP(s.addr)
	if err != nil {
		return err
	}
	defer h.close()
	h.conn.SetDeadline(time.Now().Add(measureLimit))
	probe := &column{bench: c.bench, name: c.name, kind: c.kind, broker: s.broker}
	topic, err := probe.topic(1, flushed)
	if err != nil {
		return err
	}
	produce, err := newCaller(s.broker.Addr(), produceRequest(topic, make([]byte, 2048)), 9, topic)
	if err != nil {
		return err
	}
	defer produce.conn.Close()
	var flushes, produces, registers []time.Duration
	timed := func(into *[]time.Duration, f func() error) {
		if err == nil {
			began := time.Now()
			err = f()
			*into = append(*into, time.Since(began))
		}
	}
	buf := make([]byte, 4096)
	run := time.Now().UnixNano() // the subjects of a run are its own
	for k := range c.seconds * 100 {
		timed(&flushes, flush)
		timed(&produces, func() error { return produce.call(buf) })
		body, _ := json.Marshal(map[string]string{"schema": orderOf(15 + k/100)})
		request := postRequest(fmt.Sprintf("/subjects/new-%d-%d-value/versions", run, k%100), body)
		timed(&registers, func() error {
			_, err := h.ask(request)
			return err
		})
	}
	if err != nil {
		return err
	}
	of := fmt.Sprintf("%d schemas", n)
	c.add("R4", c.name+", "+of, sample{}.latencies(registers))
	c.add("R4", c.bare()+" flush, "+of, sample{}.latencies(flushes))
	c.add("R4", c.bare()+" produce, "+of, sample{}.latencies(produces))
	return nil
}

// orderOf is a record with so many optional fields.
func orderOf(fields int) string {
	var s strings.Builder
	s.WriteString(`{"type":"record","name":"Order","namespace":"com.example.orders","fields":[{"name":"id","type":"long"}`)
	for f := range fields {
		fmt.Fprintf(&s, `,{"name":"field_number_%d","type":["null","string"],"default":null}`, f)
	}
	return s.String() + `]}`
}

// format is a schema of two hundred fields in one of the three.
type format struct {
	name        string // in a request
	head, field string // field: the number stands for %[1]d
	last, tail  string // last: one more field, with a name that %s is a part of
}

var formats = []format{
	{"AVRO", `{"type":"record","name":"Wide","namespace":"com.example","fields":[{"name":"id","type":"long"}`,
		`,{"name":"field_number_%[1]d","type":["null","string"],"default":null}`, `,{"name":"one_more_%s","type":["null","long"],"default":null}`, `]}`},
	{"JSON", `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","additionalProperties":false,"properties":{"id":{"type":"integer"}`,
		`,"field_number_%[1]d":{"type":"string","maxLength":50}`, `,"one_more_%s":{"type":"integer"}`, `}}`},
	{"PROTOBUF", `syntax = "proto3"; package com.example; message Wide { int64 id = 1000;`,
		` string field_number_%[1]d = %[1]d;`, ` int64 one_more_%s = 999;`, ` }`},
}

const wideFields = 200

// body is the request that carries the schema, with one more field unless more is empty.
func (f format) body(more string) []byte {
	var s strings.Builder
	s.WriteString(f.head)
	for i := range wideFields {
		fmt.Fprintf(&s, f.field, i+1)
	}
	if more != "" {
		fmt.Fprintf(&s, f.last, more)
	}
	s.WriteString(f.tail)
	body, _ := json.Marshal(map[string]string{"schemaType": f.name, "schema": s.String()})
	return body
}

// comparing is row R5: a client that asks whether a schema of two hundred fields fits the one that is registered, again and again with
// the same text, and each time with one that was never seen.
func (c *column) comparing() error {
	s, err := c.inside(c.dir(1000))
	if err != nil {
		return err
	}
	defer s.stop()
	h, err := dialHTTP(s.addr)
	if err != nil {
		return err
	}
	defer h.close()
	h.conn.SetDeadline(time.Now().Add(measureLimit))
	for _, f := range formats {
		if _, err := h.ask(postRequest("/subjects/wide-"+f.name+"/versions", f.body(""))); err != nil {
			return err
		}
		for _, text := range []string{"seen", "new"} {
			delays, err := c.compare(h, f, text == "new")
			if err != nil {
				return err
			}
			c.add("R5", fmt.Sprintf("%s %s, %s text", c.name, f.name, text), sample{}.latencies(delays))
		}
	}
	return nil
}

func (c *column) compare(h *httpConn, f format, fresh bool) (delays []time.Duration, err error) {
	run := fmt.Sprint(time.Now().UnixNano())
	body := f.body(run)
	for k := range c.seconds * 60 {
		if fresh {
			body = f.body(fmt.Sprintf("%s_%d", run, k))
		}
		request := postRequest("/compatibility/subjects/wide-"+f.name+"/versions/latest", body)
		began := time.Now()
		answer, err := h.ask(request)
		took := time.Since(began)
		if err != nil {
			return nil, err
		}
		if !strings.Contains(string(answer), `"is_compatible":true`) {
			return nil, fmt.Errorf("%s: %s", f.name, answer)
		}
		if k >= 10 { // the first ones find nothing in any cache
			delays = append(delays, took)
		}
	}
	return delays, nil
}

// withAndWithout is row R6: what a node that nobody uses pays for its registry.
func (c *column) withAndWithout() error {
	if len(c.samples("R6", c.name+" with")) == 0 {
		if err := c.prepareStart(); err != nil {
			return err
		}
	}
	for _, variant := range []string{"with", "without"} {
		o := c.options(c.name + "-start")
		if variant == "without" {
			o.Overrides = map[string]string{"schema.registry.listeners": ""}
		}
		s, err := c.timedStartOf(o, 3*time.Second)
		if err != nil {
			return err
		}
		c.add("R6", c.name+" "+variant, s)
	}
	return nil
}
