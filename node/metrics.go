package node

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"waybill/api"
	"waybill/p2p"
)

// metrics are named waybill_<part>_<name>_<unit>. No label takes a value that a peer or client chooses.
type metrics struct {
	registry *prometheus.Registry

	malformed, dropped, refused, evidence prometheus.Counter
	blocks, transactions, refusals        prometheus.Counter
	requests                              *prometheus.CounterVec
	seconds                               *prometheus.HistogramVec
}

func newMetrics(n *Node) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	m.malformed = counter("waybill_peers_malformed_messages_total", "Messages of peers that did not verify.")
	m.dropped = counter("waybill_peers_dropped_messages_total", "Messages of peers that found no room in time.")
	m.evidence = counter("waybill_consensus_evidence_total", "Proofs seen that a validator broke the rules.")
	m.refused = counter("waybill_mempool_refused_transactions_total", "Transactions not taken.")
	m.blocks = counter("waybill_ledger_blocks_total", "Blocks executed since the start.")
	m.transactions = counter("waybill_ledger_transactions_total", "Transactions executed since the start.")
	m.refusals = counter("waybill_ledger_refused_transactions_total", "Executed transactions that a rule refused.")
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waybill_api_requests_total", Help: "Answers of the HTTP API."}, []string{"route", "method", "status"})
	m.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "waybill_api_request_seconds", Help: "Time to answer.",
		Buckets: []float64{.001, .005, .02, .1, .5, 2, 10}}, []string{"route"})
	m.registry.MustRegister(m.requests, m.seconds,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.gauges(n)
	return m
}

// gauges are read when asked for.
func (m *metrics) gauges(n *Node) {
	gauge := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
	}
	gauge("waybill_ledger_height_blocks", "Height of the ledger.", func() float64 { return float64(n.store.Tip().Height) })
	gauge("waybill_index_height_blocks", "Height of the index.", func() float64 { return float64(n.index.Height()) })
	gauge("waybill_consensus_epoch_number", "Epoch of the engine.", func() float64 { return float64(n.members.Load().epoch.Number) })
	gauge("waybill_consensus_view_number", "View of the engine.", func() float64 { return float64(n.snapshot.Load().Consensus.View) })
	gauge("waybill_consensus_timeout_seconds", "Bound on one hop that the engine works with.", func() float64 { return float64(n.snapshot.Load().Consensus.Timeout) / 1000 })
	gauge("waybill_signer_away", "1 while the signer does not answer, so that this validator does not vote.", func() float64 {
		if n.snapshot.Load().SignerAway {
			return 1
		}
		return 0
	})
	gauge("waybill_sync_best_blocks", "Highest height known to be final on the network.", func() float64 { return float64(n.snapshot.Load().BestKnown) })
	gauge("waybill_mempool_transactions", "Transactions waiting.", func() float64 { t, _ := n.pool.size(); return float64(t) })
	gauge("waybill_mempool_bytes", "Bytes of transactions waiting.", func() float64 { _, b := n.pool.size(); return float64(b) })
	gauge("waybill_peers_connected", "Peers connected.", func() float64 { return float64(n.net.Stats().Peers) })
	for class := range p2p.Class(p2p.NumClasses) {
		labels := prometheus.Labels{"class": class.String()}
		for _, g := range []struct {
			name, help string
			read       func(p2p.ClassStats) uint64
		}{
			{"waybill_peers_sent_bytes", "Bytes sent.", func(s p2p.ClassStats) uint64 { return s.BytesOut }},
			{"waybill_peers_received_bytes", "Bytes received.", func(s p2p.ClassStats) uint64 { return s.BytesIn }},
			{"waybill_peers_overflow_messages", "Messages dropped from full queues.", func(s p2p.ClassStats) uint64 { return s.Dropped }},
		} {
			m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: g.name + "_total", Help: g.help, ConstLabels: labels},
				func() float64 { return float64(g.read(n.net.Stats().Class[class])) }))
		}
	}
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

func (m *metrics) observe(o api.Observation) {
	m.requests.WithLabelValues(o.Route, o.Method, strconv.Itoa(o.Status)).Inc()
	m.seconds.WithLabelValues(o.Route).Observe(o.Elapsed.Seconds())
}
