package main

import (
	_ "embed" // the page
	"encoding/base64"
	"html/template"
	"strings"
	"unicode/utf8"

	"github.com/skip2/go-qrcode"

	"waybill/epcis/gs1"
	"waybill/ledger/provenance"
)

//go:embed certificate.html
var certificatePage string

// qrPixels is the size of the picture: a module is some six pixels, which prints well.
const qrPixels = 480

// writePage writes the page for people; "" is none.
func writePage(path string, v certificateView) error {
	if path == "" {
		return nil
	}
	page, err := renderPage(v)
	if err != nil {
		return err
	}
	return writeWhole(path, page)
}

// renderPage makes one page without scripts and without anything from elsewhere, so that it can be kept, printed and mailed.
func renderPage(v certificateView) ([]byte, error) {
	r := v.Report
	picture, err := qrcode.Encode(linkOf(r.Subject, v.SHA256), qrcode.Medium, qrPixels)
	if err != nil {
		// An identifier too long for a code: the hash alone finds the certificate.
		if picture, err = qrcode.Encode("sha256:"+v.SHA256, qrcode.Medium, qrPixels); err != nil {
			return nil, err
		}
	}
	var sources printer
	drawSources(&sources, r)
	story := storyOf(r)
	t, err := template.New("certificate").Funcs(template.FuncMap{
		"clock": clock, "org": orgText, "site": func(id string) string { return placeName(r, id) },
		"step": func(s provenance.Step) string { return stepText(r, s, &r.Events[s.Index]) }, "event": func(s provenance.Step) *provenance.Event { return &r.Events[s.Index] },
		"notice": func(n provenance.Notice) string { return noticeText(&n) }, "details": func(n provenance.Notice) []string { return noticeDetails(r, &n) },
		"safe": show, "capital": capital,
	}).Parse(certificatePage)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	err = t.Execute(&out, map[string]any{
		"View": v, "R": r, "Story": story, "Half": maxStops / 2, "Proven": proven(r), "Unproven": unproven(r), "Warnings": warnings(r), "Marks": marked(r),
		"Recall": recallText(r), "Sources": sources.String(), "Facts": r.Things[0].About,
		"Code": template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(picture)), // of our own making
	})
	return []byte(out.String()), err
}

// capital begins a sentence.
func capital(text string) string {
	_, size := utf8.DecodeRuneInString(text)
	return strings.ToUpper(text[:size]) + text[size:]
}

// linkOf is the item's GS1 Digital Link, which any phone opens, with the hash of the certificate. Other identifiers lead
// where their maker likes: for them it is the hash alone.
func linkOf(id, hash string) string {
	parsed, err := gs1.Parse(id)
	if err != nil || parsed.DigitalLink() == "" {
		return "sha256:" + hash
	}
	link := parsed.DigitalLink()
	separator := "?"
	if strings.Contains(link, "?") {
		separator = "&"
	}
	return link + separator + "certificate=sha256-" + hash
}
