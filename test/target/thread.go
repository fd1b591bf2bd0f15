package target

import (
	"os/exec"
	"runtime"
	"syscall"
)

// StartChild starts a process that ends with this one, however this one ends. The kernel's signal for that (Pdeathsig) is sent
// when the *thread* that started the child ends, and Go ends threads as it likes; so one goroutine keeps its thread for as
// long as the child lives. The channel gives the child's error once it has ended.
func StartChild(cmd *exec.Cmd) (<-chan error, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine, after the child
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	return ended, <-started
}
