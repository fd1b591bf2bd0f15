// ListConfigResources (key 74), versions 0-1
//
// Lists what has settings: topics, brokers, groups. Version 0 asks for client metrics only, of which there are none.
// Needs DescribeConfigs on the cluster.
//
//	v1  resource types

package broker

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.ListConfigResources, Min: 0, Max: 1, Handle: decoded(handleListConfigResources)})

// Resource types that are listed besides those that can be configured.
const (
	loggerConfigs  int8 = 8
	metricsConfigs int8 = 16
)

func handleListConfigResources(r *Request, req *kmsg.ListConfigResourcesRequest) {
	resp := kmsg.NewPtrListConfigResourcesResponse()
	resp.ConfigResources = []kmsg.ListConfigResourcesResponseConfigResource{}
	refuse := func(code wire.ErrorCode) {
		resp.ErrorCode = int16(code)
		r.fail(code)
		r.Reply(resp)
	}
	if !r.allowed(auth.DescribeConfigs, auth.Cluster) {
		refuse(wire.ClusterAuthorizationFailed)
		return
	}
	known := []int8{topicConfigs, brokerConfigs, loggerConfigs, metricsConfigs, groupConfigs}
	types := req.ResourceTypes
	switch {
	case r.Version == 0:
		types = []int8{metricsConfigs}
	case len(types) == 0:
		types = known
	}
	for _, kind := range types {
		if !slices.Contains(known, kind) {
			resp.ConfigResources = resp.ConfigResources[:0]
			refuse(wire.UnsupportedVersion)
			return
		}
		for _, name := range r.configResources(kind) {
			c := kmsg.NewListConfigResourcesResponseConfigResource()
			c.Name, c.Type = name, kind
			resp.ConfigResources = append(resp.ConfigResources, c)
		}
	}
	r.Reply(resp)
}

func (r *Request) configResources(kind int8) (names []string) {
	image := r.b.host.Image()
	switch kind {
	case topicConfigs:
		image.Topics(func(t *meta.Topic) bool {
			names = append(names, t.Name)
			return true
		})
	case brokerConfigs, loggerConfigs:
		for _, id := range image.BrokerIDs() {
			names = append(names, strconv.Itoa(int(id)))
		}
	case groupConfigs:
		names = image.ConfigResources(groupConfigs)
	}
	return names
}
