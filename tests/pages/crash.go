package main

import (
	"context"
	"fmt"
	"regexp"
	"testing"
	"time"

	"smolwf.internal/smolwf"
	"smolwf.internal/smolwf/smolwftest"
)

// HERE

func main() {
	testing.Main(regexp.MatchString, []testing.InternalTest{{Name: "TestOrder", F: TestOrder}}, nil, nil)
}
