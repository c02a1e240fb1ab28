package signer

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// checkPeer makes sure that the process at the other end of a unix socket belongs to our user, or to root.
func checkPeer(c net.Conn) error {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return refuse(ErrRefused, "this is no unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return fmt.Errorf("looking at a connection: %w", err)
	}
	var who *syscall.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) {
		who, asked = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return fmt.Errorf("looking at a connection: %w", err)
	}
	if asked != nil {
		return fmt.Errorf("asking who is at the other end: %w", asked)
	}
	if who.Uid != 0 && int(who.Uid) != os.Getuid() {
		return refuse(ErrRefused, "user %d may not ask", who.Uid)
	}
	return nil
}
