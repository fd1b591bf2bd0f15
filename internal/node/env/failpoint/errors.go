package failpoint

import "errors"

// ErrInjected is what Hit returns at a point armed with "error".
var ErrInjected = errors.New("error injected by a fail point")
