//go:build unix

package local

import "syscall"

// ownGroup keeps signals of the terminal from the nodes: whoever started them stops them in order. A detached node also
// leaves the session, so that closing the terminal does not end it.
func ownGroup(detached bool) *syscall.SysProcAttr {
	if detached {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true}
}
