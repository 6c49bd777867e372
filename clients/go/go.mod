module smolwf

go 1.23
