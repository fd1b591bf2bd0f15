// DescribeConfigs (key 32), versions 1-4
//
// Describes the settings of topics, of this broker, of the cluster-wide broker default (broker "") and of groups, with
// the chain of synonyms that says where a value comes from. Secret values are null. There are no loggers whose level can
// be changed: a broker's list is empty. Subscriptions to client metrics are INVALID_REQUEST. Needs DescribeConfigs on the
// topic, the group or the cluster.
//
//	v1  synonyms, source
//	v3  types, documentation
//	v4  flexible

package broker

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/config"
	"millrace/internal/core/auth"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.DescribeConfigs, Min: 1, Max: 4, Handle: decoded(handleDescribeConfigs)})

func handleDescribeConfigs(r *Request, req *kmsg.DescribeConfigsRequest) {
	resp := kmsg.NewPtrDescribeConfigsResponse()
	for i := range req.Resources {
		in := &req.Resources[i]
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = in.ResourceType, in.ResourceName
		out.Configs = []kmsg.DescribeConfigsResponseResourceConfig{}
		described, code, why := r.describeResource(int8(in.ResourceType), in.ResourceName, in.ConfigNames)
		out.ErrorCode, out.ErrorMessage = int16(code), explain(code, why)
		r.fail(code)
		for j := range described {
			out.Configs = append(out.Configs, describedConfig(&described[j], req))
		}
		resp.Resources = append(resp.Resources, out)
	}
	r.Reply(resp)
}

// describeResource finds the settings of one resource; names nil (or empty, as old clients send it) means all.
func (r *Request) describeResource(kind int8, name string, names []string) ([]config.Described, wire.ErrorCode, string) {
	if len(names) == 0 {
		names = nil
	}
	if code := r.mayConfigure(auth.DescribeConfigs, kind, name); code != wire.None {
		return nil, code, ""
	}
	image, s := r.b.host.Image(), r.b.settings
	cluster, own := image.Config(brokerConfigs, ""), image.Config(brokerConfigs, r.b.nodeName())
	switch kind {
	case topicConfigs:
		if !legalTopic(name) {
			return nil, wire.InvalidTopicException, ""
		}
		if image.Topic(name) == nil {
			return nil, wire.UnknownTopicOrPartition, ""
		}
		return config.DescribeTopic(s, cluster, own, image.Config(topicConfigs, name), names), wire.None, ""
	case brokerConfigs:
		if name == "" {
			return config.DescribeClusterDefault(cluster, names), wire.None, ""
		}
		if code, why := r.b.otherBroker(name); code != wire.None {
			return nil, code, why
		}
		return config.DescribeBroker(s, cluster, own, names), wire.None, ""
	case loggerConfigs:
		code, why := r.b.judgeLogger(name, nil)
		return nil, code, why
	case metricsConfigs:
		return nil, wire.InvalidRequest, noMetricsSubscriptions
	case groupConfigs:
		if name == "" {
			return nil, wire.InvalidRequest, "a group needs a name"
		}
		return config.DescribeGroup(s, cluster, own, image.Config(groupConfigs, name), names), wire.None, ""
	}
	return nil, wire.InvalidRequest, fmt.Sprintf("Unsupported resource type: %d", kind)
}

// mayConfigure asks for the right on what a config resource is about.
func (r *Request) mayConfigure(op auth.Operation, kind int8, name string) wire.ErrorCode {
	switch {
	case kind == topicConfigs && !r.allowed(op, auth.Topic(name)):
		return wire.TopicAuthorizationFailed
	case kind == groupConfigs && !r.allowed(op, auth.Group(name)):
		return wire.GroupAuthorizationFailed
	case kind != topicConfigs && kind != groupConfigs && !r.allowed(op, auth.Cluster):
		return wire.ClusterAuthorizationFailed
	}
	return wire.None
}

func describedConfig(d *config.Described, req *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value, c.ReadOnly, c.IsSensitive = d.Name, d.Value, d.ReadOnly, d.Sensitive
	c.Source, c.ConfigType = kmsg.ConfigSource(d.Source), kmsg.ConfigType(d.Type)
	c.IsDefault = d.Source == config.SourceDefault
	c.ConfigSynonyms = []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{}
	if req.IncludeDocumentation {
		c.Documentation = &d.Doc
	}
	if !req.IncludeSynonyms {
		return c
	}
	for _, s := range d.Synonyms {
		y := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		y.Name, y.Value, y.Source = s.Name, s.Value, kmsg.ConfigSource(s.Source)
		c.ConfigSynonyms = append(c.ConfigSynonyms, y)
	}
	return c
}
