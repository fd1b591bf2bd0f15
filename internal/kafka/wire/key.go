package wire

import "strconv"

// Key is the number of an API.
type Key int16

type keyEntry struct {
	name         string
	flexibleFrom int16
}

// Keys is the number of API keys: they run from 0 to Keys-1.
const Keys = len(keyTable)

// Known says whether Kafka 4.3.1 has (or had, for 4 to 7) this API.
func (k Key) Known() bool { return k >= 0 && int(k) < Keys }

// String is Kafka's name of the API.
func (k Key) String() string {
	if k.Known() {
		return keyTable[k].name
	}
	return "Api" + strconv.Itoa(int(k))
}

// Flexible says whether this version uses compact lengths and tagged fields. A key that is not known counts as not
// flexible, so that the header up to the client id can still be read.
func Flexible(k Key, version int16) bool {
	return k.Known() && version >= keyTable[k].flexibleFrom
}
