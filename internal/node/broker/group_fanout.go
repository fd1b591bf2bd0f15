package broker

import (
	"slices"
	"sync/atomic"

	"millrace/internal/core/auth"
	"millrace/internal/kafka/wire"
)

// perGroups is what a request about several groups does: one question for each partition they live on.
type perGroups struct {
	// refuse gives group i its error.
	refuse func(i int, code wire.ErrorCode)
	// ask asks one partition for groups; at are their places in the request. It calls done when it has the answer.
	ask func(partition int32, groups []string, at []int, done func())
	// done is called after the last one.
	done func()
}

func (r *Request) eachGroup(names []string, op auth.Operation, do perGroups) {
	byPartition := map[int32][]int{}
	for i, name := range names {
		if !r.allowed(op, auth.Group(name)) {
			do.refuse(i, wire.GroupAuthorizationFailed)
			continue
		}
		p, code := r.b.coordinatorPartition(name)
		if code != wire.None {
			do.refuse(i, code)
			continue
		}
		byPartition[p] = append(byPartition[p], i)
	}
	var open atomic.Int32
	open.Store(int32(len(byPartition)) + 1)
	done := func() {
		if open.Add(-1) == 0 {
			do.done()
		}
	}
	for p, at := range byPartition {
		groups := make([]string, 0, len(at))
		for _, i := range at {
			groups = append(groups, names[i])
		}
		do.ask(p, groups, slices.Clone(at), done)
	}
	done()
}
