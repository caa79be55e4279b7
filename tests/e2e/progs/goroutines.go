// SPDX-License-Identifier: Apache-2.0
// goroutines UPSTREAM: an HTTP server on a port that it prints. GET /call: another goroutine asks 127.0.0.1:UPSTREAM.
// GET /make?N: N goroutines are made, which stay until GET /end.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
)

func main() {
	jobs, gate := make(chan chan error), make(chan bool)
	go func() {
		for done := range jobs {
			r, err := http.Get("http://127.0.0.1:" + os.Args[1] + "/up")
			if err == nil {
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
			}
			done <- err
		}
	}()
	http.HandleFunc("/call", func(w http.ResponseWriter, r *http.Request) {
		done := make(chan error)
		jobs <- done
		if err := <-done; err != nil {
			http.Error(w, err.Error(), 502)
		}
	})
	http.HandleFunc("/make", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.RawQuery)
		for i := 0; i < n; i++ {
			go func() { <-gate }()
		}
	})
	http.HandleFunc("/end", func(w http.ResponseWriter, r *http.Request) {
		close(gate)
		gate = make(chan bool)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(l, nil))
}
