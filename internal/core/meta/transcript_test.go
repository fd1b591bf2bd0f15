package meta

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"millrace/internal/config"
	"millrace/internal/core/machine"
	"millrace/internal/kafka/record"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts in testdata anew")

// A transcript is a story: comments, blank lines, and commands after "> ", each followed by what came out, indented by
// two spaces. A command is the name of a controller command with its fields as JSON, where "@name" stands for a topic's
// id and #n for broker n's epoch; or one of
//
//	brokers N [rack=R]   register and unfence the broker N
//	wait D               let time pass, and tick when the deadline has come
//	image                print the image
//	restart              load a new controller from the log, and compare
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) { transcript(t, f) })
	}
}

func transcript(t *testing.T, file string) {
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	table := Table{Static: config.Defaults()}
	l := newLab(t, func(o *Options) {
		*o = table.Options(*o)
		o.SessionTimeout = 9 * time.Second
	})
	var out strings.Builder
	for _, line := range strings.Split(strings.TrimSuffix(string(want), "\n"), "\n") {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		fmt.Fprintln(&out, line)
		if cmd, ok := strings.CutPrefix(line, "> "); ok {
			for _, o := range strings.Split(strings.TrimSuffix(l.tell(cmd), "\n"), "\n") {
				fmt.Fprintln(&out, "  "+o)
			}
		}
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if out.String() != string(want) {
		t.Fatalf("%s tells another story now:\n%s\nif it is the right one: go test ./internal/core/meta -run Transcripts -rewrite", file, out.String())
	}
}

func (l *lab) tell(line string) string {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "broker":
		return l.tellBroker(rest)
	case "wait":
		return l.tellWait(rest)
	case "image":
		return l.tellImage()
	case "restart":
		return l.tellRestart()
	}
	body, ok := commands[verb]
	if !ok {
		l.t.Fatalf("no command %q", verb)
	}
	v := reflect.New(reflect.TypeOf(body))
	if rest != "" {
		d := json.NewDecoder(strings.NewReader(l.fill(rest)))
		d.DisallowUnknownFields()
		if err := d.Decode(v.Interface()); err != nil {
			l.t.Fatalf("%s: %v", line, err)
		}
	}
	return l.show(v.Elem().Interface())
}

var commands = map[string]any{
	"Bootstrap": Bootstrap{}, "CreateTopics": CreateTopics{}, "DeleteTopics": DeleteTopics{},
	"CreatePartitions": CreatePartitions{}, "IncrementalAlterConfigs": IncrementalAlterConfigs{},
	"AlterConfigs": AlterConfigs{}, "RegisterBroker": RegisterBroker{}, "UnfenceBroker": UnfenceBroker{},
	"FenceBroker": FenceBroker{}, "UnregisterBroker": UnregisterBroker{}, "BrokerHeartbeat": BrokerHeartbeat{},
	"StartLeading": StartLeading{}, "ElectLeaders": ElectLeaders{}, "AllocateProducerIDs": AllocateProducerIDs{},
	"UpdateFeatures": UpdateFeatures{}, "AlterPartition": AlterPartition{},
}

// fill puts topic ids and broker epochs in.
func (l *lab) fill(s string) string {
	for _, t := range l.image().TopicNames() {
		s = strings.ReplaceAll(s, `"@`+t+`"`, `"`+l.image().Topic(t).ID.String()+`"`)
	}
	for _, b := range l.image().Brokers() {
		s = strings.ReplaceAll(s, fmt.Sprintf("#%d", b.ID), fmt.Sprint(b.Epoch))
	}
	return s
}

func (l *lab) show(body any) string {
	at := l.end
	reply := l.do(body)
	return l.showRecords(at) + dump(reflect.ValueOf(reply)) + "\n"
}

// showRecords prints what the last command wrote.
func (l *lab) showRecords(from int64) string {
	var out strings.Builder
	for _, b := range l.log {
		for i, r := range b.Records {
			if o := b.BaseOffset + int64(i); o >= from {
				m, v, err := record.ParseMetadata(r.Value)
				if err != nil {
					l.t.Fatal(err)
				}
				fmt.Fprintf(&out, "%d v%d %s\n", o, v, dump(reflect.ValueOf(m)))
			}
		}
	}
	return out.String()
}

func (l *lab) tellBroker(rest string) string {
	var id int32
	rack := ""
	fmt.Sscanf(rest, "%d rack=%s", &id, &rack)
	at := l.end
	r := RegisterBroker{ID: id, PreviousEpoch: -1}
	r.Incarnation[0], r.Incarnation[15] = byte(id), 9
	if rack != "" {
		r.Rack = &rack
	}
	reply := l.do(r).(RegisterBrokerReply)
	l.do(UnfenceBroker{id, reply.Epoch})
	return l.showRecords(at)
}

func (l *lab) tellWait(d string) string {
	wait, err := time.ParseDuration(d)
	if err != nil {
		l.t.Fatal(err)
	}
	l.now = l.now.Add(wait)
	at := l.end
	if dl := l.c.Deadline(); !dl.IsZero() && !dl.After(l.now) {
		l.append(l.c.Handle(l.now, machine.Command{Body: machine.Tick{}}).Records)
	}
	if l.end == at {
		return "nothing\n"
	}
	return l.showRecords(at)
}

func (l *lab) tellImage() string {
	var out strings.Builder
	i := l.image()
	fmt.Fprintf(&out, "offset %d, features %v, next producer id %d\n", i.Offset(), i.Features(), i.NextProducerID())
	for _, b := range i.Brokers() {
		fmt.Fprintf(&out, "broker %d epoch %d rack %q fenced %v shutdown %v\n", b.ID, b.Epoch, b.Rack, b.Fenced, b.Shutdown)
	}
	i.Topics(func(t *Topic) bool {
		fmt.Fprintf(&out, "topic %s\n", t.Name)
		for n, p := range t.Partitions {
			fmt.Fprintf(&out, "  %d: leader %d epoch %d/%d replicas %v isr %v elr %v\n", n, p.Leader, p.LeaderEpoch, p.PartitionEpoch, p.Replicas, p.ISR, p.ELR)
		}
		return true
	})
	i.configs.each("", func(k string, m map[string]string) bool {
		typ, name := splitResourceKey(k)
		fmt.Fprintf(&out, "config %d %q %v\n", typ, name, m)
		return true
	})
	return out.String()
}

func (l *lab) tellRestart() string {
	o := l.c.opts
	o.Image = nil
	c := NewController(o)
	for _, b := range l.log {
		if err := c.Replay(b); err != nil {
			l.t.Fatal(err)
		}
	}
	c.Loaded(l.now)
	if c.Image().Hash() != l.image().Hash() {
		return "another image\n"
	}
	l.c = c
	return "the same image\n"
}

// dump prints a value without what is zero.
func dump(v reflect.Value) string {
	if v.IsValid() && v.CanInterface() {
		if s, ok := v.Interface().(fmt.Stringer); ok && v.Kind() != reflect.Struct && v.Kind() != reflect.Pointer {
			return s.String()
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return "null"
		}
		return dump(v.Elem())
	case reflect.Struct:
		var fields []string
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				fields = append(fields, v.Type().Field(i).Name+":"+dump(f))
			}
		}
		return v.Type().Name() + "{" + strings.Join(fields, " ") + "}"
	case reflect.Slice:
		var items []string
		for i := range v.Len() {
			items = append(items, dump(v.Index(i)))
		}
		return "[" + strings.Join(items, " ") + "]"
	case reflect.String:
		return fmt.Sprintf("%q", v.String())
	}
	return fmt.Sprint(v.Interface())
}
