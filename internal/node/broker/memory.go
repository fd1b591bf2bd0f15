package broker

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryLimit is the smallest of GOMEMLIMIT, the limit of the control group and the machine's memory.
func memoryLimit() int64 {
	limit := debug.SetMemoryLimit(-1)
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if n, ok := numberIn(file, ""); ok && n > 0 {
			limit = min(limit, n)
		}
	}
	if kib, ok := numberIn("/proc/meminfo", "MemTotal:"); ok {
		limit = min(limit, kib<<10)
	}
	if limit == math.MaxInt64 {
		return 1 << 30 // nothing tells: be modest
	}
	return limit
}

// numberIn reads the number after prefix, or the first one if prefix is empty.
func numberIn(file, prefix string) (int64, bool) {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	_, rest, found := strings.Cut(string(content), prefix)
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	return n, err == nil
}
