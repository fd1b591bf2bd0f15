package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// tamperer stands between clients and a broker that advertises its address. Told to hide, it picks one batch and takes its
// records out of every fetch answer, so that readers pass over it as over compacted offsets.
type tamperer struct {
	net.Listener
	broker string
	hide   atomic.Bool

	mu     sync.Mutex
	picked *batchName
}

type batchName struct {
	topic     string
	id        [16]byte
	partition int32
	base      int64
}

func newTamperer() (*tamperer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &tamperer{Listener: l}, nil
}

// serve hands connections through until the listener is closed.
func (t *tamperer) serve() {
	for {
		client, err := t.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", t.broker)
		if err != nil {
			client.Close()
			continue
		}
		p := &pipe{t: t, fetches: map[uint32]int16{}}
		go copyFrames(broker, client, p.request)
		go copyFrames(client, broker, p.answer)
	}
}

func (t *tamperer) hidden() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.picked == nil {
		return ""
	}
	return fmt.Sprintf("the batch at offset %d", t.picked.base)
}

// copyFrames hands frames on until one side ends, and then ends the other.
func copyFrames(to, from net.Conn, change func([]byte) []byte) {
	defer to.Close()
	defer from.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(from, size[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(from, body); err != nil {
			return
		}
		body = change(body)
		if _, err := to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)); err != nil {
			return
		}
	}
}

// pipe is one connection: it remembers the versions of fetches that are under way.
type pipe struct {
	t       *tamperer
	mu      sync.Mutex
	fetches map[uint32]int16 // by correlation id
}

func (p *pipe) request(b []byte) []byte {
	key, version, id := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:])
	if key == uint16(kmsg.Fetch) {
		p.mu.Lock()
		p.fetches[id] = int16(version)
		p.mu.Unlock()
	}
	return b
}

func (p *pipe) answer(b []byte) []byte {
	p.mu.Lock()
	version, isFetch := p.fetches[binary.BigEndian.Uint32(b)]
	delete(p.fetches, binary.BigEndian.Uint32(b))
	p.mu.Unlock()
	if !isFetch || !p.t.hide.Load() {
		return b
	}
	r := kmsg.NewPtrFetchResponse()
	r.SetVersion(version)
	head := 4
	if r.IsFlexible() {
		head++ // an empty tag section
	}
	if err := r.ReadFrom(b[head:]); err != nil {
		return b
	}
	for _, t := range r.Topics {
		for i := range t.Partitions {
			q := &t.Partitions[i]
			q.RecordBatches = p.t.without(batchName{topic: t.Topic, id: t.TopicID, partition: q.Partition}, q.RecordBatches)
		}
	}
	return r.AppendTo(b[:head:head])
}

// without returns batches without the records of the one that is hidden.
func (t *tamperer) without(at batchName, batches []byte) (out []byte) {
	for len(batches) >= 61 {
		size := 12 + int(binary.BigEndian.Uint32(batches[8:]))
		if size > len(batches) {
			break
		}
		one := batches[:size]
		batches = batches[size:]
		at.base = int64(binary.BigEndian.Uint64(one))
		if t.picks(at) {
			one = emptied(one)
		}
		out = append(out, one...)
	}
	return append(out, batches...) // what is cut off at the end
}

// picks tells whether a batch is the hidden one; the first beyond the beginning of its log becomes it.
func (t *tamperer) picks(at batchName) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.picked == nil && at.base >= 20 {
		t.picked = &at
	}
	return t.picked != nil && *t.picked == at
}

// emptied is a batch with the same offsets and no records, as compaction leaves one.
func emptied(b []byte) []byte {
	const attributes, count, header = 21, 57, 61
	out := append([]byte(nil), b[:header]...)
	be := binary.BigEndian
	be.PutUint32(out[8:], header-12)
	be.PutUint16(out[attributes:], be.Uint16(out[attributes:])&^7) // no codec
	be.PutUint32(out[count:], 0)
	be.PutUint32(out[17:], crc32.Checksum(out[attributes:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}
