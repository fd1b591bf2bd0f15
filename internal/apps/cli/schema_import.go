package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) schemaImport() *cobra.Command {
	var merge, dry bool
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Make a registry hold what an export holds",
		Long: `Make a registry hold what the export in FILE (- is standard input) holds: every schema under its subject, version, id and GUID, what
is softly deleted, settings and modes. While it runs the contexts are in mode IMPORT; afterwards each has the mode that the file
says, or the one that it had.

The registry should be empty. What it holds already and the file too is left as it is, so an import that broke off is just run again.
What only the registry holds stops the import before anything is written, unless --merge says to keep it; an id, or a version of a
subject, that means something else there stops it always. With --context the file's default context goes into that one.`,
		Example: `  millrace schema import schemas.jsonl
  millrace schema import schemas.jsonl --context .old --dry-run`,
		Args: cobra.ExactArgs(1),
		RunE: a.onRegistry(func(ctx context.Context, c *registryClient, args []string) error {
			text, err := a.readFile(args[0])
			if err != nil {
				return err
			}
			x, err := decodeExport(bytes.NewReader(text))
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			p, err := c.planImport(ctx, x, merge)
			if err != nil {
				return err
			}
			if dry {
				return a.print(p.summary, func(w io.Writer) { fmt.Fprintf(w, "would import %s\n", p.summary) })
			}
			shown := newProgress(a.err, a.now)
			if !isTerminal(a.err) {
				shown = nil
			}
			err = p.run(ctx, c, shown)
			shown.clear()
			return errors.Join(a.print(p.done, p.done.write), err)
		}),
	}
	c.Flags().BoolVar(&merge, "merge", false, "keep what only the registry holds")
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done")
	return c
}

// importPlan is what is left to do to make a registry hold an export.
type importPlan struct {
	steps    []importStep
	contexts []contextMode // in which something is registered or deleted
	configs  []configChange
	modes    []namedMode
	summary  importSummary // what is to be done
	done     importSummary
}

// importStep registers a version, or softly deletes it.
type importStep struct {
	schemaVersion
	delete bool
}

// contextMode is a context, as settings name it, with the mode that is set for it; empty when none is.
type contextMode struct{ scope, before, after string }

// configChange is a setting to be made; null takes one back that the file does not have.
type configChange struct {
	subject string
	change  map[string]json.RawMessage
}

// importSummary tells how much of what is to be done, or was.
type importSummary struct {
	Schemas int      `json:"schemas"`
	There   int      `json:"there_already"`
	Deleted int      `json:"softly_deleted"`
	Configs int      `json:"configs"`
	Modes   int      `json:"modes"`
	Other   []string `json:"other_guids,omitempty"` // versions whose GUID is not that of the file
	NoGUIDs bool     `json:"no_guids,omitempty"`
}

func (s importSummary) String() string {
	return fmt.Sprintf("%s (%d more were there already), %s, %s and %s", count(int64(s.Schemas), "schema"), s.There,
		count(int64(s.Deleted), "soft deletion"), count(int64(s.Configs), "group")+" of settings", count(int64(s.Modes), "mode"))
}

func (s importSummary) write(w io.Writer) {
	fmt.Fprintf(w, "imported %s\n", s)
	if s.NoGUIDs {
		fmt.Fprintln(w, "GUIDs were not compared: the file or the registry has none.")
	}
}

