// SPDX-License-Identifier: Apache-2.0
// front PORT UPSTREAM WORKERS MODE: answers /?id=ID after calling /up?id=ID upstream (a port), in the way that MODE says.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

var upstream string
var workers int
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}

func call(c *http.Client, id string) {
	r, err := c.Get("http://" + upstream + "/up?id=" + id)
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, r.Body)
	r.Body.Close()
}

func parallel(n int, f func()) {
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() { defer wg.Done(); f() }()
	}
	wg.Wait()
}

type job struct {
	id   string
	done chan bool
}

func jobOf(id string) job { return job{id, make(chan bool, 1)} }

func (j job) serve() {
	call(client, j.id)
	j.done <- true
}

// pool returns a handler whose calls are made by workers, which take jobs from a channel of this capacity.
func pool(capacity int) func(string) {
	jobs := make(chan job, capacity)
	for i := 0; i < workers; i++ {
		go func() {
			for j := range jobs {
				j.serve()
			}
		}()
	}
	return through(jobs)
}

// signal: the channel says only that there is work; the work is in a list.
func signal() func(string) {
	var mu sync.Mutex
	var list []job
	wake := make(chan struct{}, 1)
	for i := 0; i < workers; i++ {
		go func() {
			for range wake {
				for {
					mu.Lock()
					if len(list) == 0 {
						mu.Unlock()
						break
					}
					j := list[0]
					list = list[1:]
					mu.Unlock()
					j.serve()
				}
			}
		}()
	}
	return func(id string) {
		j := jobOf(id)
		mu.Lock()
		list = append(list, j)
		mu.Unlock()
		select {
		case wake <- struct{}{}:
		default:
		}
		<-j.done
	}
}

// cond: the first request starts the workers, which wait for work on a condition.
func cond() func(string) {
	var mu sync.Mutex
	var list []job
	var once sync.Once
	c := sync.NewCond(&mu)
	worker := func() {
		for {
			mu.Lock()
			for len(list) == 0 {
				c.Wait()
			}
			j := list[0]
			list = list[1:]
			mu.Unlock()
			j.serve()
		}
	}
	return func(id string) {
		once.Do(func() {
			for i := 0; i < workers; i++ {
				go worker()
			}
		})
		j := jobOf(id)
		mu.Lock()
		list = append(list, j)
		mu.Unlock()
		c.Signal()
		<-j.done
	}
}

// batch hands work up to four jobs at a time.
func batch(work func([]job)) func(string) {
	jobs := make(chan job)
	go func() {
		for {
			all := []job{<-jobs}
			late := time.After(2 * time.Millisecond)
		more:
			for len(all) < 4 {
				select {
				case j := <-jobs:
					all = append(all, j)
				case <-late:
					break more
				}
			}
			work(all)
		}
	}()
	return through(jobs)
}

// through: who gives a job to that channel, and waits until it is done.
func through(jobs chan job) func(string) {
	return func(id string) {
		j := jobOf(id)
		jobs <- j
		<-j.done
	}
}

// ahead: takes the next job, if there is one soon, before it does the one before.
func ahead() func(string) {
	jobs := make(chan job)
	go func() {
		for {
			for j, more := <-jobs, true; more; {
				next := job{}
				select {
				case next = <-jobs:
				case <-time.After(5 * time.Millisecond):
					more = false
				}
				call(client, j.id)
				complete(j)
				j = next
			}
		}
	}()
	return through(jobs)
}

func complete(all ...job) {
	for _, j := range all {
		j.done <- true
	}
}

// together: one call for all of them.
func together(all []job) {
	ids := all[0].id + "&also="
	for _, j := range all[1:] {
		ids += "," + j.id
	}
	call(client, ids)
	complete(all...)
}

// apart: a call of its own for every other one; completed each at once, or all at the end.
func apart(each bool) func([]job) {
	return func(all []job) {
		for _, j := range all {
			if rand.Intn(2) == 0 {
				call(client, j.id)
			}
			if each {
				complete(j)
			}
		}
		if !each {
			complete(all...)
		}
	}
}

func timer(id string) {
	done := make(chan bool)
	time.AfterFunc(time.Millisecond, func() { call(client, id); done <- true })
	<-done
}

// debounce: the first of some requests sets a timer, which makes one call for all that have come by then.
func debounce() func(string) {
	var mu sync.Mutex
	var list []job
	flush := func() {
		mu.Lock()
		all := list
		list = nil
		mu.Unlock()
		together(all)
	}
	return func(id string) {
		j := jobOf(id)
		mu.Lock()
		list = append(list, j)
		if len(list) == 1 {
			time.AfterFunc(time.Millisecond, flush)
		}
		mu.Unlock()
		<-j.done
	}
}

