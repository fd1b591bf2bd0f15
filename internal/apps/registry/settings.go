package registry

import "millrace/internal/apps/registry/state"

// /v1/settings: everything that is set anywhere. No other registry has it; it is what makes an export whole, for /config and /mode tell
// only of names that one knows, and tell of the default context what holds, whether it was set or not.
func settingsRoutes() []route {
	return []route{on("/v1/settings", map[string]func(*request) (any, error){"GET": showSettings})}
}

type settings struct {
	Configs []state.NamedConfig `json:"configs"`
	Modes   []state.NamedMode   `json:"modes"`
}

func showSettings(q *request) (any, error) {
	if err := q.may(Describe, ""); err != nil {
		return nil, err
	}
	all := settings{Configs: []state.NamedConfig{}, Modes: []state.NamedMode{}}
	q.Look(func(s *state.State) {
		configs, modes := s.Settings()
		all.Configs, all.Modes = append(all.Configs, configs...), append(all.Modes, modes...)
	})
	return all, nil
}
