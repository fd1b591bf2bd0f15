package batch

// Records decodes one whole batch. Keys, values and headers alias b if it is not compressed, else a buffer of their
// own. A batch that would decompress to more than maxDecompressed bytes fails before that memory is taken.
func Records(b []byte, maxDecompressed int) ([]Record, error) {
	h, payload, err := open(b, maxDecompressed, nil)
	if err != nil {
		return nil, err
	}
	if err := checkCount(&h, payload); err != nil {
		return nil, err
	}
	out := make([]Record, h.Count)
	c := cursor{b: payload}
	for i := range out {
		if _, ok := c.record(&out[i]); !ok {
			return nil, corrupt("record %d of %d cannot be read", i, h.Count)
		}
	}
	return out, checkRest(&c)
}

// Each calls f with every record of one whole batch, in order, until f gives an error. What f gets is valid until it
// returns: the record's headers and, if the batch is compressed, all its bytes are used again.
func Each(b []byte, maxDecompressed int, f func(Record) error) error {
	return each(b, maxDecompressed, func(_ *Header, r *Record, _ []byte) error { return f(*r) })
}

func each(b []byte, maxDecompressed int, f func(h *Header, r *Record, raw []byte) error) error {
	scratch := buffers.get()
	defer buffers.put(scratch)
	h, payload, err := open(b, maxDecompressed, scratch)
	if err != nil {
		return err
	}
	if err := checkCount(&h, payload); err != nil {
		return err
	}
	var r Record
	c := cursor{b: payload}
	for i := range h.Count {
		raw, ok := c.record(&r)
		if !ok {
			return corrupt("record %d of %d cannot be read", i, h.Count)
		}
		if err := f(&h, &r, raw); err != nil {
			return err
		}
	}
	return checkRest(&c)
}

// open checks the frame of a batch and takes off its compression. With a scratch buffer the payload of a compressed
// batch lives there.
func open(b []byte, maxDecompressed int, scratch *buffer) (h Header, payload []byte, err error) {
	h, err = ParseHeader(b)
	switch {
	case err != nil:
		return h, nil, err
	case h.Size() > len(b):
		return h, nil, ErrShort
	case h.Size() < len(b):
		return h, nil, corrupt("%d bytes follow it", len(b)-h.Size())
	case h.Magic != Magic:
		return h, nil, corrupt("its magic is %d", h.Magic)
	}
	payload = b[HeaderSize:]
	if h.Codec() == None || h.Count == 0 && len(payload) == 0 {
		return h, payload, nil
	}
	if scratch == nil {
		scratch = new(buffer)
	}
	scratch.b, err = decompress(scratch.b[:0], h.Codec(), payload, maxDecompressed)
	return h, scratch.b, err
}

// checkCount holds the number of records against the bytes there are, before anybody allocates for them.
func checkCount(h *Header, payload []byte) error {
	if h.Count < 0 || int(h.Count) > len(payload)/minRecordSize {
		return corrupt("%d bytes cannot hold %d records", len(payload), h.Count)
	}
	return nil
}

func checkRest(c *cursor) error {
	if len(c.b) != 0 {
		return corrupt("%d bytes follow its records", len(c.b))
	}
	return nil
}
