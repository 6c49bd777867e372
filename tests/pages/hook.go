package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"smolwf.internal/smolwf"
)

type span struct{ name string }

func (s *span) RecordError(err error) { told = append(told, "error of "+s.name) }
func (s *span) End()                  { told = append(told, "end of "+s.name) }

// tracing stands for OpenTelemetry.
type tracing struct{}

type key struct{}

func (tracing) Start(ctx context.Context, name string) (context.Context, *span) {
	opened := &span{name}
	return context.WithValue(ctx, key{}, opened), opened
}

func (tracing) SpanFromContext(ctx context.Context) *span {
	return ctx.Value(key{}).(*span)
}

func withParent(ctx context.Context, _ map[string]any) context.Context { return ctx }

var (
	tracer, trace tracing
	told          []string
)

func main() {
	store, err := smolwf.OpenInMemory(nil)
	if err != nil {
		panic(err)
	}
	greet := func(ctx context.Context, run *smolwf.Attempt) (any, error) {
		return smolwf.Do(ctx, run, "write", func(context.Context) (string, error) { return "hello", nil })
	}
	worker := &smolwf.Worker{Store: store, Workflows: map[string]smolwf.Workflow{"greet": greet}}
	// HERE
	runID, _, _ := store.Submit("greet", nil, nil)
	ctx, end := context.WithTimeout(context.Background(), 20*time.Second)
	go func() {
		store.Wait(ctx, runID)
		end()
	}()
	if err := worker.Run(ctx); err != nil || fmt.Sprint(told) != "[end of write end of greet]" {
		fmt.Println(told, err)
		os.Exit(1)
	}
}
