package sealed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrDamaged says that bytes are not what was sealed: cut off, altered, or of another kind or a newer version.
var ErrDamaged = errors.New("damaged")

// MaxSize in bytes is the most that an envelope holds.
const MaxSize = 16 << 20

const (
	kindLen   = 4
	headerLen = kindLen + 2 + 4 // kind, version, length of the body
)

// Kind tells files of different content apart.
type Kind [kindLen]byte

// Seal puts an envelope around body: kind, version (big endian, as all numbers), length, body, SHA-256 of all that. The body is at most MaxSize long.
func Seal(kind Kind, version uint16, body []byte) []byte {
	b := make([]byte, 0, headerLen+len(body)+sha256.Size)
	b = append(b, kind[:]...)
	b = binary.BigEndian.AppendUint16(b, version)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	b = append(b, body...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// Open gives the body of an envelope that is whole, of this kind and of a version from 1 to newest, else an error that wraps ErrDamaged. The body shares data's memory.
func Open(kind Kind, newest uint16, data []byte) (version uint16, body []byte, err error) {
	if len(data) < headerLen+sha256.Size {
		return 0, nil, fmt.Errorf("%w: %d bytes are too few", ErrDamaged, len(data))
	}
	if !bytes.Equal(data[:kindLen], kind[:]) {
		return 0, nil, fmt.Errorf("%w: kind %q, want %q", ErrDamaged, data[:kindLen], kind[:])
	}
	end := len(data) - sha256.Size
	if sum := sha256.Sum256(data[:end]); !bytes.Equal(sum[:], data[end:]) {
		return 0, nil, fmt.Errorf("%w: checksum does not match", ErrDamaged)
	}
	version, body = binary.BigEndian.Uint16(data[kindLen:]), data[headerLen:end]
	if int64(binary.BigEndian.Uint32(data[kindLen+2:])) != int64(len(body)) {
		return 0, nil, fmt.Errorf("%w: length does not match", ErrDamaged)
	}
	if version == 0 || version > newest {
		return 0, nil, fmt.Errorf("%w: version %d, this program knows 1 to %d", ErrDamaged, version, newest)
	}
	return version, body, nil
}
