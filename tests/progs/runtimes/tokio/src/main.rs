// SPDX-License-Identifier: Apache-2.0
//! runtimes-tokio PORT UPSTREAM WORKERS MODE: a task a connection, on work-stealing threads.
//!
//! plain    the task calls over a connection of a pool
//! spawn    it spawns a task for the call, and awaits it
//! actor    it asks the only task that has a connection, over a channel with room for two
//! pool     it asks eight tasks, which take turns at a queue
//! lazy     the same, but whoever finds fewer than four of them starts one; they end when there is nothing to do
//! batch    it asks a task that makes one call for all who have asked by then

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

type Idle = Arc<Mutex<Vec<TcpStream>>>;
type Job = (String, oneshot::Sender<()>);
type Queue = Arc<tokio::sync::Mutex<mpsc::Receiver<Job>>>;

#[derive(Clone)]
struct Upstream {
    idle: Idle,
    port: u16,
    jobs: mpsc::Sender<Job>,
    queue: Queue,
    workers: Arc<AtomicUsize>,
}

/// One message, whose body is what Content-Length says; the id of its query. None: the end.
async fn read(s: &mut TcpStream, ends_with: &str) -> Option<String> {
    let mut buf = Vec::new();
    let mut chunk = [0u8; 4096];
    while !buf.ends_with(ends_with.as_bytes()) {
        match s.read(&mut chunk).await {
            Ok(n) if n > 0 => buf.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
    let text = String::from_utf8_lossy(&buf);
    let id = text.split("id=").nth(1).unwrap_or("").split(' ').next().unwrap_or("");
    Some(id.to_string())
}

async fn call(up: Upstream, id: String) {
    let kept = up.idle.lock().unwrap().pop();
    let mut s = match kept {
        Some(s) => s,
        None => {
            let s = TcpStream::connect(("127.0.0.1", up.port)).await.unwrap();
            s.set_nodelay(true).unwrap();
            s
        }
    };
    let text = format!("GET /up?id={id} HTTP/1.1\r\nHost: up\r\n\r\n");
    s.write_all(text.as_bytes()).await.unwrap();
    read(&mut s, "\r\n\r\nok").await.expect("upstream");
    up.idle.lock().unwrap().push(s);
}

async fn work(up: Upstream) {
    while let Some((id, done)) = { let job = up.queue.lock().await.recv().await; job } {
        call(up.clone(), id).await;
        let _ = done.send(());
    }
}

async fn work_for_a_while(up: Upstream) {
    loop {
        while let Ok((id, done)) = { let job = up.queue.lock().await.try_recv(); job } {
            call(up.clone(), id).await;
            let _ = done.send(());
        }
        up.workers.fetch_sub(1, Ordering::SeqCst);
        // Who asked just before that saw enough workers.
        if up.queue.lock().await.is_empty() || !may_start(&up) {
            return;
        }
    }
}

fn may_start(up: &Upstream) -> bool {
    up.workers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| if n < 4 { Some(n + 1) } else { None }).is_ok()
}

async fn batches(up: Upstream) {
    while let Some(first) = { let job = up.queue.lock().await.recv().await; job } {
        let mut all = vec![first];
        while let Ok(job) = up.queue.lock().await.try_recv() {
            all.push(job);
        }
        let ids: Vec<&str> = all.iter().map(|j| j.0.as_str()).collect();
        let id = if ids.len() > 1 { format!("{}&also={}", ids[0], ids[1..].join(",")) } else { ids[0].to_string() };
        call(up.clone(), id).await;
        for (_, done) in all {
            let _ = done.send(());
        }
    }
}

async fn ask(up: &Upstream, id: String) {
    let (done, told) = oneshot::channel();
    up.jobs.send((id, done)).await.unwrap();
    told.await.unwrap();
}

async fn answer(up: &Upstream, mode: &str, id: String) {
    match mode {
        "spawn" => tokio::spawn(call(up.clone(), id)).await.unwrap(),
        "actor" | "pool" | "batch" => ask(up, id).await,
        "lazy" => {
            let (done, told) = oneshot::channel();
            up.jobs.send((id, done)).await.unwrap();
            if may_start(up) {
                tokio::spawn(work_for_a_while(up.clone()));
            }
            told.await.unwrap();
        }
        _ => call(up.clone(), id).await,
    }
}

async fn serve(mut s: TcpStream, up: Upstream, mode: String) {
    while let Some(id) = read(&mut s, "\r\n\r\n").await {
        answer(&up, &mode, id).await;
        s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (port, upstream): (u16, u16) = (args[1].parse().unwrap(), args[2].parse().unwrap());
    let mode = args[4].clone();
    let threads = args[3].parse::<usize>().unwrap().min(4);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_io().build().unwrap();
    runtime.block_on(async move {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let (jobs, queue) = mpsc::channel(if mode == "actor" { 2 } else { 1024 });
        let up = Upstream {
            idle: Idle::default(),
            port: upstream,
            jobs,
            queue: Arc::new(tokio::sync::Mutex::new(queue)),
            workers: Arc::default(),
        };
        match mode.as_str() {
            "actor" => drop(tokio::spawn(work(up.clone()))),
            "pool" => (0..8).for_each(|_| drop(tokio::spawn(work(up.clone())))),
            "batch" => drop(tokio::spawn(batches(up.clone()))),
            _ => {}
        }
        loop {
            let (s, _) = listener.accept().await.unwrap();
            s.set_nodelay(true).unwrap();
            tokio::spawn(serve(s, up.clone(), mode.clone()));
        }
    });
}
