// Command vbrd is the daemon of an edge host: it runs the host's virtual border
// routers as its settings and resources say, until it is told to stop.
//
// SIGTERM and SIGINT stop the process and nothing else: devices and routes stay, BGP
// sessions end without a word so that graceful restart carries them, and the next vbrd adopts
// all that. `vbrd --cleanup` removes it. SIGHUP reads the resources again; with any error what was read before stays.
// Settings are read at the start only, but for the certificates of the API.
//
// Exit status: 0 done, 1 failed (the API's socket or port cannot be had: nothing was touched), 2 settings or resources are
// wrong (nothing was touched), 3 another vbrd serves this network namespace.
package main
