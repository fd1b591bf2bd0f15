// AlterConfigs (key 33), versions 0-2
//
// Replaces all dynamic settings of a resource by those given. A broker's own settings are changed by asking that broker.
// Java's AdminClient no longer sends it; other clients do. The topic of a schema registry that runs in this node keeps cleanup.policy=compact.
// Needs AlterConfigs on the topic, the group or the cluster.
//
//	v2  flexible

package broker

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.AlterConfigs, Min: 0, Max: 2, Handle: decoded(handleAlterConfigs)})

func handleAlterConfigs(r *Request, req *kmsg.AlterConfigsRequest) {
	resp := kmsg.NewPtrAlterConfigsResponse()
	command := meta.AlterConfigs{ValidateOnly: req.ValidateOnly}
	var passed []int
	for i := range req.Resources {
		in := &req.Resources[i]
		out := kmsg.NewAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = in.ResourceType, in.ResourceName
		if code, why := r.judgeAlteration(int8(in.ResourceType), in.ResourceName); code != wire.None {
			out.ErrorCode, out.ErrorMessage = int16(code), explain(code, why)
			r.fail(code)
		} else if why := r.b.forgetfulSet(int8(in.ResourceType), in.ResourceName, in.Configs); why != "" {
			out.ErrorCode, out.ErrorMessage = int16(wire.PolicyViolation), explain(wire.PolicyViolation, why)
			r.fail(wire.PolicyViolation)
		} else {
			set := meta.ConfigSet{Type: int8(in.ResourceType), Name: in.ResourceName}
			for _, c := range in.Configs {
				set.Configs = append(set.Configs, meta.ConfigValue{Name: c.Name, Value: c.Value})
			}
			command.Resources = append(command.Resources, set)
			passed = append(passed, i)
		}
		resp.Resources = append(resp.Resources, out)
	}
	r.alter(command, len(passed), func(n int, code wire.ErrorCode, why string) {
		out := &resp.Resources[passed[n]]
		code = alterationError(int8(out.ResourceType), code)
		out.ErrorCode, out.ErrorMessage = int16(code), explain(code, why)
	}, func() { r.Reply(resp) })
}

// judgeAlteration says whether a resource can be altered by this client at all.
func (r *Request) judgeAlteration(kind int8, name string) (wire.ErrorCode, string) {
	if code := r.mayConfigure(auth.AlterConfigs, kind, name); code != wire.None {
		return code, ""
	}
	switch kind {
	case topicConfigs, groupConfigs:
		return wire.None, ""
	case brokerConfigs:
		if name == "" {
			return wire.None, ""
		}
		return r.b.otherBroker(name)
	case metricsConfigs:
		return wire.InvalidRequest, noMetricsSubscriptions
	}
	return wire.InvalidRequest, fmt.Sprintf("Unknown resource type %d", kind)
}

// alterationError: Kafka's brokers judge their own settings, and call INVALID_REQUEST what is INVALID_CONFIG on topics.
func alterationError(kind int8, code wire.ErrorCode) wire.ErrorCode {
	if kind == brokerConfigs && code == wire.InvalidConfig {
		return wire.InvalidRequest
	}
	return code
}

// alter passes n resources to the controller, gives each its outcome, and calls then once the change shows here.
func (r *Request) alter(command any, n int, each func(i int, code wire.ErrorCode, why string), then func()) {
	if n == 0 {
		then()
		return
	}
	control(r, 0, command, func(reply meta.AlterConfigsReply, code wire.ErrorCode) {
		for i := range n {
			one, why := code, ""
			if code == wire.None && i < len(reply.Resources) {
				one, why = reply.Resources[i].Err, reply.Resources[i].Message
			}
			r.fail(one)
			each(i, one, why)
		}
		if code != wire.None {
			then()
			return
		}
		r.shown(reply.Offset, then)
	})
}
