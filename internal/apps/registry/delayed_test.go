package registry

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/apps/registry/state"
)

var seed = flag.Uint64("registry.seed", 0, "seed of the faults of the log; 0 draws one and prints it")

// slow is a log whose acknowledgements can be lost or late, as those of a broker that is killed or a network that is cut. What was
// appended without an acknowledgement lands later, or never.
type slow struct {
	*Memory
	hang atomic.Bool // appends wait until their time is over, and then nothing is written

	mu   sync.Mutex
	rng  *rand.Rand                             // guarded by mu; nil: no faults
	late []func(context.Context) (int64, error) // guarded by mu; appends that have not landed yet
}

var errLost = errors.New("the connection was cut")

func (l *slow) Append(ctx context.Context, writer string, writes []state.Write) (int64, error) {
	if l.hang.Load() {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// An idempotent producer keeps its order: what was sent earlier lands earlier, or never.
	for _, landing := range l.late {
		if _, err := landing(ctx); err != nil {
			return 0, err
		}
	}
	l.late = nil
	write := func(ctx context.Context) (int64, error) { return l.Memory.Append(ctx, writer, writes) }
	if l.rng == nil {
		return write(ctx)
	}
	switch l.rng.IntN(6) {
	case 0: // not written
		return 0, errLost
	case 1: // written, but the answer is lost
		write(ctx)
		return 0, errLost
	case 2: // lands before the next append
		l.late = append(l.late, write)
		return 0, errLost
	}
	return write(ctx)
}

// DUR: whatever happens to acknowledgements, an answer 200 is in the log, one content has one id, no id is given twice, and a replay
// gives what was answered. An answer 500 says nothing: the schema may be there or not, but then it is whole.
func TestLostAcknowledgements(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with go test ./internal/apps/registry -run LostAcknowledgements -registry.seed=%d", s)
		}
	})
	log := &slow{Memory: NewMemory()}
	r := open(t, log, Options{})
	log.mu.Lock()
	log.rng = rand.New(rand.NewPCG(s, 1))
	log.mu.Unlock()
	var mu sync.Mutex
	answered, failed := map[string]string{}, 0
	var all sync.WaitGroup
	for client := range 8 {
		all.Go(func() {
			for i := range 60 {
				content := (client*7 + i) % 40
				subject := fmt.Sprintf("s%d", i%20)
				body := fmt.Sprintf(`{"schema":"{\"type\":\"enum\",\"name\":\"e%d\",\"symbols\":[\"x\"]}"}`, content)
				code, text := ask(r, "POST", "/subjects/"+subject+"/versions?force=true", body)
				mu.Lock()
				switch {
				case code == 200:
					answered[subject+" "+fmt.Sprintf(`"name":"e%d"`, content)] = text
				case strings.Contains(text, "50001"):
					failed++
				default:
					t.Errorf("%d %s", code, text)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	log.mu.Lock()
	log.rng = nil
	log.mu.Unlock()
	if code, body := ask(r, "POST", "/subjects/last/versions", aString); code != 200 {
		t.Fatalf("no write after the faults: %d %s", code, body)
	}
	if failed == 0 || len(answered) < 100 {
		t.Fatalf("%d failed and %d answered: nothing was tried", failed, len(answered))
	}
	again := state.New()
	for _, record := range log.Records() {
		again.Apply(record)
	}
	r.Look(func(live *state.State) {
		if live.Dump() != again.Dump() {
			t.Error("a replay gives another state")
		}
		checkAnswers(t, live, answered)
	})
}

// checkAnswers looks for every answer in the state, and for ids with two contents or contents with two ids.
func checkAnswers(t *testing.T, live *state.State, answered map[string]string) {
	t.Helper()
	ids, contents := map[int]string{}, map[string]int{}
	for _, subject := range live.Subjects("", state.LiveOnly) {
		for _, v := range live.Versions(subject, state.LiveOnly) {
			if text, ok := ids[v.ID]; ok && text != v.Text() {
				t.Errorf("id %d is %s and %s", v.ID, text, v.Text())
			}
			if id, ok := contents[v.Text()]; ok && id != v.ID {
				t.Errorf("%s has the ids %d and %d", v.Text(), id, v.ID)
			}
			ids[v.ID], contents[v.Text()] = v.Text(), v.ID
		}
	}
	for what, answer := range answered {
		subject, name, _ := strings.Cut(what, " ")
		found := false
		for _, v := range live.Versions(subject, state.LiveOnly) {
			found = found || strings.Contains(v.Text(), name) && strings.Contains(answer, fmt.Sprintf(`"id":%d,"version":%d,`, v.ID, v.Version))
		}
		if !found {
			t.Errorf("%s was answered with %s and is not there", what, answer)
		}
	}
	if found := live.Fsck(); len(found) != 0 {
		t.Error(found)
	}
}

// A write whose time is over may land all the same; then it is registered, and the same request gives its id.
func TestTimedOutWriteLandsLater(t *testing.T) {
	log := &slow{Memory: NewMemory()}
	r := open(t, log, Options{})
	ask(r, "POST", "/subjects/first/versions", `{"schema":"\"long\""}`)
	log.mu.Lock()
	log.late = append(log.late, func(ctx context.Context) (int64, error) {
		return log.Memory.Append(ctx, r.me, []state.Write{{Key: []byte(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`),
			Value: []byte(`{"subject":"a","version":1,"id":2,"schema":"\"string\""}`)}})
	})
	log.mu.Unlock()
	log.hang.Store(true)
	h := httptest.NewRequest("POST", "/subjects/a/versions", strings.NewReader(aString))
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, h.WithContext(ctx))
	if w.Code != 500 || !strings.Contains(w.Body.String(), "50002") || !strings.Contains(w.Body.String(), "not known") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	log.hang.Store(false)
	for _, subject := range []string{"b", "a"} {
		if code, body := ask(r, "POST", "/subjects/"+subject+"/versions", aString); code != 200 || !strings.Contains(body, `"id":2,"version":1`) {
			t.Errorf("%s: %d %s", subject, code, body)
		}
	}
}
