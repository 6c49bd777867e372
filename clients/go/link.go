package smolwf

// The library is the one that pkg-config knows, built or installed from the sources. A packaged module
// brings it: there a file for each platform stands in place of this one (scripts/packages/go.sh).

// #cgo pkg-config: smolwf
import "C"
