package sync

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"waybill/consensus/quorum"
)

// blockLiar is a simulated peer of the block fetcher: what it claims at a time, and what it answers, after how long; a nil
// answer never comes. A further answer, unasked, may follow the first.
type blockLiar struct {
	claim  func(rng *rand.Rand, step int) quorum.Height
	answer func(n *network, rng *rand.Rand, tip int) (raw []byte, afterMs int64, extra []byte)
}

func always(h quorum.Height) func(*rand.Rand, int) quorum.Height {
	return func(*rand.Rand, int) quorum.Height { return h }
}

// blockLiars are the ways to lie to the block fetcher, by name.
func blockLiars(height quorum.Height) map[string]func() blockLiar {
	type answer = func(n *network, rng *rand.Rand, tip int) ([]byte, int64, []byte)
	plain := func(claim quorum.Height, b behaviour) func() blockLiar {
		return func() blockLiar {
			return blockLiar{always(claim), func(n *network, _ *rand.Rand, tip int) ([]byte, int64, []byte) {
				raw, after := b(n, tip)
				return raw, after, nil
			}}
		}
	}
	with := func(a answer) func() blockLiar { return func() blockLiar { return blockLiar{always(height), a} } }
	return map[string]func() blockLiar{
		"silent":                    plain(height, silent),
		"silent, claiming 2^63-1":   plain(math.MaxInt64, silent),
		"silent, claiming 2^64-1":   plain(math.MaxUint64, silent),
		"empty":                     plain(math.MaxUint64, empty),
		"noise":                     plain(height, noise),
		"uncertified":               plain(height, uncertified),
		"drip-feeding":              plain(height, drip),
		"drip-feeding, high claims": plain(math.MaxInt64, drip),
		"claiming nothing":          plain(0, silent),
		"too late": with(func(n *network, _ *rand.Rand, tip int) ([]byte, int64, []byte) {
			return EncodeBlocks(n.run(tip, MaxBlocksPerAnswer)), AnswerTimeoutMs + 1, nil
		}),
		"drip-feeding in a second": with(func(n *network, _ *rand.Rand, tip int) ([]byte, int64, []byte) {
			return EncodeBlocks(n.run(tip, 1)), 999, nil
		}),
		"oscillating": func() blockLiar {
			return blockLiar{
				func(_ *rand.Rand, step int) quorum.Height {
					return []quorum.Height{math.MaxUint64, 0, 1, math.MaxInt64, height}[step%5]
				},
				func(n *network, rng *rand.Rand, tip int) ([]byte, int64, []byte) {
					if rng.IntN(2) == 0 {
						return nil, 0, nil
					}
					return EncodeBlocks(nil), 5, nil
				},
			}
		},
		"lowering": func() blockLiar {
			return blockLiar{func(_ *rand.Rand, step int) quorum.Height { return height - min(height, quorum.Height(step)) }, func(*network, *rand.Rand, int) ([]byte, int64, []byte) { return nil, 0, nil }}
		},
		"quick, then silent": func() blockLiar {
			count := 0
			return blockLiar{always(height), func(n *network, _ *rand.Rand, tip int) ([]byte, int64, []byte) {
				if count++; count%2 == 0 {
					return nil, 0, nil
				}
				return EncodeBlocks(n.run(tip, MaxBlocksPerAnswer)), 1, nil
			}}
		},
		"quick, then drip-feeding": func() blockLiar {
			count := 0
			return blockLiar{always(height), func(n *network, _ *rand.Rand, tip int) ([]byte, int64, []byte) {
				if count++; count%3 != 1 {
					return EncodeBlocks(n.run(tip, 1)), AnswerTimeoutMs - 1, nil
				}
				return EncodeBlocks(n.run(tip, MaxBlocksPerAnswer)), 1, nil
			}}
		},
		"from another height": with(func(n *network, rng *rand.Rand, _ int) ([]byte, int64, []byte) {
			return EncodeBlocks(n.run(rng.IntN(len(n.blocks)), MaxBlocksPerAnswer)), 5, nil
		}),
		"out of order": with(func(n *network, rng *rand.Rand, tip int) ([]byte, int64, []byte) {
			run := n.run(tip, MaxBlocksPerAnswer)
			rng.Shuffle(len(run), func(i, j int) { run[i], run[j] = run[j], run[i] })
			return EncodeBlocks(run), 5, nil
		}),
		"duplicated blocks": with(func(n *network, _ *rand.Rand, tip int) ([]byte, int64, []byte) {
			run := n.run(tip, 8)
			return EncodeBlocks(append(slices.Clone(run), run...)), 5, nil
		}),
		"duplicated answers": with(func(n *network, _ *rand.Rand, tip int) ([]byte, int64, []byte) {
			raw := EncodeBlocks(n.run(tip, 2))
			return raw, 5, raw
		}),
		"truncated": with(func(n *network, rng *rand.Rand, tip int) ([]byte, int64, []byte) {
			raw := EncodeBlocks(n.run(tip, MaxBlocksPerAnswer))
			return raw[:rng.IntN(len(raw))], 5, nil
		}),
		"flipped": with(func(n *network, rng *rand.Rand, tip int) ([]byte, int64, []byte) {
			raw := EncodeBlocks(n.run(tip, MaxBlocksPerAnswer))
			raw[rng.IntN(len(raw))] ^= byte(1 + rng.IntN(255))
			return raw, 5, nil
		}),
		"oversized": with(func(*network, *rand.Rand, int) ([]byte, int64, []byte) {
			return make([]byte, LargestAnswerBytes), 5, nil
		}),
		"too many blocks": with(func(n *network, _ *rand.Rand, tip int) ([]byte, int64, []byte) {
			return EncodeBlocks(slices.Repeat(n.run(tip, 1), MaxBlocksPerAnswer+1)), 5, nil
		}),
		"another transaction": with(func(n *network, _ *rand.Rand, tip int) ([]byte, int64, []byte) {
			run := n.run(tip, MaxBlocksPerAnswer)
			run[0].Payload = [][]byte{[]byte("give me everything"), []byte("more")}
			return EncodeBlocks(run), 5, nil
		}),
	}
}

