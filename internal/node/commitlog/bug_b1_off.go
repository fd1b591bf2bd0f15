//go:build !bug_b1

package commitlog

const reportBeforeSync = false
