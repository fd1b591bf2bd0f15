package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicsPage creates and deletes topics: what was acknowledged exists under its id, what was deleted never comes back (DUR-12,
// RET-3).
type topicsPage struct {
	l      *ledger
	prefix string
	made   int
	exist  []string
	ids    map[string][16]byte
	gone   map[string]bool
}

const topicsKept = 4

func (p *topicsPage) turn(c *caller) error {
	if p.ids == nil {
		p.ids, p.gone = map[string][16]byte{}, map[string]bool{}
	}
	if err := p.create(c); err != nil {
		return err
	}
	if len(p.exist) > topicsKept {
		if err := p.remove(c); err != nil {
			return err
		}
	}
	return p.check(c)
}

// create asks for a name once only: a topic of a create that was not answered may exist or not.
func (p *topicsPage) create(c *caller) error {
	p.made++
	name := fmt.Sprintf("%s-%d", p.prefix, p.made)
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, 1, 1
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis, req.Topics = 10_000, append(req.Topics, t)
	r, err := ask[*kmsg.CreateTopicsResponse](c, req, 7)
	if err == nil {
		err = code(r.Topics[0].ErrorCode)
	}
	if err == nil {
		p.exist, p.ids[name] = append(p.exist, name), r.Topics[0].TopicID
	}
	return err
}

func (p *topicsPage) remove(c *caller) error {
	name := p.exist[0]
	p.exist = p.exist[1:]
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis, req.TopicNames = 10_000, []string{name}
	r, err := ask[*kmsg.DeleteTopicsResponse](c, req, 5)
	if err == nil {
		err = code(r.Topics[0].ErrorCode)
	}
	p.gone[name] = err == nil
	return err
}

// visible is how long acknowledged metadata may take to be seen (DUR-12). Ours is seen at once, Kafka's a moment later.
const visible = time.Second

func (p *topicsPage) check(c *caller) error {
	for end := time.Now().Add(visible); ; {
		doubts, err := p.look(c)
		if err != nil || len(doubts) == 0 {
			return err
		}
		if time.Now().After(end) {
			for _, d := range doubts {
				p.l.find("%s", d)
			}
			return nil
		}
	}
}

func (p *topicsPage) look(c *caller) (doubts []string, err error) {
	req := kmsg.NewPtrMetadataRequest()
	r, err := ask[*kmsg.MetadataResponse](c, req, 12)
	if err != nil {
		return nil, err
	}
	listed := map[string][16]byte{}
	for _, t := range r.Topics {
		if t.ErrorCode == 0 {
			listed[*t.Topic] = t.TopicID
		}
	}
	for _, name := range p.exist {
		switch id, ok := listed[name]; {
		case !ok:
			doubts = append(doubts, fmt.Sprintf("topic %s was created and is not there (DUR-12)", name))
		case id != p.ids[name]:
			doubts = append(doubts, fmt.Sprintf("topic %s was created with id %x and has id %x (RET-3)", name, p.ids[name], id))
		}
	}
	for name := range listed {
		if p.gone[name] {
			doubts = append(doubts, fmt.Sprintf("topic %s was deleted and is there again (DUR-12)", name))
		}
	}
	return doubts, nil
}

// settingsPage raises a setting of a topic: what was acknowledged is described (DUR-12).
type settingsPage struct {
	l     *ledger
	topic string
	value register
	made  bool
}

const risingSetting = "retention.ms"

func (p *settingsPage) turn(c *caller) error {
	if !p.made {
		p.value = register{1_000_000_000, 1_000_000_000}
		if err := c.create(p.topic, map[string]string{risingSetting: "1000000000"}); err != nil {
			return err
		}
		p.made = true
	}
	p.value.tried++
	text := strconv.FormatInt(p.value.tried, 10)
	e := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	e.Name, e.Value = risingSetting, &text
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName, res.Configs = kmsg.ConfigResourceTypeTopic, p.topic, append(res.Configs, e)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = append(req.Resources, res)
	r, err := ask[*kmsg.IncrementalAlterConfigsResponse](c, req, 0)
	if err == nil {
		err = code(r.Resources[0].ErrorCode)
	}
	if err != nil {
		return err
	}
	p.value.acked = p.value.tried
	return p.check(c)
}

func (p *settingsPage) check(c *caller) error {
	for end := time.Now().Add(visible); ; {
		got, err := p.described(c)
		if err != nil {
			return err
		}
		if got >= p.value.acked || time.Now().After(end) {
			p.value.read(p.l, risingSetting+" of "+p.topic, got)
			return nil
		}
	}
}

func (p *settingsPage) described(c *caller) (int64, error) {
	res := kmsg.NewDescribeConfigsRequestResource()
	res.ResourceType, res.ResourceName, res.ConfigNames = kmsg.ConfigResourceTypeTopic, p.topic, []string{risingSetting}
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = append(req.Resources, res)
	r, err := ask[*kmsg.DescribeConfigsResponse](c, req, 1)
	if err == nil {
		err = code(r.Resources[0].ErrorCode)
	}
	if err != nil {
		return 0, err
	}
	if len(r.Resources[0].Configs) != 1 || r.Resources[0].Configs[0].Value == nil {
		return 0, fmt.Errorf("%s is not described", risingSetting)
	}
	return strconv.ParseInt(*r.Resources[0].Configs[0].Value, 10, 64)
}

// idsPage asks for producer ids: none is given twice (IDM-3).
type idsPage struct {
	l    *ledger
	seen map[int64]bool
}

func (p *idsPage) turn(c *caller) error {
	id, err := c.producerID()
	if err != nil {
		return err
	}
	if p.seen[id] {
		p.l.find("producer id %d was given twice (IDM-3)", id)
	}
	p.seen[id] = true
	return nil
}

func (p *idsPage) check(c *caller) error { return p.turn(c) }

func (c *caller) producerID() (int64, error) {
	r, err := ask[*kmsg.InitProducerIDResponse](c, kmsg.NewPtrInitProducerIDRequest(), 1)
	if err != nil {
		return -1, err
	}
	return r.ProducerID, code(r.ErrorCode)
}
