// SPDX-License-Identifier: Apache-2.0

// front PORT UPSTREAM WORKERS MODE: net/http with OpenTelemetry's otelhttp at both sides.
//
//	two       two calls, one after the other
//	parallel  two at a time, a goroutine each
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"
)

var client = http.Client{Transport: otelhttp.NewTransport(&http.Transport{MaxIdleConnsPerHost: 512})}

func call(ctx context.Context, upstream, id string, n int) {
	request, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://127.0.0.1:%s/up?id=%s&n=%d", upstream, id, n), nil)
	if err != nil {
		log.Fatal(err)
	}
	reply, err := client.Do(request)
	if err != nil {
		log.Print(err)
		return
	}
	io.Copy(io.Discard, reply.Body)
	reply.Body.Close()
}

func main() {
	port, upstream, mode := os.Args[1], os.Args[2], os.Args[4]
	exporter, err := otlptracehttp.New(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter, trace.WithMaxQueueSize(1<<16)))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})

	handler := func(w http.ResponseWriter, r *http.Request) {
		var all sync.WaitGroup

		// otelhttp leaves the query out.
		api.SpanFromContext(r.Context()).SetAttributes(attribute.String("url.query", r.URL.RawQuery))
		for n := 1; n <= 2; n++ {
			if mode == "parallel" {
				all.Go(func() { call(r.Context(), upstream, r.URL.Query().Get("id"), n) })
			} else {
				call(r.Context(), upstream, r.URL.Query().Get("id"), n)
			}
		}
		all.Wait()
		io.WriteString(w, "ok")
	}
	server := &http.Server{Addr: "127.0.0.1:" + port, Handler: otelhttp.NewHandler(http.HandlerFunc(handler), "a")}
	go func() { log.Print(server.ListenAndServe()) }()

	// What is in the batch yet goes out before the end.
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
	provider.Shutdown(context.Background())
}
