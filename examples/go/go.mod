module programs

go 1.23

require smolwf v0.0.0

replace smolwf => ../../clients/go
