package boot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/node/env/simenv"
)

// sendEach produces one record to each of the first n partitions of t, each once, and returns what came of it.
func (m *computer) sendEach(n int) (errs []error) {
	m.t.Helper()
	cl := m.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordRetries(0))
	defer cl.Close()
	for p := range n {
		errs = append(errs, cl.ProduceSync(m.context(), &kgo.Record{Topic: "t", Partition: int32(p), Value: fmt.Append(nil, p)}).FirstErr())
	}
	return errs
}

func (m *computer) move(from, to string) {
	m.t.Helper()
	if err := m.disk.Rename(from, to); err != nil {
		m.t.Fatal(err)
	}
}

// TestStartWithABrokenDirectory: a node whose second disk is broken starts without it and says so everywhere; what lies
// there answers KAFKA_STORAGE_ERROR, the rest is served, and all of it once the disk is mended.
func TestStartWithABrokenDirectory(t *testing.T) {
	for name, rule := range map[string]simenv.Rule{
		"mkdir":                      {Op: simenv.OpMkdir, Path: "/more"},
		"mkdir, not permitted":       {Op: simenv.OpMkdir, Path: "/more", Err: syscall.EACCES},
		"reading meta.properties":    {Op: simenv.OpOpen | simenv.OpRead, Path: "/more/meta.properties"},
		"listing the logs":           {Op: simenv.OpList, Path: "/more"},
		"removing the clean marker":  {Op: simenv.OpRemove, Path: "/more/*"},
		"reading partition.metadata": {Op: simenv.OpOpen | simenv.OpRead, Path: "/more/t-*/partition.metadata"},
	} {
		t.Run(name, func(t *testing.T) {
			onComputer(t, func(m *computer) {
				const two = "log.dirs=/data,/more"
				n := m.start(two)
				m.admin(func(k *kadm.Client) error {
					_, err := k.CreateTopic(m.context(), 4, 1, nil, "t")
					return err
				})
				there := map[int]bool{}
				for i := range 4 {
					_, err := m.disk.Stat(fmt.Sprintf("/more/t-%d", i))
					there[i] = err == nil
				}
				if err := errors.Join(m.sendEach(4)...); err != nil {
					t.Fatal(err)
				}
				m.stop(n)

				gone := rule.Op == simenv.OpMkdir // as a disk that is not mounted
				if gone {
					m.move("/more", "/elsewhere")
				}
				rule.Times = -1
				m.disk.Fail(rule)
				n = m.start(two)
				for p, err := range m.sendEach(4) {
					if there[p] != errors.Is(err, kerr.KafkaStorageError) || !there[p] && err != nil {
						t.Errorf("to t-%d, on the broken disk %v: %v", p, there[p], err)
					}
				}
				m.admin(func(k *kadm.Client) error {
					all, err := k.DescribeAllLogDirs(m.context(), nil)
					if dirs := all[1]; !errors.Is(dirs["/more"].Err, kerr.KafkaStorageError) || dirs["/data"].Err != nil {
						t.Errorf("DescribeLogDirs: %+v", dirs)
					}
					return err
				})
				if got := m.metric(`kafka_log_logmanager_logdirectoryoffline{log_directory="/more"}`); got != "1" {
					t.Errorf("the metric of the directory: %s", got)
				}
				if code, body := m.get("/healthz"); code != 200 {
					t.Errorf("/healthz: %d %s", code, body)
				}
				m.stop(n)

				m.disk.ClearFaults()
				if gone {
					m.move("/elsewhere", "/more")
				}
				n = m.start(two)
				if err := errors.Join(m.sendEach(4)...); err != nil {
					t.Errorf("with the disk mended: %v", err)
				}
				m.stop(n)
			})
		})
	}
}

// TestStartBesideAnUnreadableDirectory: an empty metadata directory beside one that cannot be asked whose it is could be
// a metadata disk that was lost: no new cluster is begun (MET-4).
func TestStartBesideAnUnreadableDirectory(t *testing.T) {
	onComputer(t, func(m *computer) {
		m.stop(m.start("log.dirs=/data,/more"))
		if err := m.disk.RemoveAll("/data"); err != nil {
			t.Fatal(err)
		}
		m.disk.Fail(simenv.Rule{Op: simenv.OpRead, Path: "/more/meta.properties", Times: -1})
		if n, err := m.tryStart("log.dirs=/data,/more"); err == nil {
			m.stop(n)
			t.Error("it began a new cluster")
		}
	})
}

// TestTheMetadataDirectoryFails: the node goes on without any directory but this: /healthz says so while it is not
// stopped, and run ends with the same sentence.
func TestTheMetadataDirectoryFails(t *testing.T) {
	const sentence = "the metadata directory /data has failed, and the node stops"
	fail := func(m *computer) {
		m.disk.Fail(simenv.Rule{Op: simenv.OpSync, Path: "/data/__cluster_metadata-0/*", Times: -1})
		cl := m.client()
		defer cl.Close()
		ctx, cancel := context.WithCancel(m.context())
		defer cancel()
		go kadm.NewClient(cl).CreateTopic(ctx, 1, 1, nil, "t") // its answer does not matter
		m.pass(stopWithin / 10)
	}
	onComputer(t, func(m *computer) {
		n := m.start("log.dirs=/data,/more")
		if code, body := m.get("/healthz"); code != 200 {
			t.Errorf("before: %d %s", code, body)
		}
		fail(m)
		<-n.host.Ended()
		if code, body := m.get("/healthz"); code != 503 || !strings.Contains(body, sentence) {
			t.Errorf("/healthz: %d %s", code, body)
		}
		m.leave(n)
	})
	onComputer(t, func(m *computer) {
		s, err := load(append(append([]string{}, quick...), "log.dirs=/data,/more")...)
		if err != nil {
			t.Fatal(err)
		}
		e := m.env
		e.Disk = m.disk.Process()
		err = run(m.context(), Options{Env: e, Settings: s}, func(*Node) { fail(m) })
		if err == nil || !strings.Contains(err.Error(), sentence) || strings.Contains(err.Error(), "\n") {
			t.Errorf("it ended with: %v", err)
		}
	})
}
