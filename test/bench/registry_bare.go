package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sys/unix"

	"millrace/test/target"
)

// The limits beside the registry: what its server, its client and its disk cannot do without. Each is a process of its own on the
// registry's core.
//
//	-serve-fixed PORT FILE         Go's HTTP server, answering the bytes of a file
//	-read-topic ADDRESS TOPIC N    a consumer that reads N records and looks at none; prints how many milliseconds it took

var roles = map[string]func(args []string) error{"-serve-fixed": serveFixed, "-read-topic": readTopic}

func serveFixed(args []string) error {
	port, file := args[0], args[1]
	body, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return http.ListenAndServe("127.0.0.1:"+port, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		w.Write(body)
	}))
}

func readTopic(args []string) error {
	addr, topic, records := args[0], args[1], args[2]
	n, err := strconv.Atoi(records)
	if err != nil {
		return err
	}
	began := time.Now()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return err
	}
	defer client.Close()
	for n > 0 {
		fetched := client.PollFetches(context.Background())
		if err := fetched.Err(); err != nil {
			return err
		}
		n -= fetched.NumRecords()
	}
	fmt.Println(float64(time.Since(began).Microseconds()) / 1e3)
	return nil
}

// startSelf starts this program in one of its other roles, on the brokers' core.
func startSelf(args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("taskset", append([]string{"-c", strconv.Itoa(brokerCore), self}, args...)...)
	cmd.Env = append(os.Environ(), "GOGC=100") // not this client's
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// withFixed runs the server of a fixed body while f runs.
func (b *bench) withFixed(body []byte, f func(addr string, cpu func() float64) error) error {
	file := filepath.Join(b.work, "body")
	if err := os.WriteFile(file, body, 0o644); err != nil {
		return err
	}
	port, err := target.FreePort()
	if err != nil {
		return err
	}
	cmd, err := startSelf("-serve-fixed", strconv.Itoa(port), file)
	if err != nil {
		return err
	}
	ended, err := target.StartChild(cmd)
	if err != nil {
		return err
	}
	defer func() {
		cmd.Process.Kill()
		<-ended
	}()
	addr := "127.0.0.1:" + strconv.Itoa(port)
	for range 500 {
		if h, err := dialHTTP(addr); err == nil {
			h.close()
			return f(addr, func() float64 { return target.CPU(cmd.Process.Pid) })
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("the server of a fixed body does not answer")
}

// flushes writes and syncs a file as a log does, and returns a function that does it once more.
func (b *bench) flushes(size int) (flush func() error, done func(), err error) {
	f, err := os.Create(filepath.Join(b.work, "flushes"))
	if err != nil {
		return nil, nil, err
	}
	block, at := make([]byte, size), int64(0)
	flush = func() error {
		if _, err := f.WriteAt(block, at); err != nil {
			return err
		}
		at += int64(size)
		return unix.Fdatasync(int(f.Fd()))
	}
	return flush, func() { f.Close(); os.Remove(f.Name()) }, nil
}
