// Package fibtest has a kernel made of memory, for tests of package fib and of what stands on it, without root.
//
// It sits below fib's message encoder: it reads the rtnetlink messages that fib writes and answers in kind, so the code under
// test is all that is shipped but the socket. It knows links, nexthop objects and groups, routes in tables, strict dumps and
// notifications, and follows Linux 6.18 in what it refuses and with which errno, as far as fib can meet it. It forwards no
// packets and knows no neighbours. Tests plant foreign routes in it, take devices down, refuse messages and lose acknowledgements, and
// read what it holds as lines like those of "ip route".
package fibtest
