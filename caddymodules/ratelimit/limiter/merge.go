package limiter

// Merge is what a node admitted alone on one key, to be put into the shared store once it answers
// again. Times are those of the shared store's clock, in microseconds.
type Merge struct {
	Key    Key
	Policy *Policy
	// Floor and Debt are GCRA's, in units of the policy's scale. The debt that is stored becomes
	// at least Floor, what the node last knew the store to hold (0 unless the store has lost it);
	// then Debt is added, what the node admitted alone; then it is clamped to the capacity.
	Floor, Debt int64
	// Times are Log's admissions, ascending.
	Times []int64
	// Slices are Slices' admissions.
	Slices []SliceCount
}

// SliceCount is a number of admissions at about one moment: the end of the node's own slice.
type SliceCount struct {
	At, Count int64
}
