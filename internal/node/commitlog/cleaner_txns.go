package commitlog

// cleanedTxns follows the transactions of a log while the cleaner walks over it from the start, and says what may
// go: the data of aborted transactions, and a marker once no batch of its transaction is left before it.
type cleanedTxns struct {
	ahead     []AbortedTxn           // aborted transactions by first offset, not reached yet
	aborted   map[int64]*abortedData // by producer: the aborted transaction that the walk is inside of
	committed map[int64]bool         // producers with data seen since their last marker, of no aborted transaction
	retained  func(AbortedTxn)       // an abort marker stays, and with it its line in the index
}

type abortedData struct {
	txn  AbortedTxn
	seen bool // a batch of it still lies in the log
}

func newCleanedTxns(ahead []AbortedTxn) *cleanedTxns {
	return &cleanedTxns{ahead: ahead, aborted: map[int64]*abortedData{}, committed: map[int64]bool{}}
}

func (c *cleanedTxns) reach(offset int64) {
	for len(c.ahead) > 0 && c.ahead[0].FirstOffset <= offset {
		a := c.ahead[0]
		c.ahead = c.ahead[1:]
		if c.aborted[a.ProducerID] == nil {
			c.aborted[a.ProducerID] = &abortedData{txn: a}
		}
	}
}

// data notes a batch of records and reports whether it belongs to an aborted transaction.
func (c *cleanedTxns) data(producer, lastOffset int64, transactional bool) (aborted bool) {
	c.reach(lastOffset)
	if !transactional {
		return false
	}
	if a := c.aborted[producer]; a != nil {
		a.seen = true
		return true
	}
	c.committed[producer] = true
	return false
}

// marker notes the end of a transaction and reports whether nothing of the transaction is left before it.
func (c *cleanedTxns) marker(producer, offset int64, commit bool) (empty bool) {
	c.reach(offset)
	if commit {
		seen := c.committed[producer]
		delete(c.committed, producer)
		return !seen
	}
	a := c.aborted[producer]
	delete(c.aborted, producer)
	if a == nil || !a.seen {
		return true
	}
	if c.retained != nil {
		c.retained(a.txn)
	}
	return false
}
