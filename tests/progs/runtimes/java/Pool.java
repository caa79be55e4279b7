// SPDX-License-Identifier: Apache-2.0
// Pool PORT UPSTREAM WORKERS MODE: a server whose requests call /up, in the ways that Java does:
//
// thread    the thread that serves calls
// submit    two calls in a pool, and get()
// client    java.net.http's HttpClient, which sends and reads on threads of its own; send() waits
// future    CompletableFuture: supplyAsync in a pool calls, thenApply makes text of it, the last stage answers
// hop       the same, each stage by itself in the pool (thenApplyAsync)
// join      CompletableFuture: two calls at once in a pool, allOf(..).join()
// forkjoin  two calls as tasks of the common pool, joined
// mixed     the pool makes one call, or two, or none, by the request's number; and get()
// lock      each request's thread waits for a lock that a task of another request's holds while it calls
// consumer  tasks of the pool that never end take the requests from a queue of the program's own, and answer
// virtual   a virtual thread serves, and calls (JDK 21)
// virtual-submit  two calls in a virtual thread of their own, and get()

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinTask;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.locks.ReentrantLock;

import static java.nio.charset.StandardCharsets.US_ASCII;

public class Pool {
    static int upstream;
    static ExecutorService pool;
    static HttpClient client;
    static int workers;
    static final ConcurrentLinkedQueue<Socket> idle = new ConcurrentLinkedQueue<>();
    static final LinkedBlockingQueue<Runnable> queue = new LinkedBlockingQueue<>();
    static final ReentrantLock lock = new ReentrantLock();

    interface Mode {
        void serve(HttpExchange exchange, String id) throws Exception;
    }

    static Mode mode(String name) {
        switch (name) {
        case "thread":
            return (x, id) -> answer(x, call(id) + call(id));
        case "submit":
            return (x, id) -> answer(x, pool.submit(() -> call(id) + call(id)).get());
        case "mixed":
            return (x, id) -> answer(x, pool.submit(() -> {
                String text = "-";
                for (int i = id.charAt(id.length() - 1) % 3; i > 0; i--)
                    text += call(id);
                return text;
            }).get());
        case "lock":
            return (x, id) -> {
                Future<String> text = pool.submit(() -> {
                    lock.lock();
                    try {
                        return call(id);
                    } finally {
                        lock.unlock();
                    }
                });
                lock.lock();
                lock.unlock();
                answer(x, text.get());
            };
        case "consumer":
            for (int i = 0; i < workers; i++)
                pool.execute(Pool::consume);
            return (x, id) -> queue.add(() -> answer(x, call(id)));
        case "virtual":
            return (x, id) -> answer(x, call(id) + call(id));
        case "virtual-submit":
            ExecutorService threads = virtualThreads();
            return (x, id) -> answer(x, threads.submit(() -> call(id) + call(id)).get());
        case "client":
            return (x, id) -> answer(x, client.send(HttpRequest.newBuilder(
                URI.create("http://127.0.0.1:" + upstream + "/up?id=" + id)).build(),
                HttpResponse.BodyHandlers.ofString()).body());
        case "future":
            return (x, id) -> CompletableFuture.supplyAsync(() -> call(id), pool)
                .thenApply(text -> text + "!").thenAccept(text -> answer(x, text));
        case "hop":
            return (x, id) -> CompletableFuture.supplyAsync(() -> call(id), pool)
                .thenApplyAsync(text -> text + "!", pool).thenAcceptAsync(text -> answer(x, text), pool);
        case "join":
            return (x, id) -> {
                CompletableFuture<String> a = CompletableFuture.supplyAsync(() -> call(id), pool);
                CompletableFuture<String> b = CompletableFuture.supplyAsync(() -> call(id), pool);
                CompletableFuture.allOf(a, b).join();
                answer(x, a.join() + b.join());
            };
        case "forkjoin":
            return (x, id) -> {
                ForkJoinTask<String> a = ForkJoinTask.adapt(() -> call(id)).fork();
                ForkJoinTask<String> b = ForkJoinTask.adapt(() -> call(id)).fork();
                answer(x, a.join() + b.join());
            };
        }
        throw new IllegalArgumentException("no mode " + name);
    }

    static void consume() {
        try {
            for (;;)
                queue.take().run();
        } catch (InterruptedException e) {
            throw new RuntimeException(e);
        }
    }

    // Executors.newVirtualThreadPerTaskExecutor(), which an older compiler does not know.
    static ExecutorService virtualThreads() {
        try {
            return (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("no virtual threads in Java " + System.getProperty("java.version"), e);
        }
    }

    static String call(String id) {
        try {
            Socket s = idle.poll();
            if (s == null) {
                s = new Socket(InetAddress.getLoopbackAddress(), upstream);
                s.setTcpNoDelay(true);
            }
            s.getOutputStream().write(("GET /up?id=" + id + " HTTP/1.1\r\nHost: up\r\n\r\n").getBytes(US_ASCII));
            byte[] reply = new byte[4096];
            int n = 0;
            InputStream in = s.getInputStream();
            while (n < 4 || !new String(reply, 0, n, US_ASCII).endsWith("\r\n\r\nok")) {
                int more = in.read(reply, n, reply.length - n);
                if (more < 0)
                    throw new IOException("upstream has closed");
                n += more;
            }
            idle.add(s);
            return "ok";
        } catch (IOException e) {
            throw new RuntimeException(e);
        }
    }

    static void answer(HttpExchange x, String text) {
        try {
            byte[] body = text.getBytes(US_ASCII);
            x.sendResponseHeaders(200, body.length);
            x.getResponseBody().write(body);
            x.close();
        } catch (IOException e) {
            throw new RuntimeException(e);
        }
    }

    public static void main(String[] args) throws IOException {
        upstream = Integer.parseInt(args[1]);
        workers = Integer.parseInt(args[2]);
        pool = Executors.newFixedThreadPool(workers);
        client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        Mode mode = mode(args[3]);
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[0])), 256);
        server.createContext("/a", x -> {
            try {
                mode.serve(x, x.getRequestURI().getQuery().substring(3));
            } catch (Exception e) {
                throw new IOException(e);
            }
        });
        server.setExecutor(args[3].startsWith("virtual") ? virtualThreads() : Executors.newFixedThreadPool(64));
        server.start();
    }
}
