package wire

// NodeEndpoint tells a client where a leader listens that an answer's CurrentLeader named.
type NodeEndpoint struct {
	ID   int32
	Host string
	Port int32
	Rack *string
}

// appendNodeEndpoints writes the tagged fields of a flexible Produce or Fetch response: tag 0, if there are nodes.
func appendNodeEndpoints(dst []byte, nodes []NodeEndpoint) []byte {
	if len(nodes) == 0 {
		return append(dst, 0)
	}
	size := UvarintSize(uint32(len(nodes)) + 1)
	for i := range nodes {
		size += nodes[i].size()
	}
	dst = append(dst, 1, 0)
	dst = AppendUvarint(dst, uint32(size))
	dst = AppendArrayLen(dst, len(nodes), true)
	for i := range nodes {
		n := &nodes[i]
		dst = AppendInt32(dst, n.ID)
		dst = AppendString(dst, n.Host, true)
		dst = AppendInt32(dst, n.Port)
		dst = AppendNullableString(dst, n.Rack, true)
		dst = append(dst, 0)
	}
	return dst
}

func (n *NodeEndpoint) size() int {
	size := 4 + compactStringSize(n.Host) + 4 + 1 + 1 // with a null rack and no tags
	if n.Rack != nil {
		size += compactStringSize(*n.Rack) - 1
	}
	return size
}

func compactStringSize(s string) int { return UvarintSize(uint32(len(s))+1) + len(s) }

// appendLeader writes a CurrentLeader: a tagged field of 9 bytes.
func appendLeader(dst []byte, tag byte, id, epoch int32) []byte {
	dst = append(dst, tag, 9)
	dst = AppendInt32(dst, id)
	dst = AppendInt32(dst, epoch)
	return append(dst, 0)
}
