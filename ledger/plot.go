package ledger

import (
	"encoding/hex"
	"strings"

	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/unit"
)

// Plots of land. Regulation (EU) 2023/1115, Art. 2(28), wants the geolocation of the plot that goods come from: for plots of
// more than four hectares, polygons; points have at least six decimals. A location is a plot if its master data (PutMasterData
// "location") says how large it is. Three attributes are read, by these names or by names that end in them after a slash, a
// number sign or a colon, as in https://gs1.org/voc/polygon:
//
//   - area: a number, a space and a unit of area, for example "5.2 HAR" (UN/ECE Recommendation 20);
//   - polygon: four or more points "latitude,longitude" in degrees, separated by spaces, the last like the first
//     (GeoJSON's ring, RFC 7946, section 3.1.6, but latitude first and no JSON);
//   - polygonDocument: the hash, in 64 hex digits, of a document that was put on record (Anchor), for polygons too
//     long for an attribute.
//
// When goods are commissioned at a plot that lacks what the regulation asks for, the event is flagged (R16). It is never
// refused: whether goods may enter the Union's market is not for a ledger to decide.

// plotLimit is the area above which a polygon is asked for, in hectares.
const plotLimit = 4

// minPlotDecimals is how many decimals the coordinates of a polygon have at least.
const minPlotDecimals = 6

// plotAttribute returns an attribute of master data by the last part of its name.
func plotAttribute(attributes []Attribute, name string) (string, bool) {
	for _, a := range attributes {
		if a.Name[strings.LastIndexAny(a.Name, "/#:")+1:] == name {
			return a.Value, true
		}
	}
	return "", false
}

// notePlot counts the locations that are plots.
func (t *txRun) notePlot(p *PutMasterData, before *MasterData) {
	if p.Type != "location" {
		return
	}
	_, was := plotAttribute(before.Attributes, "area")
	if _, is := plotAttribute(p.Attributes, "area"); is && !was {
		t.countEvidence(func(e *evidenceCount) { e.Plots++ })
	}
}

// checkPlot flags goods that are commissioned at a plot without a proper geolocation.
func (e *eventRun) checkPlot() {
	if e.e.place == "" || e.evidence().Plots == 0 {
		return
	}
	place, ok := get[MasterData](e.o, MasterDataKey("location", e.e.place))
	text, plot := plotAttribute(place.Attributes, "area")
	if !ok || !plot {
		return
	}
	at := "/bizLocation/id"
	if e.e.event.BizLocation == nil {
		at = "/readPoint/id"
	}
	polygon, drawn := plotAttribute(place.Attributes, "polygon")
	if drawn && !validPolygon(polygon) {
		e.mark(finding(CodePlotUnclear, at, place.ID, "polygon"))
		drawn = false
	}
	area, ok := parseArea(text)
	if !ok {
		e.mark(finding(CodePlotUnclear, at, place.ID, "area"))
		return
	}
	if document, named := plotAttribute(place.Attributes, "polygonDocument"); named && !drawn {
		if drawn = e.anchored(document); !drawn {
			e.mark(finding(CodePlotUnclear, at, place.ID, "polygonDocument"))
		}
	}
	limit := epcis.Measure{Amount: epcis.Decimal{Coefficient: plotLimit}, UOM: "HAR"}
	if over, err := area.Cmp(limit); err == nil && over > 0 && !drawn {
		if in, err := area.In("HAR"); err == nil {
			area = in
		}
		e.mark(finding(CodePlotNoPolygon, at, place.ID, area.Amount.String()))
	}
}

// anchored reports whether a document with this hash is on record.
func (e *eventRun) anchored(text string) bool {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != crypto.HashSize {
		return false
	}
	_, ok := get[AnchorRecord](e.o, AnchorKey(crypto.Hash(raw)))
	return ok
}

// parseArea reads "5.2 HAR".
func parseArea(s string) (epcis.Measure, bool) {
	number, uom, ok := strings.Cut(s, " ")
	if !ok || unit.DimensionOf(uom) != unit.Area {
		return epcis.Measure{}, false
	}
	d, err := epcis.ParseDecimal(number)
	if err != nil || d.Sign() < 0 {
		return epcis.Measure{}, false
	}
	return epcis.Measure{Amount: d, UOM: uom}, true
}

// validPolygon reads a closed ring of points.
func validPolygon(s string) bool {
	points := strings.Fields(s)
	if len(points) < 4 || points[0] != points[len(points)-1] {
		return false
	}
	for _, p := range points {
		lat, lon, ok := strings.Cut(p, ",")
		if !ok || !validDegrees(lat, 90) || !validDegrees(lon, 180) {
			return false
		}
	}
	return true
}

// validDegrees accepts a decimal from -limit to limit, written with enough decimals.
func validDegrees(s string, limit int64) bool {
	d, err := epcis.ParseDecimal(s)
	_, decimals, ok := strings.Cut(s, ".")
	most := epcis.Decimal{Coefficient: limit}
	return err == nil && ok && len(decimals) >= minPlotDecimals && !strings.ContainsAny(decimals, "eE") &&
		d.Cmp(most) <= 0 && d.Cmp(most.Neg()) >= 0
}
