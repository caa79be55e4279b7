// SPDX-License-Identifier: Apache-2.0
// Loops PORT UPSTREAM WORKERS MODE: a server on Netty's event loops, each of whose requests calls /up once:
//
// nio      NioEventLoopGroup (epoll by Java's selector); the call goes out on the loop that serves
// epoll    EpollEventLoopGroup (Netty's own native transport); the same
// apart    as nio, but calls have a group of their own: they go from loop to loop by queues of tasks
// offload  as nio, but the handler runs in a DefaultEventExecutorGroup, which has no sockets

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.util.concurrent.DefaultEventExecutorGroup;
import io.netty.util.concurrent.EventExecutorGroup;
import java.net.InetAddress;
import java.util.ArrayDeque;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

import static java.nio.charset.StandardCharsets.US_ASCII;

public class Loops {
    static int upstream;
    static boolean epoll;
    static EventLoopGroup calls; // null: the loop that serves
    static EventExecutorGroup offload; // null: handlers run on the loop
    static final Map<EventLoop, ArrayDeque<Call>> idle = new ConcurrentHashMap<>();

    /** A connection to /up: one call at a time. Only its loop's thread touches it. */
    static class Call extends SimpleChannelInboundHandler<FullHttpResponse> {
        Channel channel;
        Consumer<String> done;

        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpResponse response) {
            String text = response.content().toString(US_ASCII);
            Consumer<String> then = done;

            done = null;
            idle.get(channel.eventLoop()).push(this);
            then.accept(text);
        }

        void send(String id, Consumer<String> then) {
            DefaultFullHttpRequest request = new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.GET, "/up?id=" + id);

            done = then;
            request.headers().set("Host", "up");
            channel.writeAndFlush(request);
        }
    }

    static void call(EventLoop loop, String id, Consumer<String> then) {
        Call free = idle.computeIfAbsent(loop, l -> new ArrayDeque<>()).poll();

        if (free != null) {
            free.send(id, then);
            return;
        }
        Call fresh = new Call();
        new Bootstrap().group(loop).channel(epoll ? EpollSocketChannel.class : NioSocketChannel.class)
            .option(ChannelOption.TCP_NODELAY, true)
            .handler(new ChannelInitializer<Channel>() {
                @Override
                protected void initChannel(Channel channel) {
                    channel.pipeline().addLast(new HttpClientCodec(), new HttpObjectAggregator(65536), fresh);
                }
            })
            .connect(InetAddress.getLoopbackAddress(), upstream)
            .addListener((ChannelFuture connected) -> {
                fresh.channel = connected.channel();
                fresh.send(id, then);
            });
    }

    static class Serve extends SimpleChannelInboundHandler<FullHttpRequest> {
        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
            EventLoop loop = calls != null ? calls.next() : (EventLoop) context.channel().eventLoop();
            String uri = request.uri(), id = uri.substring(uri.indexOf("id=") + 3);

            if (loop.inEventLoop())
                call(loop, id, text -> answer(context, text));
            else
                loop.execute(() -> call(loop, id, text -> answer(context, text)));
        }
    }

    static void answer(ChannelHandlerContext context, String text) {
        DefaultFullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK,
            Unpooled.copiedBuffer(text, US_ASCII));

        response.headers().set("Content-Length", response.content().readableBytes());
        context.writeAndFlush(response);
    }

    static EventLoopGroup group(int threads) {
        return epoll ? new EpollEventLoopGroup(threads) : new NioEventLoopGroup(threads);
    }

    public static void main(String[] args) throws Exception {
        int workers = Math.max(1, Integer.parseInt(args[2]) / 8);

        upstream = Integer.parseInt(args[1]);
        epoll = args[3].equals("epoll");
        calls = args[3].equals("apart") ? group(workers) : null;
        offload = args[3].equals("offload") ? new DefaultEventExecutorGroup(workers) : null;
        new ServerBootstrap().group(group(1), group(workers))
            .channel(epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class)
            .option(ChannelOption.SO_BACKLOG, 256).childOption(ChannelOption.TCP_NODELAY, true)
            .childHandler(new ChannelInitializer<Channel>() {
                @Override
                protected void initChannel(Channel channel) {
                    channel.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(65536));
                    channel.pipeline().addLast(offload, new Serve());
                }
            })
            .bind(InetAddress.getLoopbackAddress(), Integer.parseInt(args[0])).sync();
    }
}