// TestBlockSyncAmongLiars: with up to two thirds of the peers lying, in any ways, the node has the chain in bounded time,
// and no stretch without a new block is long.
func TestBlockSyncAmongLiars(t *testing.T) {
	runs := 1000
	if testing.Short() {
		runs = 100
	}
	const height = 6*MaxBlocksPerAnswer + 17
	n := newNetwork(t, "home", height)
	ways := blockLiars(height)
	var names []string
	for name := range ways {
		names = append(names, name)
	}
	slices.Sort(names)
	var longest, stillest int64
	for seed := range uint64(runs) {
		rng := rand.New(rand.NewPCG(seed, 99))
		count := 3 + rng.IntN(13)
		liars := 2 * count / 3
		if seed%2 == 1 {
			liars = rng.IntN(liars + 1)
		}
		what := fmt.Sprintf("seed %d: %d of %d lie:", seed, liars, count)
		peers := map[string]blockLiar{}
		var validators []string
		colluding := names[rng.IntN(len(names))]
		for _, i := range rng.Perm(count) {
			name := fmt.Sprintf("peer %d", i)
			peers[name] = blockLiar{always(height), func(n *network, rng *rand.Rand, tip int) ([]byte, int64, []byte) {
				return EncodeBlocks(n.run(tip, MaxBlocksPerAnswer)), 10 + rng.Int64N(300), nil
			}}
			if i < liars {
				way := names[rng.IntN(len(names))]
				if seed%5 == 0 {
					way = colluding
				}
				peers[name] = ways[way]()
				what += " " + way + ","
			}
			if rng.IntN(2) == 0 {
				validators = append(validators, name)
			}
		}
		slices.Sort(validators)
		took, still, why := fetchAmong(n, rng, NewFetcher(n.Domain, 0, validators), peers)
		if why != "" {
			t.Fatalf("%s %s", what, why)
		}
		longest, stillest = max(longest, took), max(stillest, still)
		if still > 60_000 {
			t.Fatalf("%s no block for %d ms", what, still)
		}
	}
	t.Logf("%d runs of %d blocks; the longest took %d ms of virtual time, the longest stretch without a block %d ms", runs, height, longest, stillest)
	if longest > 120_000 {
		t.Errorf("a run took %d ms", longest)
	}
}

// fetchAmong runs a fetcher against peers until it has the whole chain; why says what went wrong.
func fetchAmong(n *network, rng *rand.Rand, f *Fetcher, peers map[string]blockLiar) (took, still int64, why string) {
	const start, limit = 1_000_000, 1_200_000
	type coming struct {
		at   int64
		from string
		raw  []byte
	}
	names := make([]string, 0, len(peers))
	for name := range peers {
		names = append(names, name)
	}
	slices.Sort(names)
	var queue []coming
	tip, last := 0, int64(start)
	for now, step := int64(start), 0; now < start+limit; now, step = now+20, step+1 {
		for _, name := range names {
			f.Claim(name, peers[name].claim(rng, step))
		}
		if r := f.Next(now, n.tip(tip)); r != nil {
			raw, after, extra := peers[r.Peer].answer(n, rng, tip)
			if raw != nil {
				queue = append(queue, coming{now + after, r.Peer, raw})
			}
			if extra != nil {
				queue = append(queue, coming{now + after + 1, r.Peer, extra})
			}
		}
		slices.SortStableFunc(queue, func(a, b coming) int { return int(a.at - b.at) })
		for len(queue) > 0 && queue[0].at <= now {
			c := queue[0]
			queue = queue[1:]
			blocks, _, err := f.Answer(c.at, c.from, n.tip(tip), c.raw)
			if err != nil && blocks != nil {
				return 0, 0, "blocks and an error"
			}
			for _, b := range blocks {
				if b.Header != n.blocks[tip].Header || !slices.EqualFunc(b.Payload, n.blocks[tip].Payload, func(x, y []byte) bool { return string(x) == string(y) }) {
					return 0, 0, fmt.Sprintf("block %d is not the network's", tip+1)
				}
				tip++
			}
			if len(blocks) > 0 {
				still, last = max(still, c.at-last), c.at
			}
			if tip == len(n.blocks) {
				return c.at - start, still, ""
			}
		}
	}
	return 0, 0, fmt.Sprintf("%d of %d blocks after %d ms; peers: %s", tip, len(n.blocks), int64(limit), strings.Join(names, " "))
}
