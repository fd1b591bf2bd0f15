package meta

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// newConfigs checks the settings that a new resource shall have.
func (c *Controller) newConfigs(image *Image, typ int8, name string, values []ConfigValue) (map[string]string, *problem) {
	out := map[string]string{}
	for _, v := range values {
		if _, ok := out[v.Name]; ok {
			return nil, refuse(wire.InvalidRequest, "The setting %s stands more than once in the request.", v.Name)
		}
		if v.Value == nil {
			return nil, refuse(wire.InvalidConfig, "The setting %s has no value.", v.Name)
		}
		out[v.Name] = *v.Value
	}
	return out, c.checkConfigs(image, typ, name, out, out)
}

// checkConfigs checks the changed settings one by one, and all together.
func (c *Controller) checkConfigs(image *Image, typ int8, name string, changed, all map[string]string) *problem {
	code := wire.InvalidConfig
	if typ == BrokerResource {
		code = wire.InvalidRequest // as Kafka has it, of values and of what a running broker cannot change
	}
	for _, k := range sortedKeys(changed) {
		if err := c.opts.Settings.Check(typ, name, k, changed[k]); err != nil {
			return refuse(code, "%s", err)
		}
	}
	if err := c.opts.Settings.CheckTogether(image, typ, name, all); err != nil {
		return refuse(code, "%s", err)
	}
	return nil
}

// checkResource says why a resource can have no settings.
func checkResource(image *Image, typ int8, name string) *problem {
	switch typ {
	case TopicResource:
		if name == "" {
			return refuse(wire.InvalidRequest, "A topic's settings need the topic's name.")
		}
		if image.Topic(name) == nil {
			return refuse(wire.UnknownTopicOrPartition, "There is no topic %q.", name)
		}
		return nil
	case BrokerResource:
		return checkBrokerName(image, name)
	case GroupResource, ClientMetricsResource:
		if name == "" {
			return refuse(wire.InvalidRequest, "A group's or a metrics subscription's settings need its name.")
		}
		return nil
	}
	return refuse(wire.InvalidRequest, "Resources of type %d have no settings that can be altered here.", typ)
}

func checkBrokerName(image *Image, name string) *problem {
	if name == "" {
		return nil // the default of all brokers
	}
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil || id < 0 {
		return refuse(wire.InvalidRequest, "%q is not a broker id.", name)
	}
	if image.Broker(int32(id)) == nil {
		return refuse(wire.BrokerIDNotRegistered, "Broker %d is not registered.", id)
	}
	return nil
}

func (c *Controller) incrementalAlterConfigs(cmd IncrementalAlterConfigs, w *writer) AlterConfigsReply {
	reply := AlterConfigsReply{Resources: make([]ResourceResult, len(cmd.Resources))}
	twice := repeated(len(cmd.Resources), func(i int) string { return resourceKey(cmd.Resources[i].Type, cmd.Resources[i].Name) })
	for i, r := range cmd.Resources {
		p := refuse(wire.InvalidRequest, "The resource %q stands more than once in the request.", r.Name)
		if !twice[resourceKey(r.Type, r.Name)] {
			p = c.changeConfigs(r, w)
		}
		reply.Resources[i] = resourceResult(r.Type, r.Name, p, w)
	}
	if cmd.ValidateOnly {
		w.dropAll()
	}
	reply.Offset = w.offset()
	return reply
}

func resourceResult(typ int8, name string, p *problem, w *writer) ResourceResult {
	if p != nil {
		w.drop()
		return ResourceResult{typ, name, p.code, p.message}
	}
	w.accept()
	return ResourceResult{Type: typ, Name: name}
}

func (c *Controller) changeConfigs(r ConfigOps, w *writer) *problem {
	if p := checkResource(w.image, r.Type, r.Name); p != nil {
		return p
	}
	before := w.image.Config(r.Type, r.Name)
	after := maps.Clone(before)
	if after == nil {
		after = map[string]string{}
	}
	twice := repeated(len(r.Ops), func(i int) string { return r.Ops[i].Name })
	for _, op := range r.Ops {
		if twice[op.Name] {
			return refuse(wire.InvalidRequest, "The setting %s stands more than once in the request.", op.Name)
		}
		if p := c.applyOp(r, op, after); p != nil {
			return p
		}
	}
	return c.writeConfigs(r.Type, r.Name, before, after, w)
}

