package target

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// KafkaVersion is the Apache Kafka that everything here is compared with.
const KafkaVersion = "4.3.1"

//go:embed pom.xml
var pom []byte

// KafkaJars returns the directory that holds Apache Kafka's jars. The first call downloads them with Maven; a marker written
// last tells a complete directory from one that an interrupted download left behind.
func KafkaJars() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(home, ".cache", "millrace", "kafka-"+KafkaVersion)
	marker := filepath.Join(dir, "complete")
	if _, err := os.Stat(marker); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(file, pom, 0o644); err != nil {
		return "", err
	}
	fmt.Fprintln(os.Stderr, "downloading Apache Kafka", KafkaVersion, "with Maven into", dir)
	cmd := exec.Command("mvn", "-B", "-q", "-f", file, "dependency:copy-dependencies", "-DoutputDirectory="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("mvn dependency:copy-dependencies: %w\n%s", err, out)
	}
	return dir, os.WriteFile(marker, nil, 0o644)
}

// Java returns a command that runs one of Apache Kafka's classes. A tool lives for a second or two, so its compiler stays
// at the first tier, which halves the processor time of a start.
func Java(class string, args ...string) (*exec.Cmd, error) {
	jars, err := KafkaJars()
	if err != nil {
		return nil, err
	}
	all := []string{"-Xmx256m", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", filepath.Join(jars, "*"), class}
	return exec.Command("java", append(all, args...)...), nil
}

// stock is config/server.properties as Apache ships it (4.3.1), without the lines that kafkaProperties writes itself.
var stock = []string{
	"num.network.threads=3",
	"num.io.threads=8",
	"socket.send.buffer.bytes=102400",
	"socket.receive.buffer.bytes=102400",
	"socket.request.max.bytes=104857600",
	"num.partitions=1",
	"num.recovery.threads.per.data.dir=2",
	"offsets.topic.replication.factor=1",
	"share.coordinator.state.topic.replication.factor=1",
	"share.coordinator.state.topic.min.isr=1",
	"transaction.state.log.replication.factor=1",
	"transaction.state.log.min.isr=1",
	"log.retention.hours=168",
	"log.segment.bytes=1073741824",
	"log.retention.check.interval.ms=300000",
}

func kafkaProperties(o Options, controllerPort int) string {
	lines := []string{
		"process.roles=broker,controller",
		"node.id=1",
		fmt.Sprintf("controller.quorum.bootstrap.servers=127.0.0.1:%d", controllerPort),
		fmt.Sprintf("listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d", o.Port, controllerPort),
		fmt.Sprintf("advertised.listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d", o.Port, controllerPort),
		"inter.broker.listener.name=PLAINTEXT",
		"controller.listener.names=CONTROLLER",
		"log.dirs=" + o.Dir,
	}
	lines = append(lines, stock...)
	for _, k := range sortedKeys(o.Overrides) {
		v := o.Overrides[k]
		if k == "listeners" || k == "advertised.listeners" {
			v += fmt.Sprintf(",CONTROLLER://127.0.0.1:%d", controllerPort)
		}
		lines = append(lines, k+"="+v) // the last line of a key wins in a properties file
	}
	return strings.Join(lines, "\n") + "\n"
}

// formatKafka formats an empty directory; a formatted one is left alone.
func formatKafka(config, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "meta.properties")); err == nil {
		return nil
	}
	// Any 22 characters of base64url are a cluster id.
	cmd, err := Java("kafka.tools.StorageTool", "format", "-t", "MillraceBenchCluster00", "-c", config, "--standalone")
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("StorageTool format: %w\n%s", err, out)
	}
	return nil
}

// kafkaCommand is kafka-server-start.sh's command line with its default heap and collector settings.
func kafkaCommand(o Options) ([]string, error) {
	jars, err := KafkaJars()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	controllerPort, err := FreePort()
	if err != nil {
		return nil, err
	}
	config := o.Config
	if config == "" {
		config = strings.TrimRight(o.Dir, "/") + ".properties"
	}
	if err := os.WriteFile(config, []byte(kafkaProperties(o, controllerPort)), 0o644); err != nil {
		return nil, err
	}
	if err := formatKafka(config, o.Dir); err != nil {
		return nil, err
	}
	heap := o.HeapMB
	if heap == 0 {
		heap = 1024
	}
	return []string{"java", fmt.Sprintf("-Xmx%dm", heap), fmt.Sprintf("-Xms%dm", heap), "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
		"-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true",
		"-cp", filepath.Join(jars, "*"), "kafka.Kafka", config}, nil
}
