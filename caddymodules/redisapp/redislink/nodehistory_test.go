package redislink

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTally_nodes(t *testing.T) {
	repeat := func(n int, s sample) []sample {
		all := make([]sample, n)
		for i := range all {
			all[i] = s
		}
		return all
	}
	join := func(parts ...[]sample) (all []sample) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	tests := []struct {
		name string
		give []sample
		want int
	}{
		{"nothing seen", nil, 1},
		{"the largest of the last minute", join(repeat(5, sample{live: 3}), repeat(50, sample{live: 2})), 3},
		{"a crash is forgotten after a minute of heartbeats", join(repeat(5, sample{live: 3}), repeat(60, sample{live: 2})), 2},
		{"a leave in order is taken off at once", join(repeat(50, sample{live: 3}), repeat(1, sample{2, 1})), 2},
		{"two leaves", join(repeat(50, sample{live: 3}), repeat(1, sample{2, 1}), repeat(1, sample{1, 2})), 1},
		{"left and come back", join(repeat(50, sample{live: 3}), repeat(2, sample{2, 1}), repeat(1, sample{3, 1})), 3},
		{"one leaves in order, one crashes", join(repeat(50, sample{live: 4}), repeat(9, sample{2, 1})), 3},
		{"never fewer than the node itself", join(repeat(1, sample{1, 0}), repeat(1, sample{1, 9})), 1},
		{"redis lost the counter", join(repeat(5, sample{3, 7}), repeat(1, sample{3, 0})), 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var nodeHistory nodeHistory
			for _, s := range tt.give {
				nodeHistory.add(s)
			}
			assert.Equal(t, tt.want, nodeHistory.nodes())
		})
	}
}

func TestTally_rememberedIsTheOldest(t *testing.T) {
	var nodeHistory nodeHistory
	nodeHistory.add(sample{live: 1, leaves: 4})
	nodeHistory.remembered(sample{live: 5, leaves: 3})
	assert.Equal(t, 4, nodeHistory.nodes(), "five nodes, one of which has left since")
	for range tallySize - 1 {
		nodeHistory.add(sample{live: 1, leaves: 4})
	}
	assert.Equal(t, 1, nodeHistory.nodes(), "after a minute of heartbeats it is forgotten")
}
