package commitlog

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

const (
	metaPropertiesFile    = "meta.properties"
	partitionMetadataFile = "partition.metadata"
	cleanMarkerFile       = ".kafka_cleanshutdown"
	lockFile              = ".lock"
)

// metaProperties says whose a log directory is.
type metaProperties struct {
	clusterID string
	nodeID    int32
	id        wire.UUID // of the directory
}

func (m metaProperties) text() []byte {
	return fmt.Appendf(nil, "#\ncluster.id=%s\ndirectory.id=%s\nnode.id=%d\nversion=1\n", m.clusterID, m.id, m.nodeID)
}

func parseMetaProperties(b []byte) (metaProperties, error) {
	values := map[string]string{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		values[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	if v := values["version"]; v != "1" {
		return metaProperties{}, fmt.Errorf("%w: meta.properties has version %q, only 1 is known", ErrCorrupt, v)
	}
	node, err := strconv.ParseInt(values["node.id"], 10, 32)
	if err != nil || values["cluster.id"] == "" {
		return metaProperties{}, fmt.Errorf("%w: meta.properties without cluster.id and node.id", ErrCorrupt)
	}
	m := metaProperties{clusterID: values["cluster.id"], nodeID: int32(node)}
	if id := values["directory.id"]; id != "" {
		if m.id, err = wire.ParseUUID(id); err != nil {
			return metaProperties{}, fmt.Errorf("%w: meta.properties: directory.id: %v", ErrCorrupt, err)
		}
	}
	return m, nil
}

// cleanMarker is the content of `.kafka_cleanshutdown`.
type cleanMarker struct {
	Version     int   `json:"version"`
	BrokerEpoch int64 `json:"brokerEpoch"`
}

func readCleanMarker(d env.Disk, dir string) (epoch int64, clean bool, err error) {
	b, err := readWhole(d, filepath.Join(dir, cleanMarkerFile))
	if err != nil || b == nil {
		return -1, false, err
	}
	m := cleanMarker{BrokerEpoch: -1}
	if json.Unmarshal(b, &m) != nil || m.Version != 0 {
		return -1, false, nil // half written: the shutdown was not finished
	}
	return m.BrokerEpoch, true, nil
}

func partitionMetadata(id wire.UUID) []byte {
	return fmt.Appendf(nil, "version: 0\ntopic_id: %s", id)
}

// parsePartitionMetadata returns the topic id, or zero when the file cannot be used.
func parsePartitionMetadata(b []byte) wire.UUID {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 2 || strings.TrimSpace(lines[0]) != "version: 0" {
		return wire.UUID{}
	}
	id, err := wire.ParseUUID(strings.TrimSpace(strings.TrimPrefix(lines[1], "topic_id: ")))
	if err != nil {
		return wire.UUID{}
	}
	return id
}
