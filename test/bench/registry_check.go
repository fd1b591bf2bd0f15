package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// checking is row R7: the produce path of a topic that takes only registered schemas, beside one that takes everything. Most runs
// are unflushed, where a percent is seen best, and both topics get the same records: 1 KiB with the prefix that serializers write. Where
// little is expected a measurement takes turns between the two, for the processor's time is told in hundredths of a second.
func (c *column) checking() error {
	s, err := c.inside(c.dir(1000))
	if err != nil {
		return err
	}
	defer s.stop()
	node := &column{bench: c.bench, name: c.dir(1000), kind: c.kind, broker: s.broker}
	for _, codec := range []struct {
		name   string
		values [][]byte
		option kgo.ProducerOpt
		mode   mode
		turns  int
	}{
		{"uncompressed", values, kgo.ProducerBatchCompression(kgo.NoCompression()), unflushed, 4},
		{"uncompressed, flushed", values, kgo.ProducerBatchCompression(kgo.NoCompression()), flushed, 2},
		{"lz4", texts, kgo.ProducerBatchCompression(kgo.Lz4Compression()), unflushed, 1},
		{"zstd", texts, kgo.ProducerBatchCompression(kgo.ZstdCompression()), unflushed, 1},
	} {
		sums := map[string]sample{"unchecked": {}, "checked": {}}
		for k := range codec.turns {
			order := []string{"unchecked", "checked"}
			if k%2 == 1 {
				order[0], order[1] = order[1], order[0]
			}
			for _, variant := range order {
				took, err := node.produceChecked(s, codec.mode, variant == "checked", load{values: codec.values, bytes: c.bytes, options: []kgo.Opt{codec.option}})
				if err != nil {
					return err
				}
				for m, v := range took {
					sums[variant][m] += v / float64(codec.turns)
				}
			}
		}
		for _, variant := range []string{"unchecked", "checked"} {
			c.add("R7", fmt.Sprintf("%s %s, %s", c.name, variant, codec.name), sums[variant])
		}
	}
	return nil
}

func (c *column) produceChecked(s *served, m mode, checked bool, l load) (sample, error) {
	topic, err := c.topic(4, m)
	if err != nil {
		return nil, err
	}
	id, err := registered(s.addr, topic+"-value")
	if err != nil {
		return nil, err
	}
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	value := fmt.Sprint(checked)
	answers, err := kadm.NewClient(client).AlterTopicConfigs(c.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "confluent.value.schema.validation", Value: &value}}, topic)
	if err == nil {
		err = answers[0].Err
	}
	if err != nil {
		return nil, err
	}
	l.topic, l.values = topic, withID(l.values, id)
	took, err := c.produceAll(l)
	if err != nil {
		return nil, err
	}
	return took, c.drop(topic)
}

// registered registers a schema and returns its id.
func registered(addr, subject string) (id int, err error) {
	h, err := dialHTTP(addr)
	if err != nil {
		return 0, err
	}
	defer h.close()
	body, _ := json.Marshal(map[string]string{"schema": orderOf(15)})
	answer, err := h.ask(postRequest("/subjects/"+subject+"/versions", body))
	if err != nil {
		return 0, err
	}
	var a struct{ ID int }
	err = json.Unmarshal(answer, &a)
	return a.ID, err
}

// withID puts the prefix of a schema's id in place of the first bytes.
func withID(values [][]byte, id int) [][]byte {
	var prefixed [][]byte
	for _, v := range values {
		prefixed = append(prefixed, append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), v[5:]...))
	}
	return prefixed
}
