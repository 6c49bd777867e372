module smolwf.internal/smolwf

go 1.23
