package house

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// notAnswered are codes that the code names and no client can get: they answer controllers and brokers of a larger cluster, or
// transactions, whose APIs are not served yet.
var notAnswered = strings.Fields(`None StaleBrokerEpoch InvalidUpdateVersion DuplicateBrokerRegistration InconsistentClusterID
	InvalidRegistration IneligibleReplica NewLeaderElected ElectionNotNeeded EligibleLeadersNotAvailable PreferredLeaderNotAvailable
	InvalidTxnState TransactionCoordinatorFenced`)

// TestErrorsHaveRemedies holds the codes that node and core name against docs/errors.md.
func TestErrorsHaveRemedies(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, p := range packages(t) {
		if !strings.HasPrefix(p.name(), "internal/node/") && !strings.HasPrefix(p.name(), "internal/core/") {
			continue
		}
		for _, f := range p.files(false) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			code.Write(text)
		}
	}
	constants, err := os.ReadFile(root + "/internal/kafka/wire/error_codes.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range errorFaults(string(page), code.String(), string(constants)) {
		t.Error(fault)
	}
}

var errorConstant = regexp.MustCompile(`(?m)^\t(\w+) +ErrorCode = (-?\d+)$`)

func errorFaults(page, code, constants string) []string {
	var faults []string
	for _, m := range errorConstant.FindAllStringSubmatch(constants, -1) {
		used := regexp.MustCompile(`\bwire\.` + m[1] + `\b`).MatchString(code)
		told := strings.Contains(page, "\n| "+m[2]+" |")
		switch skipped := slices.Contains(notAnswered, m[1]); {
		case used && !told && !skipped:
			faults = append(faults, fmt.Sprintf("%s is answered, and docs/errors.md does not tell what to do about it: add a remedy in internal/kafka/wire", m[1]))
		case told && (!used || skipped):
			faults = append(faults, fmt.Sprintf("%s has a remedy, and nothing answers it", m[1]))
		case !used && skipped:
			faults = append(faults, fmt.Sprintf("%s is on the list of codes that no client gets, and nothing names it", m[1]))
		}
	}
	return faults
}

func TestErrorFaults(t *testing.T) {
	const constants = "\tFoo ErrorCode = 1\n\tBar   ErrorCode = 2\n\tBaz ErrorCode = 3\n"
	page := "\n| 2 | BAR |\n| 3 | BAZ |"
	wantFaults(t, errorFaults(page, "wire.Foo wire.Barn wire.Baz", constants), []string{"Foo is answered", "Bar has a remedy"})
}
