package wire

// The well-known communities that keep a route from neighbours (RFC 1997).
const (
	NoExport          uint32 = 0xffffff01
	NoAdvertise       uint32 = 0xffffff02
	NoExportSubconfed uint32 = 0xffffff03
)

// Withheld says why a route with this community is not for a BGP neighbour, of our own AS (internal) or of another; empty if it is. We are in no
// confederation, so that NO_EXPORT_SUBCONFED is NO_EXPORT.
func Withheld(community uint32, internal bool) string {
	switch {
	case community == NoAdvertise:
		return "it has NO_ADVERTISE (RFC 1997): it is for no BGP neighbour"
	case community == NoExport && !internal:
		return "it has NO_EXPORT (RFC 1997): it is for no neighbour of another AS"
	case community == NoExportSubconfed && !internal:
		return "it has NO_EXPORT_SUBCONFED (RFC 1997): it is for no neighbour of another AS"
	}
	return ""
}
