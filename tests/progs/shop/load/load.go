// SPDX-License-Identifier: Apache-2.0

// load: the customers. Places orders at the shop's front door and checks every answer.
//
// An order's number decides its fate, see fate(). For a slow order load itself holds the row lock
// that payment then waits for. With --truth it also writes down which calls each order must have
// caused, and orders goods named like the order, so that the order shows in Redis too.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	_ "github.com/lib/pq"
)

const lockTime = 2500 * time.Millisecond

type order struct {
	ID    string         `json:"id"`
	Fate  string         `json:"fate"`
	MS    float64        `json:"ms"`
	Calls map[string]int `json:"calls"`
	Error string         `json:"error,omitempty"`
	n     int
}

// fate: schema.sql has a payment for every tenth order already, so the new one is refused and the
// order is lost; one in twenty finds its account locked.
func fate(n int) string {
	switch {
	case n%10 == 0:
		return "lost"
	case n%20 == 7:
		return "slow"
	}
	return "ok"
}

// calls: how often each edge of the shop is used by an order.
func calls(fate string) map[string]int {
	c := map[string]int{
		"nginx->frontend": 1, "frontend->order": 1, "order->inventory": 1, "inventory->redis": 1,
		"order->payment": 1, "payment->postgres": 2, "order->mail": 1,
	}
	if fate == "lost" { // the INSERT fails, the UPDATE never comes
		c["payment->postgres"], c["order->mail"] = 1, 0
	}
	return c
}

type load struct {
	front  string
	truth  bool
	db     *sql.DB
	client *http.Client
	done   int64
	failed int64
}

// place sends one order and waits for the customer's answer.
func (l *load) place(ctx context.Context, o *order) error {
	sku := fmt.Sprintf("sku-%02d", o.n%10)
	if l.truth {
		sku = o.ID
	}
	body := fmt.Sprintf(`{"sku":%q,"account":%d,"cents":%d}`, sku, o.n, 100+o.n%900)
	req, err := http.NewRequestWithContext(ctx, "POST", l.front+"/orders?order="+o.ID, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	start := time.Now()
	res, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	o.MS = float64(time.Since(start).Microseconds()) / 1000
	if err != nil {
		return err
	}
	var answer struct{ Order, Status string }
	if res.StatusCode != 200 || json.Unmarshal(text, &answer) != nil || answer.Order != o.ID || answer.Status != "accepted" {
		return fmt.Errorf("status %d, %q", res.StatusCode, text)
	}
	return nil
}

// placeLocked does the same while a transaction holds the customer's account for lockTime.
func (l *load) placeLocked(ctx context.Context, o *order) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var cents int64
	if err := tx.QueryRowContext(ctx, "SELECT cents FROM accounts WHERE id = $1 FOR UPDATE", o.n).Scan(&cents); err != nil {
		return err
	}
	placed := make(chan error, 1)
	go func() { placed <- l.place(ctx, o) }()
	select {
	case err = <-placed:
		if err == nil {
			err = fmt.Errorf("answered after %.0f ms although its account was locked", o.MS)
		}
		return err
	case <-time.After(lockTime):
		tx.Rollback()
		return <-placed
	}
}

// paid counts the payments that this load has caused; those of schema.sql are of 0 cents.
func (l *load) paid(ctx context.Context, first, last int) (n int, err error) {
	err = l.db.QueryRowContext(ctx, "SELECT count(*) FROM payments WHERE account BETWEEN $1 AND $2 AND cents > 0", first, last).Scan(&n)
	return n, err
}

// progress keeps one line on a terminal up to date, and elsewhere adds one every ten seconds.
func (l *load) progress(total int, stop <-chan struct{}) {
	terminal, every := false, 10*time.Second
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" {
		terminal, every = true, 100*time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		line := fmt.Sprintf("shop: %d of %d orders placed", atomic.LoadInt64(&l.done), total)
		select {
		case <-stop:
			if terminal {
				fmt.Fprint(os.Stderr, "\r\x1b[K")
			}
			return
		case <-tick.C:
			if terminal {
				fmt.Fprint(os.Stderr, "\r\x1b[K"+line)
			} else {
				fmt.Fprintln(os.Stderr, line)
			}
		}
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("load: ")
	front := flag.String("front", "", "`URL` of the front door, as http://127.0.0.1:8080")
	pg := flag.String("pg", "", "`DSN` of the shop's PostgreSQL")
	count := flag.Int("orders", 200, "how many orders to place")
	concurrency := flag.Int("concurrency", 8, "how many at a time")
	first := flag.Int("first", 1, "`number` of the first order; a shop takes each number once, up to 100000")
	truth := flag.String("truth", "", "write which calls each order must have caused to `FILE`, as JSON")
	timeout := flag.Duration("timeout", 2*time.Minute, "give up after this time")
	flag.Parse()
	last := *first + *count - 1
	if *front == "" || *pg == "" || flag.NArg() > 0 || *count < 1 || *concurrency < 1 || *first < 1 || last > 100000 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	db, err := sql.Open("postgres", *pg)
	if err != nil {
		log.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: *concurrency}
	l := &load{front: *front, truth: *truth != "", db: db, client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
	if n, err := l.paid(ctx, *first, last); err != nil || n > 0 {
		log.Fatalf("orders %d to %d cannot be placed: %d of them are paid already, error %v", *first, last, n, err)
	}

	orders := make([]*order, *count)
	next := make(chan *order)
	var workers sync.WaitGroup
	for i := 0; i < *concurrency; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for o := range next {
				place := l.place
				if o.Fate == "slow" {
					place = l.placeLocked
				}
				if err := place(ctx, o); err != nil {
					o.Error = err.Error()
					select { // on Ctrl-C the shop stops too, which is not worth a word
					case <-ctx.Done():
					case <-time.After(100 * time.Millisecond):
					}
					if atomic.AddInt64(&l.failed, 1) <= 5 && ctx.Err() == nil {
						log.Printf("order %s (%s): %v", o.ID, o.Fate, err)
					}
				}
				atomic.AddInt64(&l.done, 1)
			}
		}()
	}
	finished, quiet := make(chan struct{}), make(chan struct{})
	go func() { l.progress(*count, finished); close(quiet) }()
	begin := time.Now()
	fates := map[string]int{}
	for i := range orders {
		n := *first + i
		orders[i] = &order{ID: fmt.Sprintf("o-%06d", n), Fate: fate(n), Calls: calls(fate(n)), n: n}
		fates[orders[i].Fate]++
	}
feed:
	for _, o := range orders {
		select {
		case next <- o:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	workers.Wait()
	close(finished)
	<-quiet

	if ctx.Err() != nil {
		log.Fatalf("stopped after %d of %d orders", l.done, *count)
	}
	if n, err := l.paid(ctx, *first, last); err != nil || n != *count-fates["lost"] {
		log.Printf("%d payments are in the books instead of %d, error %v", n, *count-fates["lost"], err)
		l.failed++
	}
	if *truth != "" {
		text, _ := json.MarshalIndent(map[string]interface{}{"orders": orders}, "", " ")
		if err := os.WriteFile(*truth, append(text, '\n'), 0o644); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Fprintf(os.Stderr, "shop: %d orders, %d at a time, in %.1f s: every answer as expected for %d; %d lost inside, %d slow\n",
		*count, *concurrency, time.Since(begin).Seconds(), int64(*count)-l.failed, fates["lost"], fates["slow"])
	if l.failed > 0 {
		os.Exit(1)
	}
}
