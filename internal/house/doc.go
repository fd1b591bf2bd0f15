// Package house holds the rules of the house as tests: which package may import which, what the pure packages may not do, that
// every package says what it is for, and that the documents agree with the code. A rule that fails prints its reason.
package house

//go:generate go test -run TestPackageTable -update .
