package api

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"time"
	"unicode"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/vbr/control"
)

// identity is who is at the other end of a connection. It is the connection's gRPC AuthInfo.
type identity struct {
	credentials.CommonAuthInfo
	name string // for people, logs and limits: "uid:1000(alice)", "uri:spiffe://example.net/noc", "cn:noc.example.net"
	from string // "unix pid 4711", "192.0.2.9:40000"

	unix bool // by peer credentials; otherwise by certificate
	uid  uint32
	gids []uint32

	uris     []string
	cn       string
	notAfter time.Time // of the certificate

	caller *control.Caller // nil: nobody that the settings know
	conn   *conn
	peer   *peer
}

// AuthType is as in gRPC's credentials.AuthInfo.
func (id *identity) AuthType() string {
	if id.unix {
		return "unix"
	}
	return "tls"
}

func unixIdentity(uid, gid uint32, pid int32, groups []uint32) *identity {
	name := fmt.Sprintf("uid:%d", uid)
	if u, err := user.LookupId(strconv.Itoa(int(uid))); err == nil {
		name += "(" + printable(u.Username) + ")"
	}
	return &identity{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		unix:           true, name: name, from: fmt.Sprintf("unix pid %d", pid), uid: uid, gids: append([]uint32{gid}, groups...),
	}
}

func certIdentity(cert *x509.Certificate, from string) *identity {
	id := &identity{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		from:           from, cn: cert.Subject.CommonName, notAfter: cert.NotAfter, name: "cn:" + printable(cert.Subject.CommonName),
	}
	for _, u := range cert.URIs {
		id.uris = append(id.uris, u.String())
	}
	if len(id.uris) > 0 {
		id.name = "uri:" + printable(id.uris[0])
	}
	return id
}

var errExpired = errors.New("the certificate expired")

// whileValid ends, with the cause errExpired, when the certificate does: who may no longer ask is no longer answered by a call made before.
func (id *identity) whileValid(ctx context.Context) (context.Context, context.CancelFunc) {
	if id.unix {
		return ctx, func() {}
	}
	return context.WithDeadlineCause(ctx, id.notAfter, errExpired)
}

// expired says that the certificate has.
func (id *identity) expired() error {
	return status.Errorf(codes.Unauthenticated, "the certificate of %s expired at %s", id.name, id.notAfter.UTC().Format(time.RFC3339))
}

// printable keeps a name that others chose from spoiling lines.
func printable(s string) string { return printableUpTo(s, 128) }

// printableUpTo is the same with so many characters at most.
func printableUpTo(s string, longest int) string {
	s = strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), longest)]
}
