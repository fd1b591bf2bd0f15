package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"millrace/test/target"
)

// The bare pipe is what a broker cannot do without: a socket, a checksum, a write, an fdatasync; and out by sendfile. It runs
// as a process of its own on the brokers' core.
//
//	in   'F' or 'U' | size 4 | bytes   -> 1 byte, when the bytes are in the file (F: and on disk)
//	out  'S' | size 4                  -> that many bytes from the start of the file
//	     'T'                           -> 1 byte, when the file is empty
const pipeFrame = 1 << 20

func servePipe(dir, port string) {
	if err := pipeLoop(dir, port); err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, "bare pipe:", err)
		os.Exit(1)
	}
}

func pipeLoop(dir, port string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file, err := os.Create(dir + "/file")
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		if err := pipeConn(conn.(*net.TCPConn), file); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func pipeConn(conn *net.TCPConn, file *os.File) error {
	defer conn.Close()
	buf := make([]byte, pipeFrame)
	var head [5]byte
	var at int64
	for {
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return err
		}
		size := int(binary.BigEndian.Uint32(head[1:]))
		switch head[0] {
		case 'S':
			if err := sendFile(conn, file, size); err != nil {
				return err
			}
			continue
		case 'T':
			at = 0
			if err := file.Truncate(0); err != nil {
				return err
			}
		default:
			if _, err := io.ReadFull(conn, buf[:size]); err != nil {
				return err
			}
			head[0] |= byte(crc32.Checksum(buf[:size], castagnoli)) & 0 // the sum must not be optimised away
			if _, err := file.WriteAt(buf[:size], at); err != nil {
				return err
			}
			at += int64(size)
			if head[0] == 'F' {
				if err := unix.Fdatasync(int(file.Fd())); err != nil {
					return err
				}
			}
		}
		if _, err := conn.Write(head[:1]); err != nil {
			return err
		}
	}
}

func sendFile(conn *net.TCPConn, file *os.File, size int) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := conn.ReadFrom(&io.LimitedReader{R: file, N: int64(size)}) // sendfile underneath
	return err
}

// pipe is the client's side.
type pipe struct {
	cmd   *exec.Cmd
	ended <-chan error
	conn  net.Conn
	buf   []byte
}

func startPipe(dir string) (*pipe, error) {
	port, err := target.FreePort()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("taskset", "-c", strconv.Itoa(brokerCore), self, "-serve-pipe", dir, strconv.Itoa(port))
	cmd.Stderr = os.Stderr
	ended, err := target.StartChild(cmd)
	if err != nil {
		return nil, err
	}
	for range 500 {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			return &pipe{cmd: cmd, ended: ended, conn: conn, buf: make([]byte, pipeFrame)}, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, errors.New("the bare pipe does not answer")
}

func (p *pipe) stop() {
	p.conn.Close()
	p.cmd.Process.Kill()
	<-p.ended
}

func (p *pipe) cpu() float64 { return target.CPU(p.cmd.Process.Pid) }

// in sends n bytes in requests of 1 MiB, five of them under way as in franz-go.
func (p *pipe) in(m mode, n int64) (sample, error) {
	if err := p.ask('T', 0); err != nil {
		return nil, err
	}
	frames := int(n / pipeFrame)
	answers := make(chan error, 1)
	window := make(chan struct{}, 5)
	meter := startMeter(p.cpu)
	go func() {
		var one [1]byte
		for range frames {
			if _, err := io.ReadFull(p.conn, one[:]); err != nil {
				answers <- err
				return
			}
			<-window
		}
		answers <- nil
	}()
	head := binary.BigEndian.AppendUint32([]byte(m), pipeFrame)
	for range frames {
		window <- struct{}{}
		if _, err := (&net.Buffers{head, p.buf}).WriteTo(p.conn); err != nil {
			return nil, err
		}
	}
	if err := <-answers; err != nil {
		return nil, err
	}
	s := meter.throughput(n)
	return s, p.ask('T', 0)
}

// out reads n bytes that sendfile sends from a file in the page cache.
func (p *pipe) out(n int64) (sample, error) {
	const file = 256 << 20
	for range file / pipeFrame {
		if _, err := (&net.Buffers{binary.BigEndian.AppendUint32([]byte("U"), pipeFrame), p.buf}).WriteTo(p.conn); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(p.conn, make([]byte, 1)); err != nil {
			return nil, err
		}
	}
	meter := startMeter(p.cpu)
	for left := n; left > 0; left -= file {
		if _, err := p.conn.Write(binary.BigEndian.AppendUint32([]byte("S"), file)); err != nil {
			return nil, err
		}
		for got := 0; got < file; {
			k, err := p.conn.Read(p.buf)
			if err != nil {
				return nil, err
			}
			got += k
		}
	}
	s := meter.throughput(n)
	return s, p.ask('T', 0)
}

func (p *pipe) ask(what byte, size uint32) error {
	if _, err := p.conn.Write(binary.BigEndian.AppendUint32([]byte{what}, size)); err != nil {
		return err
	}
	_, err := io.ReadFull(p.conn, make([]byte, 1))
	return err
}

// reference runs the bare pipe inside a pair: a short run, where the row does not judge by it.
func (b *bench) reference(row string) error {
	s, err := b.pipe.in(flushed, b.bytes/4)
	if err == nil {
		b.add(row, "pipe F", s)
	}
	return err
}