func sleeps(id string) {
	select {
	case <-time.After(time.Duration(rand.Intn(2000)) * time.Microsecond):
	case <-context.Background().Done():
	}
	call(client, id)
	time.Sleep(time.Millisecond)
	call(client, id)
}

// cron: a goroutine that serves nobody calls by the clock, for b-000001 ..., on the connections of all.
func cron() func(string) {
	go func() {
		for n := 1; ; n++ {
			time.Sleep(500 * time.Microsecond)
			call(client, fmt.Sprintf("b-%06d", n))
		}
	}()
	return func(id string) { call(client, id) }
}

// own: without net/http, each connection's goroutine reads, calls and answers, and hands nothing to anybody.
func own(port string) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serveOwn(conn)
	}
}

func serveOwn(conn net.Conn) {
	up, err := net.Dial("tcp", upstream)
	if err != nil {
		log.Fatal(err)
	}
	defer up.Close()
	in, reply := bufio.NewReader(conn), bufio.NewReader(up)
	for {
		line, err := in.ReadString('\n')
		for text := line; err == nil && text != "\r\n"; {
			text, err = in.ReadString('\n')
		}
		if err != nil {
			return
		}
		target := strings.Fields(line)[1]
		for range [2]int{} {
			fmt.Fprintf(up, "GET /up%s HTTP/1.1\r\nHost: up\r\n\r\n", target[strings.IndexByte(target, '?'):])
			r, err := http.ReadResponse(reply, nil)
			if err != nil {
				log.Fatal(err)
			}
			io.Copy(io.Discard, r.Body)
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}
}

func database() func(string) {
	sql.Register("up", upDriver{})
	db, err := sql.Open("up", "")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(workers)
	db.SetMaxIdleConns(workers)
	return func(id string) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if _, err := db.ExecContext(ctx, id); err != nil {
			log.Fatal(err)
		}
	}
}

type line struct {
	Id, Name string
	Price    float64
	Tags     []string
}

// document is 5 KiB of JSON, made anew for each request.
func document(id string) []byte {
	all := make([]line, 56)
	for i := range all {
		all[i] = line{id, "article " + strconv.Itoa(i), float64(i) * 1.25, []string{"in stock", "new", "a longer one"}}
	}
	text, err := json.Marshal(all)
	if err != nil {
		log.Fatal(err)
	}
	return text
}

func handler(mode string) func(string) {
	switch mode {
	case "plain", "json": // json: and answers with a document
		return func(id string) { call(client, id) }
	case "fresh": // http.Transport as it is: two idle connections, most calls dial
		plain := &http.Client{Transport: &http.Transport{}}
		return func(id string) { call(plain, id) }
	case "empty", "limit": // the reply has no body, so its connection goes to who waits for one before the reply is handed on
		few := &http.Client{Transport: &http.Transport{}}
		if mode == "limit" {
			few.Transport.(*http.Transport).MaxConnsPerHost = workers
		}
		return func(id string) { call(few, id+".empty") }
	case "sequence":
		return func(id string) { call(client, id); call(client, id); call(client, id) }
	case "parallel":
		return func(id string) { parallel(3, func() { call(client, id) }) }
	case "nested":
		return func(id string) { parallel(2, func() { parallel(2, func() { call(client, id) }); call(client, id) }) }
	case "pool":
		return pool(0)
	case "queue":
		return pool(64)
	case "signal":
		return signal()
	case "cond":
		return cond()
	case "batch":
		return batch(together)
	case "prefetch", "prefetch-late":
		return batch(apart(mode == "prefetch"))
	case "ahead":
		return ahead()
	case "timer":
		return timer
	case "debounce":
		return debounce()
	case "sleeps":
		return sleeps
	case "cron":
		return cron()
	case "sql", "json-sql":
		return database()
	}
	log.Fatalf("mode %q?", mode)
	return nil
}

func main() {
	if len(os.Args) != 5 {
		log.Fatal("front PORT UPSTREAM WORKERS MODE")
	}
	upstream = "127.0.0.1:" + os.Args[2]
	workers, _ = strconv.Atoi(os.Args[3])
	if os.Args[4] == "own" {
		own(os.Args[1])
	}
	work := handler(os.Args[4])
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("id")
		work(id)
		if !strings.HasPrefix(os.Args[4], "json") {
			io.WriteString(w, "ok")
			return
		}
		text := document(id)
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		w.Write(text)
	})))
}
