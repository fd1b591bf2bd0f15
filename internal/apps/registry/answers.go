package registry

import (
	"sync"

	"millrace/internal/apps/registry/state"
)

// answersBytes bounds what is kept of answers.
const answersBytes = 4 << 20

// answerCache keeps what was told of versions by their ids, which every serializer that starts asks for. A version never changes once it is
// published, so an answer is never out of date; a change of the subject makes another version.
type answerCache struct {
	mu    sync.RWMutex
	kept  map[answered]raw // guarded by mu
	bytes int              // guarded by mu
}

type answered struct {
	version *state.Version
	named   bool // whether the subject was asked for
}

func (a *answerCache) get(of answered) raw {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.kept[of]
}

// put forgets everything when there is no room: what is asked for comes back.
func (a *answerCache) put(of answered, text raw) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept == nil || a.bytes+len(text) > answersBytes {
		a.kept, a.bytes = map[answered]raw{}, 0
	}
	if a.kept[of] == nil {
		a.kept[of] = text
		a.bytes += len(text)
	}
}

// plain tells whether a request for a schema asks for nothing that depends on more than its version.
func (q *request) plain() bool {
	for name := range q.query {
		if name != "subject" && (name != "fetchMaxId" || q.flag(name)) {
			return false
		}
	}
	return true
}
