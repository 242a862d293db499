#!/bin/sh
# buf on our .proto files. The first run compiles buf itself, which takes minutes; needs the Go tool chain only.
#
#   proto/buf.sh generate   write the Go code beside the .proto files, and docs/api.md
#   proto/buf.sh check      lint, compare with proto/baseline.binpb for breaking changes, and see that the
#                           committed Go code is what generate would write
#   proto/buf.sh baseline   make the present API the one that later changes are compared with (at a release)
set -eu
cd "$(dirname "$0")/.."
root=$PWD
buf=github.com/bufbuild/buf/cmd/buf@v1.57.0
protovalidate=github.com/bufbuild/protovalidate@v1.2.2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/proto" "$work/protovalidate"
cp -R proto/vbr "$work/proto/"
cp proto/buf.yaml "$work/"
cp -R "$(go mod download -json "$protovalidate" | sed -n 's/.*"Dir": "\(.*\)",/\1/p')/proto/protovalidate/." "$work/protovalidate/"
chmod -R u+w "$work"
find "$work/proto" -name '*.go' -delete

generate() { # into folder $1
	go run "$buf" generate "$work" --template "$root/proto/buf.gen.yaml" --path "$work/proto/vbr" -o "$1"
	# The types of others are explained elsewhere.
	sed -i -E 's|\(#google-protobuf-([A-Za-z]+)\)|(https://protobuf.dev/reference/protobuf/google.protobuf/#\L\1)|g' "$1/docs/api.md"
}

case ${1:-} in
generate)
	generate "$root"
	;;
check)
	go run "$buf" lint "$work"
	go run "$buf" build "$work" -o "$work/now.binpb"
	go run "$buf" breaking "$work/now.binpb" --against "$root/proto/baseline.binpb"
	mkdir -p "$work/out/docs"
	generate "$work/out"
	for f in proto/vbr/v1/*.pb.go docs/api.md; do
		cmp "$f" "$work/out/$f" || { echo "$f is not what its .proto says: run make proto"; exit 1; }
	done
	;;
baseline)
	go run "$buf" build "$work" --exclude-source-info -o "$root/proto/baseline.binpb"
	;;
*)
	sed -n '2,8p' "$0"
	exit 2
	;;
esac
