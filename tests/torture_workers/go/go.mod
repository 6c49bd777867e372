module torture

go 1.23

require smolwf.internal/smolwf v0.0.0

replace smolwf.internal/smolwf => ../../../clients/go
