package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// cpuTime is what the process has used of the processors so far, in the kernel too. It says more than the clock on a
// machine that others use as well.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// machineFacts tells what the figures were measured on.
func machineFacts(dir string) [][2]string {
	gc := "100"
	if v := debug.SetGCPercent(100); v != 100 {
		debug.SetGCPercent(v)
		gc = fmt.Sprint(v)
	}
	return [][2]string{
		{"processor", fmt.Sprintf("%s, %d cores", processor(), runtime.NumCPU())},
		{"kernel", kernel()},
		{"file system", fileSystem(dir)},
		{"Go", fmt.Sprintf("%s %s/%s, GOGC=%s", runtime.Version(), runtime.GOOS, runtime.GOARCH, gc)},
		{"SHA-256 of 300 bytes", fmt.Sprintf("%d ns, now, on one core: twice that, and the machine is busy", shaNanos())},
		{"fsync of 4 KiB", syncTime(dir)},
	}
}

// lineOf returns what follows the first of these words in a file of the kernel's.
func lineOf(file, word string) string {
	f, err := os.Open(file)
	if err != nil {
		return "unknown"
	}
	defer func() { _ = f.Close() }() // nothing was written
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), word); ok {
			return strings.TrimSpace(strings.TrimLeft(rest, " \t:"))
		}
	}
	return "unknown"
}

func processor() string { return lineOf("/proc/cpuinfo", "model name") }

func kernel() string { return strings.Join(strings.Fields(lineOf("/proc/version", ""))[:3], " ") }

// fileSystem is the type of the mount that dir is on.
func fileSystem(dir string) string {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return "unknown"
	}
	defer func() { _ = f.Close() }() // nothing was written
	best, kind := "", "unknown"
	for s := bufio.NewScanner(f); s.Scan(); {
		parts := strings.Fields(s.Text())
		if len(parts) > 2 && strings.HasPrefix(dir, parts[1]) && len(parts[1]) >= len(best) {
			best, kind = parts[1], parts[2]
		}
	}
	return kind
}

func shaNanos() int64 {
	const n = 200_000
	var block [300]byte
	start := time.Now()
	for range n {
		sum := sha256.Sum256(block[:])
		block[0] = sum[0]
	}
	return time.Since(start).Nanoseconds() / n
}

func syncTime(dir string) string {
	f, err := os.CreateTemp(dir, "sync")
	if err != nil {
		return err.Error()
	}
	defer func() { _ = os.Remove(f.Name()) }() // in a folder that goes anyway
	defer func() { _ = f.Close() }()
	var took []time.Duration
	for range 50 {
		start := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return err.Error()
		}
		if err := f.Sync(); err != nil {
			return err.Error()
		}
		took = append(took, time.Since(start))
	}
	return fmt.Sprintf("%v median of 50", quantile(took, 50).Round(time.Microsecond))
}
