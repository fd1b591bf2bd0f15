// IncrementalAlterConfigs (key 44), versions 0-1
//
// Sets, deletes, appends to and subtracts from single settings of topics, of a broker, of the cluster-wide broker
// default (broker "") and of groups. Each resource stands or falls alone. A broker's own settings are changed by asking
// that broker; it has no loggers. The topic of a schema registry that runs in this node keeps cleanup.policy=compact. Needs AlterConfigs on the topic, the group or the cluster.
//
//	v1  flexible

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.IncrementalAlterConfigs, Min: 0, Max: 1, Handle: decoded(handleIncrementalAlterConfigs)})

func handleIncrementalAlterConfigs(r *Request, req *kmsg.IncrementalAlterConfigsRequest) {
	resp := kmsg.NewPtrIncrementalAlterConfigsResponse()
	command := meta.IncrementalAlterConfigs{ValidateOnly: req.ValidateOnly}
	var passed []int
	for i := range req.Resources {
		in := &req.Resources[i]
		out := kmsg.NewIncrementalAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = in.ResourceType, in.ResourceName
		if code, why := r.judgeOps(in); code != wire.None || int8(in.ResourceType) == loggerConfigs {
			out.ErrorCode, out.ErrorMessage = int16(code), explain(code, why)
			r.fail(code)
		} else {
			ops := meta.ConfigOps{Type: int8(in.ResourceType), Name: in.ResourceName}
			for _, c := range in.Configs {
				ops.Ops = append(ops.Ops, meta.ConfigOp{Name: c.Name, Op: int8(c.Op), Value: c.Value})
			}
			command.Resources = append(command.Resources, ops)
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

func (r *Request) judgeOps(in *kmsg.IncrementalAlterConfigsRequestResource) (wire.ErrorCode, string) {
	if int8(in.ResourceType) != loggerConfigs {
		code, why := r.judgeAlteration(int8(in.ResourceType), in.ResourceName)
		if forgets := r.b.forgetfulOps(int8(in.ResourceType), in.ResourceName, in.Configs); code == wire.None && forgets != "" {
			return wire.PolicyViolation, forgets
		}
		return code, why
	}
	if code := r.mayConfigure(auth.AlterConfigs, loggerConfigs, in.ResourceName); code != wire.None {
		return code, ""
	}
	var names []string
	for _, c := range in.Configs {
		names = append(names, c.Name)
	}
	return r.b.judgeLogger(in.ResourceName, names)
}
