package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The samples of every row are kept in a file beside the table, so that rows can be measured one by one, whenever the
// machine is quiet, and judged together.

type keptSamples struct {
	Machine string   `json:"machine"`
	Results []result `json:"results"`
}

// load reads what earlier runs have kept in a directory, and has this run keep its samples there too.
func (b *bench) load(dir string) error {
	b.kept = filepath.Join(dir, "bench.json")
	text, err := os.ReadFile(b.kept)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var k keptSamples
	if err := json.Unmarshal(text, &k); err != nil {
		return fmt.Errorf("%s: %w", b.kept, err)
	}
	b.machine, b.results = k.Machine, k.Results
	return nil
}

// save stamps the rows that were just measured and keeps everything. What was in these rows before, and was not measured
// again, goes.
func (b *bench) save(rows []string) error {
	taken := time.Now().UTC().Format("2006-01-02 15:04") + " " + commit()
	b.results = slices.DeleteFunc(b.results, func(r result) bool { return slices.Contains(rows, r.Row) && !r.fresh })
	for i := range b.results {
		if r := &b.results[i]; r.fresh && slices.Contains(rows, r.Row) {
			r.Taken = taken
		}
	}
	slices.SortStableFunc(b.results, func(x, y result) int { return cmp.Compare(number(x.Row), number(y.Row)) })
	if b.kept == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(b.kept), 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(keptSamples{b.machine, b.results}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(b.kept, append(text, '\n'), 0o644)
}

// number orders the rows, the registry's behind the broker's.
func number(row string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(row, "R"))
	if isRegistry(row) {
		n += 1000
	}
	return n
}

func commit() string {
	out, _ := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	return strings.TrimSpace(string(out))
}
