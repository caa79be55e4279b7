// SPDX-License-Identifier: Apache-2.0
// inventory: takes one piece of the goods out of the stock, which is a counter in Redis.
// A thread per request; a count below zero is a back order.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import static java.nio.charset.StandardCharsets.UTF_8;

public class Inventory {
    static final Pattern SKU = Pattern.compile("\"sku\"\\s*:\\s*\"([\\w-]+)\"");
    static final String REDIS_HOST = System.getenv().getOrDefault("REDIS_HOST", "127.0.0.1");
    static final int REDIS_PORT = Integer.parseInt(System.getenv("REDIS_PORT"));
    static final ConcurrentLinkedQueue<Redis> idle = new ConcurrentLinkedQueue<>();

    public static void main(String[] args) throws IOException {
        int port = Integer.parseInt(System.getenv("PORT"));
        String listen = System.getenv().getOrDefault("LISTEN", "127.0.0.1");
        HttpServer server = HttpServer.create(new InetSocketAddress(listen, port), 128);
        server.createContext("/reserve", Inventory::reserve);
        server.setExecutor(request -> new Thread(request).start());
        server.start();
    }

    static void reserve(HttpExchange exchange) throws IOException {
        Matcher sku = SKU.matcher(new String(exchange.getRequestBody().readAllBytes(), UTF_8));
        if (!sku.find()) {
            answer(exchange, 400, "{\"error\":\"no sku\"}");
            return;
        }
        try {
            Redis redis = idle.poll();
            if (redis == null)
                redis = new Redis(REDIS_HOST, REDIS_PORT);
            long left = redis.number("DECR", "stock:" + sku.group(1));
            idle.add(redis);
            answer(exchange, 200, "{\"left\":" + left + "}");
        } catch (IOException e) {
            System.err.println(e);
            answer(exchange, 500, "{\"error\":\"stock not available\"}");
        }
    }

    static void answer(HttpExchange exchange, int status, String text) throws IOException {
        byte[] body = text.getBytes(UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    /** One connection to Redis; as much of its protocol as a counter needs. */
    static class Redis {
        final Socket socket;
        final InputStream in;

        Redis(String host, int port) throws IOException {
            socket = new Socket(host, port);
            socket.setTcpNoDelay(true);
            in = new BufferedInputStream(socket.getInputStream());
        }

        long number(String... command) throws IOException {
            StringBuilder out = new StringBuilder("*" + command.length + "\r\n");
            for (String word : command)
                out.append("$" + word.getBytes(UTF_8).length + "\r\n" + word + "\r\n");
            socket.getOutputStream().write(out.toString().getBytes(UTF_8));
            String line = line();
            if (!line.startsWith(":"))
                throw new IOException("redis: " + line);
            return Long.parseLong(line.substring(1));
        }

        String line() throws IOException {
            StringBuilder line = new StringBuilder();
            for (int c = in.read(); c != '\r'; c = in.read()) {
                if (c < 0)
                    throw new IOException("redis: connection closed");
                line.append((char) c);
            }
            in.read(); // the '\n'
            return line.toString();
        }
    }
}
