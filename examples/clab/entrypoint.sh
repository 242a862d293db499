#!/bin/sh
# The image's entry point. containerlab plugs the links in, and runs exec, after a container has started, and vbrd does not start without the
# ports and the VTEP that it is told of: it is begun again until they are there, and when it crashes, as a service manager would. A container
# that ends instead loses its links.
until vbrd "$@"; do
	sleep 1
done
