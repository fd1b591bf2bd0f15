package quorum

import "fmt"

// trace takes raft's log lines. Most tell of ordinary elections; a panic is a broken invariant and stops the node.
type trace struct{ f func(level, line string) }

func (t trace) put(level, line string) {
	if t.f != nil {
		t.f(level, line)
	}
}

func (t trace) Debug(v ...any)              {}
func (t trace) Debugf(f string, v ...any)   {}
func (t trace) Info(v ...any)               { t.put("info", fmt.Sprint(v...)) }
func (t trace) Infof(f string, v ...any)    { t.put("info", fmt.Sprintf(f, v...)) }
func (t trace) Warning(v ...any)            { t.put("warn", fmt.Sprint(v...)) }
func (t trace) Warningf(f string, v ...any) { t.put("warn", fmt.Sprintf(f, v...)) }
func (t trace) Error(v ...any)              { t.put("error", fmt.Sprint(v...)) }
func (t trace) Errorf(f string, v ...any)   { t.put("error", fmt.Sprintf(f, v...)) }
func (t trace) Fatal(v ...any)              { panic("quorum: " + fmt.Sprint(v...)) }
func (t trace) Fatalf(f string, v ...any)   { panic("quorum: " + fmt.Sprintf(f, v...)) }
func (t trace) Panic(v ...any)              { panic("quorum: " + fmt.Sprint(v...)) }
func (t trace) Panicf(f string, v ...any)   { panic("quorum: " + fmt.Sprintf(f, v...)) }