// applyOp changes the settings of a resource by one operation. To delete what is not set changes nothing.
func (c *Controller) applyOp(r ConfigOps, op ConfigOp, to map[string]string) *problem {
	switch op.Op {
	case OpDelete:
		if _, set := to[op.Name]; set {
			delete(to, op.Name)
			return nil
		}
		return c.knownSetting(r, op.Name)
	case OpSet:
		if op.Value == nil {
			return refuse(wire.InvalidRequest, "The setting %s has no value.", op.Name)
		}
		to[op.Name] = *op.Value
		return nil
	case OpAppend, OpSubtract:
		return c.changeList(r, op, to)
	}
	return refuse(wire.InvalidRequest, "There is no operation %d on settings.", op.Op)
}

// knownSetting lets nobody delete a setting that does not exist: the name was misspelt.
func (c *Controller) knownSetting(r ConfigOps, name string) *problem {
	if err := c.opts.Settings.Known(r.Type, r.Name, name); err != nil {
		return refuse(wire.InvalidConfig, "%s", err)
	}
	return nil
}

func (c *Controller) changeList(r ConfigOps, op ConfigOp, to map[string]string) *problem {
	if op.Value == nil {
		return refuse(wire.InvalidRequest, "The setting %s has no value.", op.Name)
	}
	if p := c.knownSetting(r, op.Name); p != nil {
		return p
	}
	isList, now := c.opts.Settings.List(r.Type, op.Name)
	if !isList {
		return refuse(wire.InvalidConfig, "The setting %s is not a list: nothing can be appended to it or subtracted from it.", op.Name)
	}
	if v, set := to[op.Name]; set {
		now = v
	}
	parts := split(now)
	for _, v := range split(*op.Value) {
		at := slices.Index(parts, v)
		switch {
		case op.Op == OpAppend && at < 0:
			parts = append(parts, v)
		case op.Op == OpSubtract && at >= 0:
			parts = slices.Delete(parts, at, at+1)
		}
	}
	to[op.Name] = strings.Join(parts, ",")
	return nil
}

func split(list string) []string {
	var out []string
	for _, v := range strings.Split(list, ",") {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}

func (c *Controller) alterConfigs(cmd AlterConfigs, w *writer) AlterConfigsReply {
	reply := AlterConfigsReply{Resources: make([]ResourceResult, len(cmd.Resources))}
	twice := repeated(len(cmd.Resources), func(i int) string { return resourceKey(cmd.Resources[i].Type, cmd.Resources[i].Name) })
	for i, r := range cmd.Resources {
		p := refuse(wire.InvalidRequest, "The resource %q stands more than once in the request.", r.Name)
		if !twice[resourceKey(r.Type, r.Name)] {
			p = c.replaceConfigs(r, w)
		}
		reply.Resources[i] = resourceResult(r.Type, r.Name, p, w)
	}
	if cmd.ValidateOnly {
		w.dropAll()
	}
	reply.Offset = w.offset()
	return reply
}

func (c *Controller) replaceConfigs(r ConfigSet, w *writer) *problem {
	if p := checkResource(w.image, r.Type, r.Name); p != nil {
		return p
	}
	after := map[string]string{}
	for _, v := range r.Configs {
		if _, ok := after[v.Name]; ok {
			return refuse(wire.InvalidRequest, "The setting %s stands more than once in the request.", v.Name)
		}
		if v.Value == nil {
			return refuse(wire.InvalidRequest, "The setting %s has no value.", v.Name)
		}
		after[v.Name] = *v.Value
	}
	return c.writeConfigs(r.Type, r.Name, w.image.Config(r.Type, r.Name), after, w)
}

// writeConfigs writes the difference. Only what changes is checked one by one: a value that an older version allowed
// does not stand in the way of changing another.
func (c *Controller) writeConfigs(typ int8, name string, before, after map[string]string, w *writer) *problem {
	changed := map[string]string{}
	for k, v := range after { // order-free
		if was, ok := before[k]; !ok || was != v {
			changed[k] = v
		}
	}
	if p := c.checkConfigs(w.image, typ, name, changed, after); p != nil {
		return p
	}
	for _, k := range sortedKeys(changed) {
		v := changed[k]
		w.add(&record.ConfigRecord{ResourceType: typ, ResourceName: name, Name: k, Value: &v})
	}
	for _, k := range sortedKeys(before) {
		if _, ok := after[k]; !ok {
			w.add(&record.ConfigRecord{ResourceType: typ, ResourceName: name, Name: k})
		}
	}
	return nil
}