// planImport compares an export with what the registry holds. It refuses before anything is written.
func (c *registryClient) planImport(ctx context.Context, x registryExport, merge bool) (*importPlan, error) {
	if err := c.oneContext(x); err != nil {
		return nil, err
	}
	held, err := c.schemas(ctx, "", true)
	if err != nil {
		return nil, err
	}
	there := map[versionName]schemaVersion{}
	for _, v := range held {
		v.Subject = c.plain(v.Subject)
		there[versionName{v.Subject, v.Version}] = v
	}
	if !merge {
		if err := c.onlyTheirs(x, there); err != nil {
			return nil, err
		}
	}
	if err := c.conflicts(ctx, x, there); err != nil {
		return nil, err
	}
	p := &importPlan{}
	p.planSchemas(x.schemas, there)
	set, err := c.settingsNow(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.planContexts(ctx, set, x); err != nil {
		return nil, err
	}
	if err := p.planConfigs(ctx, set, x); err != nil {
		return nil, err
	}
	return p, p.planModes(ctx, set, x)
}

// settingsNow is what is set in a registry: of ours asked at once and exactly, elsewhere by name.
type settingsNow struct {
	*registryClient
	ours    bool
	configs map[string]map[string]json.RawMessage
	modes   map[string]string
}

func (c *registryClient) settingsNow(ctx context.Context) (settingsNow, error) {
	s := settingsNow{c, false, map[string]map[string]json.RawMessage{}, map[string]string{}}
	var x registryExport
	var err error
	s.ours, err = c.allSettings(ctx, &x)
	for _, n := range x.configs {
		s.configs[n.Subject] = n.Config
	}
	for _, n := range x.modes {
		s.modes[n.Subject] = n.Mode
	}
	return s, err
}

func (s settingsNow) config(ctx context.Context, name string) (map[string]json.RawMessage, error) {
	if s.ours {
		return s.configs[name], nil
	}
	return s.ownConfig(ctx, name)
}

func (s settingsNow) mode(ctx context.Context, name string) (string, error) {
	if s.ours {
		return s.modes[name], nil
	}
	return s.ownMode(ctx, name)
}

// oneContext refuses to put a file with several contexts into one.
func (c *registryClient) oneContext(x registryExport) error {
	if c.context != "" && len(x.contexts) > 0 {
		return fmt.Errorf("the file has contexts of its own (%s): leave --context out, or export one of them with --context", strings.Join(x.contexts, ", "))
	}
	return nil
}

// onlyTheirs refuses when the registry holds what the file does not.
func (c *registryClient) onlyTheirs(x registryExport, there map[versionName]schemaVersion) error {
	there = maps.Clone(there)
	for _, v := range x.schemas {
		delete(there, versionName{v.Subject, v.Version})
	}
	var names []string
	for n := range there {
		names = append(names, n.subject)
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	names = slices.Compact(names)
	more := ""
	if len(names) > 5 {
		names, more = names[:5], ", ..."
	}
	return fmt.Errorf("the registry at %s holds schemas that the file does not have (subjects %s%s): import into an empty one, or keep them with --merge", c, strings.Join(names, ", "), more)
}

// conflicts are versions and ids that mean something else in the registry.
func (c *registryClient) conflicts(ctx context.Context, x registryExport, there map[versionName]schemaVersion) error {
	type contextID struct {
		context string
		id      int
	}
	ids := map[contextID]schemaVersion{} // of what only the registry holds
	for name, v := range there {
		ids[contextID{subjectContext(name.subject), v.ID}] = v
	}
	for _, v := range x.schemas {
		if old, ok := there[versionName{v.Subject, v.Version}]; ok {
			delete(ids, contextID{subjectContext(v.Subject), old.ID})
		}
	}
	var errs []error
	for _, v := range x.schemas {
		if old, ok := there[versionName{v.Subject, v.Version}]; ok {
			same, err := c.same(ctx, v, old)
			if err != nil {
				return err
			}
			if !same {
				errs = append(errs, fmt.Errorf("version %d of subject %q is another schema in the registry (id %d there, %d in the file)", v.Version, v.Subject, old.ID, v.ID))
			}
			continue
		}
		if other, ok := ids[contextID{subjectContext(v.Subject), v.ID}]; ok && other.Text != v.Text {
			errs = append(errs, fmt.Errorf("id %d of version %d of subject %q is taken by another schema in the registry, version %d of subject %q", v.ID, v.Version, v.Subject, other.Version, other.Subject))
		}
	}
	return fewErrors(errs)
}

// same tells whether a version of the registry is that of the file. The registry may have written it down in another form, so a text that
// differs is looked up.
func (c *registryClient) same(ctx context.Context, v, old schemaVersion) (bool, error) {
	if old.ID != v.ID || old.GUID == v.GUID && v.GUID != "" {
		return old.ID == v.ID, nil
	}
	if old.Text == v.Text && v.GUID == "" {
		return true, nil
	}
	b := schemaBody{Text: v.Text, Type: v.Type, References: v.References, Metadata: v.Metadata, RuleSet: v.RuleSet}
	var found schemaVersion
	err := c.do(ctx, "POST", at("subjects", v.Subject), url.Values{"deleted": {"true"}}, b, &found)
	if registryCode(err)/100 == 404 || registryCode(err)/100 == 422 {
		return false, nil
	}
	return found.ID == v.ID, err
}

// fewErrors joins the first ten.
func fewErrors(errs []error) error {
	if len(errs) > 10 {
		errs = append(errs[:10:10], fmt.Errorf("and %d more such faults", len(errs)-10))
	}
	return errors.Join(errs...)
}

// planSchemas orders the steps: versions behind what they refer to, and behind the versions of one content their soft deletions. Earlier
// would be too early, for a registry takes a deleted version away when its content is registered again behind it; later would be too
// late, for it deletes nothing that live schemas refer to, and yet takes references to what is deleted.
func (p *importPlan) planSchemas(all []schemaVersion, there map[versionName]schemaVersion) {
	all = inOrder(slices.Clone(all))
	for i := 0; i < len(all); {
		of := content{all[i].Subject, all[i].ID}
		var deletions []importStep
		for ; i < len(all) && of == (content{all[i].Subject, all[i].ID}); i++ {
			v := all[i]
			old, ok := there[versionName{v.Subject, v.Version}]
			if !ok || old.Deleted && !v.Deleted {
				p.steps = append(p.steps, importStep{v, false})
				p.summary.Schemas++
			} else {
				p.summary.There++
			}
			if v.Deleted && !(ok && old.Deleted) {
				deletions = append(deletions, importStep{v, true})
				p.summary.Deleted++
			}
		}
		p.steps = append(p.steps, deletions...)
	}
}

// contextScope is how settings name the context of a subject.
func contextScope(subject string) string {
	if context := subjectContext(subject); context != "." {
		return ":" + context + ":"
	}
	return ""
}

// planContexts finds the contexts to work in, and those that an import which broke off left in mode IMPORT.
func (p *importPlan) planContexts(ctx context.Context, set settingsNow, x registryExport) error {
	work := map[string]bool{}
	for _, s := range p.steps {
		work[contextScope(s.Subject)] = true
	}
	all := map[string]bool{}
	for _, v := range x.schemas {
		all[contextScope(v.Subject)] = true
	}
	for _, scope := range slices.Sorted(maps.Keys(all)) {
		before, err := set.mode(ctx, scope)
		if err != nil {
			return err
		}
		after := before
		if before == "IMPORT" {
			after = ""
		}
		for _, n := range x.modes {
			if n.Subject == scope {
				after = n.Mode
			}
		}
		if work[scope] || before == "IMPORT" && after != "IMPORT" {
			p.contexts = append(p.contexts, contextMode{scope, before, after})
		}
	}
	return nil
}

func (p *importPlan) planConfigs(ctx context.Context, set settingsNow, x registryExport) error {
	for _, n := range x.configs {
		own, err := set.config(ctx, n.Subject)
		if err != nil {
			return err
		}
		change := map[string]json.RawMessage{}
		for name, value := range n.Config {
			if compacted(own[name]) != compacted(value) {
				change[name] = value
			}
		}
		for name := range own {
			if _, ok := n.Config[name]; !ok && (set.ours || name != "compatibility") { // elsewhere the default level may be told where none is set
				change[name] = json.RawMessage("null")
			}
		}
		if len(change) > 0 || own == nil {
			p.configs = append(p.configs, configChange{n.Subject, change})
		}
	}
	p.summary.Configs = len(p.configs)
	return nil
}

func (p *importPlan) planModes(ctx context.Context, set settingsNow, x registryExport) error {
	for _, n := range x.modes {
		own, err := set.mode(ctx, n.Subject)
		if err != nil {
			return err
		}
		if own != n.Mode {
			p.modes = append(p.modes, n)
		}
	}
	p.summary.Modes = len(p.modes)
	p.done.There = p.summary.There
	return nil
}

// run does what is planned. Modes are put back whatever happens: a registry that is left in mode IMPORT takes no new schemas.
func (p *importPlan) run(ctx context.Context, c *registryClient, shown *progress) (err error) {
	changed := 0
	defer func() {
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		for _, m := range p.contexts[:changed] {
			if left := c.putMode(back, m.scope, m.after); left != nil {
				err = errors.Join(err, fmt.Errorf("mode IMPORT is still set: run the import again, or take it back with \"millrace schema mode delete\": %w", left))
			}
		}
	}()
	for _, m := range p.contexts {
		changed++ // also when its answer is lost
		if m.before != "IMPORT" {
			// Forced: that the ground is empty, or may stay as it is, was seen before.
			if err := c.setMode(ctx, m.scope, "IMPORT", true); err != nil {
				return fmt.Errorf("mode IMPORT cannot be set: %w", err)
			}
		}
	}
	if err := p.takeSteps(ctx, c, shown); err != nil {
		return err
	}
	for _, n := range p.configs {
		if err := c.do(ctx, "PUT", settingsPath("config", n.subject), nil, n.change, nil); err != nil {
			return fmt.Errorf("the settings of %q: %w", n.subject, err)
		}
		p.done.Configs++
	}
	for _, n := range p.modes {
		if err := c.setMode(ctx, n.Subject, n.Mode, true); err != nil {
			return fmt.Errorf("the mode of %q: %w", n.Subject, err)
		}
		p.done.Modes++
	}
	return nil
}

// putMode sets a mode, or takes it back when it is empty.
func (c *registryClient) putMode(ctx context.Context, scope, mode string) error {
	if mode != "" {
		return c.setMode(ctx, scope, mode, true)
	}
	err := c.do(ctx, "DELETE", settingsPath("mode", scope), nil, nil, nil)
	if notThere(err) { // an older registry, whose global mode can only be set
		return c.setMode(ctx, scope, "READWRITE", true)
	}
	if registryCode(err) == 40401 {
		return nil // IMPORT was never set
	}
	return err
}

// takeSteps registers and deletes. One schema that is refused does not keep the others out.
func (p *importPlan) takeSteps(ctx context.Context, c *registryClient, shown *progress) error {
	var errs []error
	for i, s := range p.steps {
		shown.show(func() string { return fmt.Sprintf("%d of %d", i, len(p.steps)) })
		if err := p.take(ctx, c, s); err != nil {
			errs = append(errs, fmt.Errorf("version %d of subject %q: %w", s.Version, s.Subject, err))
			if registryCode(err) == 0 {
				break // the registry is gone
			}
			continue
		}
		if s.delete {
			p.done.Deleted++
		} else {
			p.done.Schemas++
		}
	}
	if err := fewErrors(errs); err != nil || len(p.done.Other) == 0 {
		return err
	}
	return found(fmt.Sprintf("the registry gives %s another GUID than the file, since it writes them down differently (%s): records that carry GUIDs in headers cannot be read by it",
		count(int64(len(p.done.Other)), "schema"), strings.Join(p.done.Other[:min(5, len(p.done.Other))], ", ")))
}

func (p *importPlan) take(ctx context.Context, c *registryClient, s importStep) error {
	if s.delete {
		return c.do(ctx, "DELETE", at("subjects", s.Subject, "versions", strconv.Itoa(s.Version)), nil, nil, nil)
	}
	b := schemaBody{Text: s.Text, Type: s.Type, References: s.References, Metadata: s.Metadata, RuleSet: s.RuleSet, Version: s.Version, ID: s.ID}
	var got schemaVersion
	if err := c.do(ctx, "POST", at("subjects", s.Subject, "versions"), nil, b, &got); err != nil {
		return err
	}
	switch {
	case got.ID != s.ID:
		return fmt.Errorf("the registry gave id %d instead of %d", got.ID, s.ID)
	case got.Version != 0 && got.Version != s.Version:
		return fmt.Errorf("the registry made it version %d", got.Version)
	case got.GUID == "" || s.GUID == "":
		p.done.NoGUIDs = true
	case got.GUID != s.GUID:
		p.done.Other = append(p.done.Other, fmt.Sprintf("%s:%d", s.Subject, s.Version))
	}
	return nil
}
