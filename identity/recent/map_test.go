package recent_test

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/gatehouse-proxy/gatehouse/identity/recent"
)

func TestMap_keepsWhatWasPutLast(t *testing.T) {
	m := recent.New[int](1 << 20)
	if _, ok := m.Get("a"); ok {
		t.Error("an empty map has a value")
	}
	for i := range 3 {
		m.Put("a", i, 10)
		m.Put("b", -i, 10)
		if got, ok := m.Get("a"); !ok || got != i {
			t.Errorf("got %d, %v, want %d", got, ok, i)
		}
		if got, ok := m.GetBytes([]byte("b")); !ok || got != -i {
			t.Errorf("got %d, %v, want %d", got, ok, -i)
		}
	}
	if bytes, entries := m.Size(); bytes != 20 || entries != 2 {
		t.Errorf("%d bytes in %d entries, want 20 in 2", bytes, entries)
	}
}

// Whatever is put in whatever order: the bound holds, no key is there twice, and what is found is
// what was put last.
func TestMap_property_bound(t *testing.T) {
	const bound = 32_000 // 1,000 a generation and shard
	r := rand.New(rand.NewPCG(3, 4))
	m := recent.New[int](bound)
	last := map[string]int{}
	for i := range 20_000 {
		key := strconv.Itoa(r.IntN(300))
		m.Put(key, i, r.IntN(1200))
		last[key] = i
		if i%100 != 0 {
			continue
		}
		bytes, entries := m.Size()
		if bytes > bound || entries > len(last) {
			t.Fatalf("%d bytes of %d, %d entries of %d keys", bytes, bound, entries, len(last))
		}
		for key, want := range last {
			if got, ok := m.Get(key); ok && got != want {
				t.Fatalf("%s: got %d, want %d", key, got, want)
			}
		}
	}
}

// A value outlives at least half the bound of others in its shard.
func TestMap_forgetsTheOldestFirst(t *testing.T) {
	m := recent.New[int](1 << 20)
	m.Put("first", 1, 100)
	for i := range 150 { // at most all of them in its shard: 15,000 of 32,768 bytes
		m.Put(strconv.Itoa(i), i, 100)
	}
	if _, ok := m.Get("first"); !ok {
		t.Error("it is forgotten although there was room")
	}
	for i := range 100_000 {
		m.Put(strconv.Itoa(i), i, 100)
	}
	if _, ok := m.Get("first"); ok {
		t.Error("it is still there after ten times the bound")
	}
}

func TestMap_isSafeForConcurrentUse(t *testing.T) {
	m := recent.New[int](10_000)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 5_000 {
				key := strconv.Itoa(i % 200)
				m.Put(key, i%200, 50)
				if got, ok := m.GetBytes([]byte(key)); ok && got != i%200 {
					t.Errorf("%s: got %d", key, got)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkGetBytes(b *testing.B) {
	m := recent.New[*int](1 << 20)
	key := []byte("corp:ann, with some more of what makes a key as long as it is, and another bit")
	m.Put(string(key), new(int), 500)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.GetBytes(key)
		}
	})
}

func TestMap_doesNotKeepWhatIsTooLarge(t *testing.T) {
	m := recent.New[int](32_000)
	m.Put("a", 1, 10)
	m.Put("a", 2, 1001) // half a shard is 1,000
	if got, ok := m.Get("a"); ok {
		t.Errorf("got %d: neither the old value nor the new one may be there", got)
	}
}

func TestMap_countsAReplacedValueOnce(t *testing.T) {
	m := recent.New[int](1 << 20)
	for i := range 300 {
		m.Put(strconv.Itoa(i), i, 50)
	}
	for i := range 10_000 {
		m.Put("again", i, 1000)
	}
	for i := range 300 {
		if _, ok := m.Get(strconv.Itoa(i)); !ok {
			t.Fatalf("%d is forgotten, and there was room", i)
		}
	}
}
