package api

import (
	_ "embed"
	"net/http"
	"strings"
	"unicode"
)

//go:embed openapi.json
var openAPIFile string

func (s *Server) openAPI(*request) (*reply, error) {
	return &reply{raw: []byte(openAPIFile), media: mediaJSON}, nil
}

func (s *Server) status(*request) (*reply, error) { return &reply{json: s.cfg.Node.Status()}, nil }

// Peers is the answer of /v1/peers.
type Peers struct {
	Peers []Peer `json:"peers"`
}

func (s *Server) peers(*request) (*reply, error) {
	list := s.cfg.Node.Peers()
	if list == nil {
		list = []Peer{}
	}
	return &reply{json: Peers{Peers: list}}, nil
}

func (s *Server) genesis(*request) (*reply, error) { return &reply{json: s.cfg.Genesis}, nil }

// live says that the process answers. It asks nothing of anybody.
func (s *Server) live(*request) (*reply, error) { return text(http.StatusOK, "alive\n"), nil }

// health says whether everything that the process cannot live without is right: the store, the engine. Peers are not in
// it, or an outage of the network would have every node restarted.
func (s *Server) health(*request) (*reply, error) {
	return healthReply(s.cfg.Node.Checks(), func(c Check) bool { return c.OK || !c.Vital }, true), nil
}

// ready says whether the node should be sent requests.
func (s *Server) ready(r *request) (*reply, error) {
	verbose := r.params.Has("verbose") && r.param("verbose") != "false"
	return healthReply(s.cfg.Node.Checks(), func(c Check) bool { return c.OK }, verbose), nil
}

func healthReply(checks []Check, passes func(Check) bool, verbose bool) *reply {
	status := http.StatusOK
	var lines strings.Builder
	for _, c := range checks {
		mark := "ok  "
		if !passes(c) {
			status = http.StatusServiceUnavailable
			mark = "FAIL"
		}
		if verbose || !passes(c) {
			lines.WriteString(mark + " " + printable(c.Name) + ": " + printable(c.Detail) + "\n")
		}
	}
	if status == http.StatusOK {
		lines.WriteString("ok\n")
	}
	return text(status, lines.String())
}

func text(status int, body string) *reply {
	return &reply{status: status, raw: []byte(body), media: "text/plain; charset=utf-8"}
}

// printable keeps control characters of names out of terminals.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}
