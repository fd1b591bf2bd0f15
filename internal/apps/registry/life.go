package registry

import (
	"context"
	"net/http"

	"millrace/internal/apps/registry/state"
)

// Lost is closed when the registry does not follow its log any more: it has to be opened again. Healthy says why.
func (r *Registry) Lost() <-chan struct{} { return r.lost }

// Settled returns once the registry may write, or with the reason why it never will.
func (r *Registry) Settled(ctx context.Context) error {
	select {
	case <-r.calm:
		return r.Healthy()
	case <-r.lost:
		return r.Healthy()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Writes reports whether the registry may write just now.
func (r *Registry) Writes() bool { return r.settled.Load() && r.Healthy() == nil }

// Refuse answers a request to a registry that is not open, as an open one answers when it cannot use its topic.
func Refuse(w http.ResponseWriter, h *http.Request, why error) int {
	kind, ok := negotiate(h.Header.Get("Accept"))
	if !ok {
		kind = contentTypes[0]
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(http.StatusInternalServerError)
	w.Write(encode(errorBody{Code: state.StoreFailed, Message: why.Error()}))
	return http.StatusInternalServerError
}
