// DescribeCluster (key 60), versions 0-2
//
// Names the cluster, its controller and the brokers as a client of this listener reaches them. Asked for controllers
// it answers MISMATCHED_ENDPOINT_TYPE: there is no controller listener yet.
//
//	v1  endpoint type
//	v2  fenced brokers, if asked for

package broker

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.DescribeCluster, Min: 0, Max: 2, Handle: decoded(handleDescribeCluster)})

func handleDescribeCluster(r *Request, req *kmsg.DescribeClusterRequest) {
	resp := kmsg.NewPtrDescribeClusterResponse()
	resp.ClusterID, resp.ControllerID = r.b.host.ClusterID(), -1
	resp.EndpointType = 1
	resp.ClusterAuthorizedOperations = -2147483648
	resp.Brokers = []kmsg.DescribeClusterResponseBroker{}
	if r.Version >= 1 && req.EndpointType != 1 {
		code := wire.MismatchedEndpointType
		if req.EndpointType != 2 {
			code = wire.UnsupportedEndpointType
		}
		resp.ErrorCode, resp.ErrorMessage = int16(code), explain(code, "")
		r.fail(code)
		r.Reply(resp)
		return
	}
	resp.ControllerID = r.b.host.NodeID()
	image := r.b.host.Image()
	for _, br := range image.Brokers() {
		if br.Fenced && !req.IncludeFencedBrokers {
			continue
		}
		for _, e := range br.Endpoints {
			if !strings.EqualFold(e.Name, r.conn.l.answerAs()) {
				continue
			}
			b := kmsg.NewDescribeClusterResponseBroker()
			b.NodeID, b.Host, b.Port, b.Rack, b.IsFenced = br.ID, e.Host, int32(e.Port), rackOf(br), br.Fenced
			resp.Brokers = append(resp.Brokers, b)
		}
	}
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = r.clusterOperations()
	}
	r.Reply(resp)
}
