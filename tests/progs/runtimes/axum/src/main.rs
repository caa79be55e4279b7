// SPDX-License-Identifier: Apache-2.0
//! runtimes-axum PORT UPSTREAM WORKERS MODE: axum and reqwest on work-stealing threads.
//!
//! plain    the handler calls over reqwest's pool
//! spawn    it spawns a task for each of two calls, and awaits both
//! sleep    it calls, sleeps for a moment, and calls again

use axum::{extract::Query, extract::State, routing::get, Router};
use serde::Deserialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Plain,
    Spawn,
    Sleep,
}

struct Upstream {
    client: reqwest::Client,
    port: u16,
    mode: Mode,
}

#[derive(Deserialize)]
struct Asked {
    id: String,
}

async fn call(up: Arc<Upstream>, id: Arc<str>) {
    let url = format!("http://127.0.0.1:{}/up?id={id}", up.port);
    let text = up.client.get(url).send().await.expect("upstream").text().await.expect("upstream");
    assert_eq!(text, "ok");
}

async fn answer(State(up): State<Arc<Upstream>>, Query(asked): Query<Asked>) -> &'static str {
    let id: Arc<str> = asked.id.into();
    match up.mode {
        Mode::Plain => call(up, id).await,
        Mode::Spawn => {
            let calls = [tokio::spawn(call(up.clone(), id.clone())), tokio::spawn(call(up, id))];
            for c in calls {
                c.await.unwrap();
            }
        }
        Mode::Sleep => {
            call(up.clone(), id.clone()).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
            call(up, id).await;
        }
    }
    "ok"
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mode = match args[4].as_str() {
        "spawn" => Mode::Spawn,
        "sleep" => Mode::Sleep,
        _ => Mode::Plain,
    };
    let threads = args[3].parse::<usize>().unwrap().min(4);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
    runtime.block_on(async move {
        let up = Arc::new(Upstream { client: reqwest::Client::new(), port: args[2].parse().unwrap(), mode });
        let front = Router::new().route("/a", get(answer)).with_state(up);
        let address = SocketAddr::from(([127, 0, 0, 1], args[1].parse().unwrap()));
        axum::Server::bind(&address).tcp_nodelay(true).serve(front.into_make_service()).await.unwrap();
    });
}
