// Command millrace is the whole program: a broker that speaks the Kafka protocol, and the tools to use it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"millrace/internal/apps/cli"
	"millrace/internal/boot"
)

// version is set by the build.
var version = "0.1.0-dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.Run(ctx, boot.Hooks(version), os.Args[1:]))
}
