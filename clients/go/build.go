//go:build !cgo

package smolwf

// What the compiler says where cgo is off: all other files are left out then.
var _ = smolwf_needs_cgo__set_CGO_ENABLED_to_1_and_have_a_C_compiler
