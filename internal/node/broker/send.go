package broker

// sendfileFrom is the size from which a file range goes out by sendfile; below it a read into memory is cheaper.
const sendfileFrom = 64 << 10

// A part of an answer is memory, or a range of a segment file.
type part struct {
	mem []byte
	buf *buffer // owns mem, if pooled
	// file is a read whose Records are held until they are sent.
	file  Read
	whole int // size of the records; zero for memory
	sent  int
}

// outgoing is what a connection is writing: parts, oldest first. It belongs to the goroutine whose turn it is.
type outgoing struct {
	c     *conn
	parts []part
	next  int // parts before it are sent
	raw   rawWriter
}

func (o *outgoing) init(c *conn) {
	o.c = c
	o.raw.init(c.raw)
}

// write sends everything, or as much as goes without waiting.
func (o *outgoing) write(mayWait bool) (done bool, err error) {
	for o.next < len(o.parts) {
		p := &o.parts[o.next]
		switch {
		case p.whole > 0 && !mayWait:
			return false, nil // files may block on the disk: not in a callback of the host
		case p.whole > 0:
			err = o.sendFile(p)
		case o.c.raw != nil:
			if all, err := o.sendMemory(mayWait); !all || err != nil {
				return err != nil, err
			}
			continue
		default:
			_, err = o.c.nc.Write(p.mem)
		}
		if err != nil {
			return true, err
		}
		o.next++
	}
	return true, nil
}

// sendMemory writes the run of memory parts at the front in one call. More says that a file follows.
func (o *outgoing) sendMemory(mayWait bool) (all bool, err error) {
	iov := o.raw.iov[:0]
	end := o.next
	for end < len(o.parts) && o.parts[end].whole == 0 && len(iov) < maxIovecs {
		iov = append(iov, o.parts[end].mem[o.parts[end].sent:])
		end++
	}
	more := end < len(o.parts) && o.parts[end].whole > 0
	o.raw.iov = iov
	n, err := o.raw.write(more, mayWait)
	for o.next < end {
		p := &o.parts[o.next]
		left := len(p.mem) - p.sent
		if n < left {
			p.sent += n
			return false, err
		}
		n -= left
		o.next++
	}
	return true, err
}

func (o *outgoing) sendFile(p *part) error {
	if fd, pos, ok := p.file.Records.Fd(); ok && o.c.raw != nil {
		return o.raw.sendfile(fd, pos, p.whole)
	}
	return o.copyFile(p)
}

// copyFile is for TLS and for connections in memory.
func (o *outgoing) copyFile(p *part) error {
	buf := o.c.b.pool.get(min(p.whole, 256<<10))
	defer buf.release()
	for off := 0; off < p.whole; {
		piece := buf.b[:min(len(buf.b), p.whole-off)]
		if err := p.file.Records.ReadAt(piece, int64(off)); err != nil {
			return err
		}
		if _, err := o.c.nc.Write(piece); err != nil {
			return err
		}
		off += len(piece)
	}
	return nil
}

func (p *part) letGo() {
	if p.whole > 0 {
		p.file.Records.Release()
	}
	if p.buf != nil {
		p.buf.release()
	}
	*p = part{}
}

// release lets go of what was sent, or of what no longer can be.
func (o *outgoing) release() {
	for i := range o.parts {
		o.parts[i].letGo()
	}
	o.parts, o.next = o.parts[:0], 0
}
