#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What Wirespan costs nginx, and what it loses. Python's library, nginx and wrk only; as root.

  bench.py pair  [--pairs 8] [--slice 3] [--proxy] [--capture PLAN]   added CPU a request, agent's CPU a request
  bench.py soak  [--rate 5000] [--seconds 60] [--proxy]   loss and memory at a steady rate
  bench.py others [--pairs 8] [--capture PLAN]       what calls cost a process that is not traced

pair: slices without, with, without the agent under one load; added = with - mean of its neighbours,
from /proc/PID/schedstat of nginx' worker and stub_status; ratios and medians, never wall time.
soak: requests answered by nginx against spans that the sink was sent, and the agent's own ledger.
One nginx worker, a static page (--proxy: in front of a second nginx), keep-alive, wrk with 16
connections, all on loopback; the agent traces that nginx only and exports every span as
OTLP/HTTP protobuf to a sink of this script."""
import argparse, http.server, os, re, shutil, signal, socket, statistics, subprocess, sys, tempfile, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
AGENT = os.path.join(HERE, '../../build/wirespan')


def free_ports(n):
    socks = [socket.socket() for _ in range(n)]
    for s in socks:
        s.bind(('127.0.0.1', 0))
    ports = [s.getsockname()[1] for s in socks]
    for s in socks:
        s.close()
    return ports


class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        left = int(self.headers['Content-Length'])
        while left > 0:
            left -= len(self.rfile.read(min(left, 1 << 20)))
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *args):
        pass


def sink(port):
    http.server.ThreadingHTTPServer(('127.0.0.1', port), Sink).serve_forever()


class Bench:
    def __init__(self, proxy, capture='auto'):
        self.capture = capture
        self.dir = tempfile.mkdtemp(prefix='wirespan-bench.')
        os.chmod(self.dir, 0o755)
        with open(self.dir + '/index.html', 'w') as f:
            f.write('x' * 611 + '\n')
        self.front, self.status, self.back, self.otlp = free_ports(4)
        self.kids = []
        self.polls = 0
        static = f'root {self.dir};'
        proxied = f'proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection "";'
        self.master = self.nginx('front', f'''
            upstream back {{ server 127.0.0.1:{self.back}; keepalive 64; }}
            server {{ listen 127.0.0.1:{self.front}; location / {{ {proxied if proxy else static} }} }}
            server {{ listen 127.0.0.1:{self.status}; location / {{ stub_status; }} }}''')
        self.traced = [self.master]
        if proxy:
            self.traced.append(self.nginx('back', f'server {{ listen 127.0.0.1:{self.back}; {static} }}'))
        self.workers = [c for m in self.traced for c in children(m.pid)]
        self.run([sys.executable, os.path.abspath(__file__), 'sink', '--port', str(self.otlp)])
        wait_for(lambda: answers(self.otlp), 'the sink')

    def run(self, argv, **kw):
        p = subprocess.Popen(argv, **kw)
        self.kids.append(p)
        return p

    def nginx(self, name, servers):
        conf = f'{self.dir}/{name}.conf'
        temp = ''.join(f'{k}_temp_path {self.dir}/t;' for k in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        with open(conf, 'w') as f:
            f.write(f'user root; daemon off; worker_processes 1; pid {self.dir}/{name}.pid; error_log {self.dir}/{name}.log;'
                    f'events {{ worker_connections 2048; }} http {{ access_log off; sendfile on; tcp_nopush on;'
                    f'keepalive_requests 1000000000; {temp} {servers} }}')
        p = self.run(['nginx', '-c', conf])
        wait_for(lambda: children(p.pid), 'nginx')
        return p

    def load(self, rate=0, seconds=100000):
        argv, conns = ['wrk', '-t1', f'-d{seconds}'], 16
        if rate:  # every connection waits 10 ms before each request
            conns = max(1, round(rate * 10.4 / 1000))
            with open(self.dir + '/delay.lua', 'w') as f:
                f.write('function delay() return 10 end\n')
            argv += ['-s', self.dir + '/delay.lua']
        return self.run(argv + [f'-c{conns}', f'http://127.0.0.1:{self.front}/'], stdout=subprocess.DEVNULL)

    def agent(self):
        log = open(self.dir + '/agent.log', 'w')
        env = dict(os.environ, OTEL_EXPORTER_OTLP_ENDPOINT=f'http://127.0.0.1:{self.otlp}')
        pids = ','.join(str(m.pid) for m in self.traced) + ',' + ','.join(map(str, self.workers))
        p = self.run([AGENT, 'agent', '--max-cpu', 'off', '--metrics', 'off', '--capture', self.capture,
                      '--pid', pids], stderr=log, env=env)
        wait_for(lambda: 'wirespan: ready' in self.log(), 'the agent')
        return p

    def log(self):
        return open(self.dir + '/agent.log').read()

    def requests(self):
        self.polls += 1
        text = urllib.request.urlopen(f'http://127.0.0.1:{self.status}/').read().split()
        return int(text[9]) - self.polls

    def stop(self, p):
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

    def close(self):
        for p in reversed(self.kids):
            self.stop(p)
        shutil.rmtree(self.dir, ignore_errors=True)


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(('127.0.0.1', port)) == 0


def wait_for(what, name):
    end = time.monotonic() + 20
    while not what():
        if time.monotonic() > end:
            sys.exit(f'bench: {name} did not start')
        time.sleep(0.05)


def children(pid):
    try:
        return [int(x) for x in open(f'/proc/{pid}/task/{pid}/children').read().split()]
    except OSError:
        return []


def cpu_ns(pids):
    return sum(int(open(f'/proc/{p}/schedstat').read().split()[0]) for p in pids)


def rss_kib(pid):
    return int(re.search(r'VmRSS:\s+(\d+)', open(f'/proc/{pid}/status').read()).group(1))


def map_bytes(pid):
    maps = {}
    for fd in os.listdir(f'/proc/{pid}/fdinfo'):
        text = open(f'/proc/{pid}/fdinfo/{fd}').read()
        if 'map_id' in text:
            maps[re.search(r'map_id:\s+(\d+)', text).group(1)] = int(re.search(r'memlock:\s+(\d+)', text).group(1))
    return sum(maps.values())


def spread(values, unit, digits=2):
    v = sorted(values)
    q = statistics.quantiles(v, n=4) if len(v) > 1 else [v[0]] * 3
    return f'{statistics.median(v):.{digits}f} {unit} [{q[0]:.{digits}f} to {q[2]:.{digits}f}]'


def slice_of(b, agent, seconds):
    c0, n0, r0 = cpu_ns([agent.pid]) if agent else 0, cpu_ns(b.workers), b.requests()
    t0 = time.monotonic()
    time.sleep(seconds)
    c1, n1, r1 = cpu_ns([agent.pid]) if agent else 0, cpu_ns(b.workers), b.requests()
    n = r1 - r0
    return (n1 - n0) / n / 1e3, (c1 - c0) / n / 1e3, n / (time.monotonic() - t0)


def pair(b, args):
    b.load()
    time.sleep(1.5)
    base, added, percent, agent_us, rps = [], [], [], [], []
    for i in range(args.pairs):
        before = slice_of(b, None, args.slice)
        agent = b.agent()
        time.sleep(1.5)
        with_ = slice_of(b, agent, args.slice)
        maps = map_bytes(agent.pid)
        b.stop(agent)
        time.sleep(0.5)
        after = slice_of(b, None, args.slice)
        without = (before[0] + after[0]) / 2
        base.append(without)
        added.append(with_[0] - without)
        percent.append(100 * (with_[0] / without - 1))
        agent_us.append(with_[1])
        rps.append(100 * (with_[2] * 2 / (before[2] + after[2]) - 1))
        print(f'# {i}: without {without:.1f} us, added {added[-1]:.2f} us, agent {agent_us[-1]:.2f} us', file=sys.stderr)
    print(f'nginx CPU a request without: {spread(base, "us")}')
    print(f'added to nginx a request:    {spread(added, "us")} = {spread(percent, "%", 1)}')
    print(f'agent CPU a request:         {spread(agent_us, "us")}')
    print(f'requests/s with:             {spread(rps, "%", 1)}')
    print(f'BPF map memory:              {maps / 2**20:.1f} MiB')


def others(args):
    """Rounds of calls.c, whose process nobody selects, without and with an agent that traces another one."""
    with tempfile.TemporaryDirectory(prefix='wirespan-bench.') as d:
        subprocess.run(['cc', '-O2', '-o', d + '/calls', HERE + '/calls.c'], check=True)
        calls = subprocess.Popen([d + '/calls'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        traced = subprocess.Popen(['sleep', '1000'])
        added = {}
        try:
            for i in range(args.pairs):
                before = rounds(calls)
                with open(d + '/log', 'w') as log:
                    agent = subprocess.Popen([AGENT, 'record', '-o', f'{d}/{i}', '--capture', args.capture, '--pid',
                                              str(traced.pid)], stderr=log)
                wait_for(lambda: 'wirespan: ready' in open(d + '/log').read(), 'the agent')
                with_ = rounds(calls)
                agent.terminate()
                agent.wait()
                after = rounds(calls)
                for way in with_:
                    added.setdefault(way, []).append(with_[way] - (before[way] + after[way]) / 2)
        finally:
            traced.kill()
            calls.stdin.close()
            calls.wait()
    for way, values in added.items():
        print(f'added to a call of a process that is not traced, {way}: {spread(values, "ns", 0)}')


def rounds(calls, n=12):
    """The least of some rounds: what disturbs only adds."""
    best = {}
    for _ in range(n):
        calls.stdin.write('\n')
        calls.stdin.flush()
        for _ in range(3):
            way, ns = calls.stdout.readline().split()
            best[way] = min(best.get(way, 1e9), float(ns))
    return best


def soak(b, args):
    agent = b.agent()
    r0, c0 = b.requests(), cpu_ns([agent.pid])
    wrk = b.load(args.rate, args.seconds)
    rss, start = [], time.monotonic()
    while wrk.poll() is None:
        time.sleep(min(5, args.seconds / 10))
        rss.append((round(time.monotonic() - start), rss_kib(agent.pid)))
    requests, c1 = b.requests() - r0, cpu_ns([agent.pid])
    b.stop(agent)
    log = b.log()
    spans = int(re.search(r'export: spans (\d+)', log).group(1))
    exported = int(re.search(r'= exported (\d+)', log).group(1))
    per = 1 if len(b.traced) == 1 else 3
    # stub_status' own requests are served, and traced, too
    polls = b.polls - 1
    print(f'requests {requests} in {args.seconds} s ({requests / args.seconds:.0f}/s), spans {spans}, exported {exported}')
    print(f'lost: {requests * per + polls - spans} of {requests * per} spans not made, {spans - exported} not exported')
    print(f'agent CPU a request: {(c1 - c0) / max(requests, 1) / 1e3:.2f} us')
    print(f'agent RSS: {rss[0][1] / 1024:.1f} MiB after {rss[0][0]} s, {rss[-1][1] / 1024:.1f} MiB after {rss[-1][0]} s, '
          f'most {max(r for _, r in rss) / 1024:.1f} MiB')
    for line in log.splitlines():
        if re.search(r'records|exchanges|spans|export', line):
            print('  ' + line)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('mode', choices=['pair', 'soak', 'others', 'sink'])
    ap.add_argument('--pairs', type=int, default=8)
    ap.add_argument('--slice', type=float, default=3)
    ap.add_argument('--proxy', action='store_true')
    ap.add_argument('--rate', type=int, default=5000)
    ap.add_argument('--seconds', type=int, default=60)
    ap.add_argument('--port', type=int)
    ap.add_argument('--capture', default='auto')
    args = ap.parse_args()
    if args.mode == 'sink':
        return sink(args.port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if args.mode == 'others':
        return others(args)
    b = Bench(args.proxy, args.capture)
    try:
        (pair if args.mode == 'pair' else soak)(b, args)
    finally:
        b.close()


if __name__ == '__main__':
    main()
