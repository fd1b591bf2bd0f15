//go:build !bug_b18

package commitlog

const keepCleanMarker = false
