// What the Go programs share: running named checks. A check prints one line, "ok NAME" or "fail NAME: why", which is what
// the runner counts.
package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

const stepLimit = 10 * time.Second

var (
	ctx     = context.Background()
	address = os.Getenv("LARDER_HOST") + ":" + os.Getenv("LARDER_PORT")
	failed  = 0
)

// check runs one named step; a step reports trouble by a panic.
func check(name string, body func()) {
	defer func() {
		if why := recover(); why != nil {
			failed++
			fmt.Printf("fail %s: %v\n", name, why)
			return
		}
		fmt.Printf("ok %s\n", name)
	}()
	body()
}

func equal(seen, expected interface{}) {
	if fmt.Sprintf("%T %v", seen, seen) != fmt.Sprintf("%T %v", expected, expected) {
		panic(fmt.Sprintf("%T %.200v is not %T %.200v", seen, seen, expected, expected))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func waitUntil(condition func() bool, what string) {
	for end := time.Now().Add(stepLimit); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			panic(what + " did not come true")
		}
	}
}

func finish() {
	fmt.Println("end")
	if failed > 0 {
		os.Exit(1)
	}
}
