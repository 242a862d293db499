#!/bin/sh
# Builds the Debian package into a folder: build.sh FOLDER [VERSION]. Of one commit it is the same to the byte, whenever, wherever and as
# often as it is built with the same Go. VERSION (default: the tag, or the commit's time and hash) is the package's and the binaries'.
# From the environment: NFPM and SBOM (make deb has them), modules with versions as `go run` takes them.
set -eu

out=$1
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
commit=$(git rev-parse HEAD)
[ -z "$(git status --porcelain --untracked-files=no)" ] || commit=$commit-dirty
DEB_VERSION=${2-}
if [ -z "$DEB_VERSION" ]; then
	if tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null); then
		DEB_VERSION=${tag#v}
	else
		DEB_VERSION=0.0.0+git$(TZ=UTC git log -1 --date=format-local:%Y%m%d%H%M%S --format=%cd).$(git rev-parse --short=12 HEAD)
	fi
fi
DEB_ARCH=$(go env GOARCH)
STAGE=$out/stage
export SOURCE_DATE_EPOCH DEB_VERSION DEB_ARCH STAGE

rm -rf "$STAGE"
mkdir -p "$STAGE/bin" "$STAGE/man1" "$STAGE/man5" "$STAGE/man8" "$STAGE/sbom"
CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$DEB_VERSION -X main.commit=$commit" -o "$STAGE/bin/" ./cmd/vbrd ./cmd/vbrctl
go run -tags man ./cmd/vbrctl man "$STAGE/man1"
go run ./internal/pack "$STAGE/man8"
mv "$STAGE/man8/vbrd.yaml.5" "$STAGE/man5/"
gzip -9n "$STAGE"/man?/*
for shell in bash zsh fish; do
	"$STAGE/bin/vbrctl" completion $shell >"$STAGE/completion.$shell"
done
for binary in vbrd vbrctl; do # the tool writes its own hash into it: so that must not depend on where it was built
	CGO_ENABLED=0 go run -trimpath "$SBOM" bin -json -std -noserial -notimestamp -version "v$DEB_VERSION" -output "$STAGE/sbom/$binary.cdx.json" "$STAGE/bin/$binary"
done
find "$STAGE" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
go run "$NFPM" package --config internal/pack/nfpm.yaml --packager deb --target "$out/openvbr_${DEB_VERSION}_$DEB_ARCH.deb"
