package main

import "golang.org/x/sys/unix"

// warmBytes is more than a throughput measurement writes.
const warmBytes = 1 << 30

// warmMemory touches memory and gives it back at once. A virtual machine may return free memory to its host within seconds,
// and then the first write to a page costs several times more: a broker that happened to get such pages for its page cache
// would be measured beside one that did not. What was just freed is used first.
func warmMemory() {
	mem, err := unix.Mmap(-1, 0, warmBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return
	}
	defer unix.Munmap(mem)
	unix.Madvise(mem, unix.MADV_HUGEPAGE)
	if unix.Madvise(mem, unix.MADV_POPULATE_WRITE) == nil {
		return
	}
	for i := 0; i < len(mem); i += 4096 {
		mem[i] = 1
	}
}
