package config

import "slices"

// Described is one entry of a DescribeConfigs answer. A nil Value is null: there is none, or it is hidden.
type Described struct {
	Name      string
	Value     *string
	Source    Source
	Type      Type
	ReadOnly  bool
	Sensitive bool
	Doc       string
	Synonyms  []DescribedSynonym
}

// DescribedSynonym is a Synonym whose sensitive value is hidden.
type DescribedSynonym struct {
	Name   string
	Value  *string
	Source Source
}

// DescribeTopic describes a topic; names nil means every setting, and names that do not exist are left out.
func DescribeTopic(s *Static, clusterDefault, broker, topic map[string]string, names []string) []Described {
	return describe(topicTable, names, topic, func(row *Setting) (string, bool, []Synonym) {
		v, chain := TopicValue(s, clusterDefault, broker, topic, row.Name)
		return v, len(chain) > 0, chain
	})
}

// DescribeGroup describes a group.
func DescribeGroup(s *Static, clusterDefault, broker, group map[string]string, names []string) []Described {
	return describe(dynamicGroupTable, names, group, func(row *Setting) (string, bool, []Synonym) {
		v, chain := GroupValue(s, clusterDefault, broker, group, row.Name)
		return v, len(chain) > 0, chain
	})
}

// DescribeBroker describes one broker, with the listener settings that were given to it.
func DescribeBroker(s *Static, clusterDefault, broker map[string]string, names []string) []Described {
	given := map[string]string{}
	for _, m := range []map[string]string{s.explicit, broker} {
		for k, v := range m { // order-free: it only gathers names
			if _, _, ok := splitListenerKey(k); ok {
				given[k] = v
			}
		}
	}
	return describe(brokerTable, names, given, func(row *Setting) (string, bool, []Synonym) {
		return BrokerValue(s, clusterDefault, broker, row.Name)
	})
}

// DescribeClusterDefault describes what was set as the default of all brokers, and only that.
func DescribeClusterDefault(clusterDefault map[string]string, names []string) []Described {
	var out []Described
	for _, name := range sortedKeys(clusterDefault) {
		row := Lookup(name)
		if row == nil || names != nil && !slices.Contains(names, name) {
			continue
		}
		v := clusterDefault[name]
		out = append(out, described(row, v, true, []Synonym{{name, v, SourceClusterWide}}))
	}
	return out
}

// describe walks the table; present holds what the resource itself has, whose names count even when the table
// usually hides them (internal settings, listener settings).
func describe(t *table, names []string, present map[string]string, value func(*Setting) (string, bool, []Synonym)) []Described {
	var out []Described
	add := func(row *Setting) {
		if names != nil && !slices.Contains(names, row.Name) {
			return
		}
		v, set, chain := value(row)
		out = append(out, described(row, v, set, chain))
	}
	for i := range t.rows {
		row := &t.rows[i]
		if _, own := present[row.Name]; row.Removed || row.PerListener || row.Internal && !own {
			continue
		}
		add(row)
	}
	for _, name := range sortedKeys(present) {
		if _, key, ok := splitListenerKey(name); ok && t.index[key] != nil {
			row := *t.index[key]
			row.Name = name
			add(&row)
		}
	}
	return out
}

func described(row *Setting, value string, set bool, chain []Synonym) Described {
	d := Described{Name: row.Name, Source: SourceDefault, Type: row.Type, ReadOnly: row.ReadOnly(), Sensitive: row.Sensitive(), Doc: row.FullDoc()}
	hide := func(v string) *string {
		if row.Sensitive() {
			return nil
		}
		return &v
	}
	if set {
		d.Value = hide(value)
	}
	for _, s := range chain {
		d.Synonyms = append(d.Synonyms, DescribedSynonym{s.Name, hide(s.Value), s.Source})
	}
	if len(chain) > 0 {
		d.Source = chain[0].Source
	}
	return d
}

// FullDoc is the documentation with what the class adds to it.
func (s *Setting) FullDoc() string {
	switch {
	case s.Class == NoEffect:
		return s.Doc + " It has no effect here: " + s.Note + "."
	case s.Class == NotYet:
		return s.Doc + " Not built yet."
	case s.Class == Secures:
		return s.Doc + " Not built yet, and refused: " + s.Note + "."
	}
	return s.Doc
}
