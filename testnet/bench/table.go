package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// row is one line of the table: what was measured, the figure to reach ("" if there is none), and what came out.
type row struct{ what, goal, got string }

// printRows writes the table.
func printRows(w io.Writer, facts [][2]string, rows []row) {
	for _, f := range facts {
		_, _ = fmt.Fprintf(w, "%-22s %s\n", f[0], f[1]) // to the terminal
	}
	_, _ = fmt.Fprintln(w)
	width := 0
	for _, r := range rows {
		width = max(width, len(r.what))
	}
	for _, r := range rows {
		_, _ = fmt.Fprintf(w, "%-*s  %-18s  %s\n", width, r.what, r.goal, r.got)
	}
}

// quantile returns the p-th percentile; it sorts.
func quantile(took []time.Duration, p int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[min(len(took)-1, len(took)*p/100)]
}

func spread(took []time.Duration) string {
	return fmt.Sprintf("p50 %s, p95 %s, max %s, of %d", brief(quantile(took, 50)), brief(quantile(took, 95)), brief(quantile(took, 100)), len(took))
}

func brief(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(time.Microsecond).String()
	}
	return d.Round(time.Millisecond / 10).String()
}
