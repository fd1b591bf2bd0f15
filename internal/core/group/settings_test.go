package group

import (
	"testing"

	"millrace/internal/config"
)

func TestSettingsOf(t *testing.T) {
	s, _, err := config.Load(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := SettingsOf(s.Values); got != DefaultSettings() {
		t.Fatalf("the table's defaults are\n%+v\nwant\n%+v", got, DefaultSettings())
	}
}
