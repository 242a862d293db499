// Command vmexec runs a command where the kernel has VRF and VLAN devices.
//
// Where the host's kernel has them, the command runs natively, as the only
// job of fresh network, mount and process namespaces. Where it has not,
// vmexec boots Debian's user-mode-linux kernel with the host's root as a
// copy-on-write disk and runs the command in there: it sees the host's files,
// writes nothing to them, and has a network of its own. It needs no
// virtualisation. Started by root it raises the host's vm.max_map_count, without
// which a process in there cannot have more than 256 MiB.
//
//	go build -o bin/vmexec ./internal/lab/vmexec
//	go test -exec "$PWD/bin/vmexec" ./internal/lab/...
//	bin/vmexec -- ip link add v type vrf table 10
//	bin/vmexec -it -- bash
//
// The command's output is streamed, its exit status is vmexec's own (128+n
// when signal n ended it; 125 when vmexec itself failed). SIGINT, SIGTERM and
// SIGQUIT are passed on; a second one, the deadline, or the death of vmexec's
// parent ends the whole machine. Profiles, coverage and the test log that `go
// test` asks for reach the host, as does what is written below a folder named
// by -rw; everything else written is gone afterwards.
//
// The command finds VBR_REQUIRE_VRF=1 and VBR_INSIDE (uml or native) in its
// environment, which otherwise holds only the host's VBR_*, GO*, LANG, PATH,
// HOME, TERM and what -env adds.
//
// It is not a container runtime and no sandbox: inside, the command may read
// all that its user may read.
package main
