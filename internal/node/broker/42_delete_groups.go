// DeleteGroups (key 42), versions 0-2
//
// Deletes empty groups with their positions; a group named twice is deleted once. Needs Delete on each group.
//
//	v2  flexible

package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/group"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.DeleteGroups, Min: 0, Max: 2, Handle: decoded(handleDeleteGroups)})

func handleDeleteGroups(r *Request, req *kmsg.DeleteGroupsRequest) {
	slices.Sort(req.Groups)
	req.Groups = slices.Compact(req.Groups)
	resp := kmsg.NewPtrDeleteGroupsResponse()
	resp.Groups = make([]kmsg.DeleteGroupsResponseGroup, len(req.Groups))
	put := func(i int, code wire.ErrorCode) {
		g := kmsg.NewDeleteGroupsResponseGroup()
		g.Group, g.ErrorCode = req.Groups[i], int16(code)
		resp.Groups[i] = g
		r.fail(code)
	}
	r.eachGroup(req.Groups, auth.Delete, perGroups{
		refuse: put,
		ask: func(partition int32, groups []string, at []int, done func()) {
			askPartition(r, partition, group.Delete{Groups: groups}, func(reply group.DeleteReply, code wire.ErrorCode) {
				for n, i := range at {
					if code != wire.None || n >= len(reply.Groups) {
						put(i, orUnknown(code))
						continue
					}
					put(i, reply.Groups[n].Err)
				}
				done()
			})
		},
		done: func() { r.Reply(resp) },
	})
}
