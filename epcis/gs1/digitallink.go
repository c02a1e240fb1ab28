package gs1

import "strings"

// DigitalLink returns the Digital Link URI on https://id.gs1.org with everything that was spelled, so a lot or variant beside a
// serial number too; otherwise it is [ID.Canonical]. Empty for opaque URIs.
func (id ID) DigitalLink() string {
	if id.key == KeyNone || id.key == KeyOpaque {
		return ""
	}
	if id.extra == "" {
		return id.canonical
	}
	end := id.valueStart() + len(id.rawValue())
	return id.canonical[:end] + id.extra + id.canonical[end:]
}

// link is a Digital Link taken apart: its last pairs of path segments, the primary key being the last found.
type link struct {
	pairs [slotCount + 1]pair // qualifiers from right to left, then the primary key
	n     int
}

type pair struct {
	ai  string // as a number, convenience names translated
	at  int    // of the AI in the input
	val value
}

// parseDigitalLink reads an http or https URI.
//
// When is such a URI a Digital Link? The standard allows any host and any path before the key. We walk the path from its end in
// pairs, AI and value, until an AI is a primary key whose value looks like one (see looksLike). Then it is a Digital Link and must be
// a valid one; a walk that meets anything else first makes it an opaque URI. On the hosts of GS1 itself (id.gs1.…) a path whose first
// segment is a primary key must be valid whatever it looks like.
//
// Query and fragment do not identify and are dropped, but a qualifier that the standard wants in the path is refused in the
// query: dropping a serial number would silently turn an item into its class.
func parseDigitalLink(s string) (ID, error) {
	host := strings.Index(s, "://") + len("://")
	path, query := splitAuthority(s, host)
	if path == host {
		return ID{}, fail(ErrSyntax, s, host, "the URI has no host")
	}
	end := query
	if end > path && s[end-1] == '/' {
		end--
	}
	var l link
	pr := l.walk(s, path, end)
	if pr == nil {
		if err := refuseBrokenLink(s, host, path, end); err != nil {
			return ID{}, err
		}
		return opaque(s)
	}
	if err := refuseQualifiersInQuery(s, query, pr); err != nil {
		return ID{}, err
	}
	p := parser{in: s}
	p.begin(pr)
	if err := p.primaryValue(pr, l.pairs[l.n-1].val, true); err != nil {
		return ID{}, err
	}
	if err := p.linkQualifiers(pr, l.pairs[:l.n-1]); err != nil {
		return ID{}, err
	}
	return p.finish(pr, 0)
}

// splitAuthority returns where the path starts and where it ends (at a query, a fragment or the end of s).
func splitAuthority(s string, host int) (path, end int) {
	end = len(s)
	if i := strings.IndexAny(s[host:], "?#"); i >= 0 {
		end = host + i
	}
	if i := strings.IndexByte(s[host:end], '/'); i >= 0 {
		return host + i, end
	}
	return end, end
}

// walk takes pairs from the right end of the path s[path:end] until it meets a primary key, which it returns; nil if s is no
// Digital Link.
func (l *link) walk(s string, path, end int) *primary {
	for end > path {
		valueSlash := strings.LastIndexByte(s[path:end], '/') + path
		if valueSlash <= path {
			return nil
		}
		aiSlash := strings.LastIndexByte(s[path:valueSlash], '/') + path
		name := s[aiSlash+1 : valueSlash]
		v := value{text: s[valueSlash+1 : end], at: valueSlash + 1, esc: escLink}
		ai, alpha := name, false
		if name == "" || name[0]-'0' > 9 {
			ai, alpha = aiByAlpha(name), true
		}
		if ai == "" || len(ai) > 4 {
			return nil
		}
		pr := primaryByAI(ai)
		if pr != nil && pr.looksLike(v.text, alpha) {
			l.pairs[l.n] = pair{ai: ai, at: aiSlash + 1, val: v}
			l.n++
			return pr
		}
		if pr != nil && v.text == "" || aiWidth(ai) != len(ai) || firstNonDigit(ai) >= 0 || l.n == slotCount {
			return nil
		}
		l.pairs[l.n] = pair{ai: ai, at: aiSlash + 1, val: v}
		l.n++
		end = aiSlash
	}
	return nil
}

