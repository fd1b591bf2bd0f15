package config

// Nearest is the broker setting whose name is most like the given one, or "" when none is near.
func Nearest(name string) string {
	if listener, key, ok := splitListenerKey(name); ok {
		if near := nearest(brokerTable, key); near != "" {
			return "listener.name." + listener + "." + near
		}
		return ""
	}
	if s := LookupTopic(name); s != nil {
		if twin := brokerTwin[name]; twin != "" {
			return twin
		}
	}
	return nearest(brokerTable, name)
}

// NearestTopic is the topic setting whose name is most like the given one, or "".
func NearestTopic(name string) string {
	if s := brokerTable.index[name]; s != nil && s.Topic != "" {
		return s.Topic
	}
	return nearest(topicTable, name)
}

// nearest measures the edit distance; names that differ in more than a third of their letters are not alike.
func nearest(t *table, name string) string {
	best, found := len(name)/3+1, ""
	for i := range t.rows {
		if t.rows[i].Removed || t.rows[i].Internal {
			continue
		}
		if d := distance(name, t.rows[i].Name, best); d < best {
			best, found = d, t.rows[i].Name
		}
	}
	return found
}

// distance is the number of letters to insert, drop, change or swap with their neighbour to make a into b; it
// stops counting at limit.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return min(prev[len(b)], limit)
}