// looksLike reports whether a path segment after the AI of p claims to be its value, right or wrong: digits in about the right
// number for numeric keys, at least four digits first for the others. The convenience names, which are plain words and out of the
// standard by now, need exactly the right number.
func (p *primary) looksLike(text string, alpha bool) bool {
	if strings.IndexByte(text, '%') >= 0 {
		text = unescape(text)
	}
	lead := firstNonDigit(text)
	if lead < 0 {
		lead = len(text)
	}
	if p.digits == 0 {
		return lead >= MinGCP && len(text) > MinGCP
	}
	short := p.key == KeyGTIN && (len(text) == 8 || len(text) == 12 || len(text) == 13)
	fixed := p.digits + p.pieces
	switch {
	case p.serial != 0:
		return lead >= fixed || !alpha && lead == len(text) && lead >= fixed-2
	case alpha:
		return lead == len(text) && (lead == fixed || short)
	}
	return lead == len(text) && (short || lead >= fixed-2 && lead <= fixed+2)
}

// linkQualifiers puts the pairs after the primary key, given from right to left, into their slots.
func (p *parser) linkQualifiers(pr *primary, pairs []pair) error {
	previous := -1
	for i := len(pairs) - 1; i >= 0; i-- {
		q := pairs[i]
		slot := pr.slotOf(q.ai)
		switch {
		case slot < 0:
			return fail(ErrSyntax, p.in, q.at, "AI %s does not qualify a %s (AI %s); attributes belong in the query", q.ai, pr.key, pr.ai)
		case slot <= previous:
			return fail(ErrSyntax, p.in, q.at, "AI %s must come once and before AI %s", q.ai, pr.aiIn(previous))
		case q.val.text == "":
			return fail(ErrLength, p.in, q.val.at, "the %s is empty", title(q.ai))
		}
		p.qualifiers[slot] = q.val
		previous = slot
	}
	return nil
}

// refuseQualifiersInQuery finds a qualifier of pr in the query that the standard allows in the path only. A lot (AI 10) may be an
// attribute and is ignored like the others.
func refuseQualifiersInQuery(s string, query int, pr *primary) error {
	if query == len(s) || s[query] != '?' {
		return nil
	}
	rest, _, _ := strings.Cut(s[query+1:], "#")
	at := query + 1
	for rest != "" {
		n := strings.IndexAny(rest, "&;")
		if n < 0 {
			n = len(rest)
		}
		name, _, found := strings.Cut(rest[:n], "=")
		if found && name != "10" && pr.slotOf(name) >= 0 {
			return fail(ErrSyntax, s, at, "the %s belongs in the path, not in the query", title(name))
		}
		at += min(n+1, len(rest))
		rest = rest[min(n+1, len(rest)):]
	}
	return nil
}

// refuseBrokenLink finds URIs on a host of GS1 that start as a Digital Link but are none.
func refuseBrokenLink(s string, host, path, end int) error {
	if !hasPrefixFold(s[host:path], "id.gs1.") || path == len(s) {
		return nil
	}
	name, rest, _ := strings.Cut(s[path+1:max(end, path+1)], "/")
	pr := primaryByAI(name)
	if pr == nil {
		return nil
	}
	v := value{text: rest, at: min(path+1+len(name)+1, len(s)), esc: escLink}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		v.text = rest[:i]
	}
	p := parser{in: s}
	if err := p.primaryValue(pr, v, true); err != nil {
		return err
	}
	return fail(ErrSyntax, s, v.at+len(v.text), "after the %s only pairs of AI and value may follow", title(pr.ai))
}
