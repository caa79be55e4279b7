#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""overload.py [--seconds 20] [--factor 4] [--pairs 0] [--steps]: an agent with too small a budget under nginx and wrk.

Measures what the agent takes for this load without a budget, gives it that divided by the factor, and
runs the load again. Shown and checked, exit status 1 if not so:
  balance   requests that nginx served = spans kept + spans left out + requests never told, and every
            account of the ledger; nothing lost
  budget    the agent stays within it at the end (on average over the last ten seconds)
  undone    with the load gone, everything is traced again (--seconds 60 and more)
--pairs N   as well: slices at one steady rate, without, with, without an agent that gets this rate's share of what
            it takes; nginx's latency (p50, p99) with it against the mean of its neighbours. Figures only, no verdict:
            the machine must be quiet."""
import argparse, os, re, signal, sys, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, '../e2e'))
import bench, prometheus

WARM = 2
STEADY = 5000  # requests/s


class Overload(bench.Bench):
    def agent(self, *options):
        log = open(self.dir + '/agent.log', 'w')
        env = dict(os.environ, OTEL_EXPORTER_OTLP_ENDPOINT=f'http://127.0.0.1:{self.otlp}', OTEL_BSP_MAX_QUEUE_SIZE='262144')
        pids = ','.join(str(p) for p in [m.pid for m in self.traced] + self.workers)
        p = self.run([bench.AGENT, 'agent', '--pid', pids, '--metrics', '127.0.0.1:0', *options], stderr=log, env=env)
        bench.wait_for(lambda: 'wirespan: ready' in self.log(), 'the agent')
        self.url = re.search(r'metrics: (http://\S+)', self.log()).group(1)
        return p

    def metric(self, name):
        text = urllib.request.urlopen(self.url).read().decode()
        return prometheus.total(prometheus.parse(text), name)

    def served(self):
        """Requests that the traced nginx answered, those for its status included."""
        return self.requests() + self.polls

    def wrk(self, seconds, rate=0):
        self.out = self.dir + '/wrk.out'
        argv = ['wrk', '-t1', '--latency', f'-d{seconds}s']
        if rate:
            with open(self.dir + '/delay.lua', 'w') as f:
                # not all connections at once: a burst would measure how long the last of it waits
                f.write('function delay() return math.random(1, 19) end\n')
            argv += ['-s', self.dir + '/delay.lua']
        conns = max(1, round(rate * 10.4 / 1000)) if rate else 16
        return self.run(argv + [f'-c{conns}', f'http://127.0.0.1:{self.front}/'], stdout=open(self.out, 'w'))

    def latency(self):
        text = open(self.out).read()
        unit = {'us': 1, 'ms': 1e3, 's': 1e6}
        return {p: float(v) * unit[u] for p, v, u in re.findall(r'^ +(50|99)% +([\d.]+)(us|ms|s)$', text, re.M)}


def without_budget(b, rate=0):
    agent = b.agent('--max-cpu', 'off')
    wrk = b.wrk(6, rate)
    time.sleep(WARM)
    c0, t0, r0 = bench.cpu_ns([agent.pid]), time.monotonic(), b.requests()
    time.sleep(3)
    c1, t1, r1 = bench.cpu_ns([agent.pid]), time.monotonic(), b.requests()
    wrk.wait()
    b.stop(agent)
    cores, rate = (c1 - c0) / 1e9 / (t1 - t0), (r1 - r0) / (t1 - t0)
    print(f'without a budget: {cores * 100:.1f} % of a core for {rate:.0f} requests/s')
    return cores


def steps(b, args):
    """What a step saves: a budget that asks for it, and CPU a request on it against none before it."""
    cores = without_budget(b)
    for cost in (.96, .91, .81, .52, .26, .13):
        agent = b.agent('--max-cpu', f'{cores * cost * 100:.2f}')
        wrk, took, last = b.wrk(24), {}, None
        while wrk.poll() is None:
            now = (b.metric('wirespan_shed_step'), bench.cpu_ns([agent.pid]), b.requests())
            if last and last[0] == now[0]:
                t = took.setdefault(int(now[0]), [0, 0])
                t[0] += now[1] - last[1]
                t[1] += now[2] - last[2]
            last = now
            time.sleep(1)
        b.stop(agent)
        of = {s: cpu / n / 1e3 for s, (cpu, n) in took.items() if n}
        print('us a request that nginx served: ' + ', '.join(f'step {s}: {us:.2f} ({us / of[0]:.2f})' for s, us in sorted(of.items())))


def number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def overload(b, args, budget):
    agent = b.agent('--max-cpu', f'{budget * 100:.2f}')
    before = b.served() - 1  # the agent saw this question, too
    wrk = b.wrk(args.seconds)
    steps, end = [], time.monotonic() + args.seconds
    c10 = None
    while wrk.poll() is None:
        time.sleep(1)
        step = b.metric('wirespan_shed_step')
        if not steps or steps[-1][1] != step:
            steps.append((round(args.seconds - (end - time.monotonic())), int(step)))
        if c10 is None and end - time.monotonic() <= 8:
            c10 = (bench.cpu_ns([agent.pid]), time.monotonic())
    cores = (bench.cpu_ns([agent.pid]) - c10[0]) / 1e9 / (time.monotonic() - c10[1])
    undone = True
    if args.seconds >= 60:
        deadline = time.monotonic() + 30
        while b.metric('wirespan_shed_step') and time.monotonic() < deadline:
            time.sleep(1)
        undone = b.metric('wirespan_shed_step') == 0
    served = b.served() - before
    b.stop(agent)
    return served, steps, cores, undone, b.log()


def judge(args, budget, served, steps, cores, undone, log):
    made = number(r'spans: made (\d+)', log)
    kept = number(r'sampled out: spans kept (\d+)', log) or made
    never = number(r'never told: (\d+) requests', log)
    lost = number(r'records: made \d+ = seen \d+ \+ lost (\d+)', log)
    gaps, touched = number(r'; gaps (\d+)', log), number(r'touched by loss (\d+)', log)
    alone = number(r'responses alone (\d+)', log)
    print(f'budget {budget * 100:.2f} % of a core, at the end {cores * 100:.2f} %; steps (second, step): {steps}')
    print(f'requests served {served} = spans {made} (kept {kept}, left out {made - kept}) + never told {never}: '
          f'difference {served - made - never}; records lost {lost}, gaps {gaps}, responses alone {alone}')
    faults = []
    if served != made + never:
        faults.append('requests do not balance')
    if lost or gaps or touched:
        faults.append('something was lost')
    if 'do not add up' in log:
        faults.append('the ledger does not add up')
    if not never:
        faults.append('nothing was shed')
    if cores > budget * 1.1:
        faults.append('the agent took more than its budget')
    if not undone:
        faults.append('shedding was not undone within 30 s without load')
    return faults


def pairs(b, args):
    ratios = {'50': [], '99': []}
    budget = without_budget(b, STEADY) / args.factor
    for _ in range(args.pairs):
        took = []
        for agent in (None, True, None):
            p = b.agent('--max-cpu', f'{budget * 100:.2f}') if agent else None
            if p:  # until it has found its step
                b.wrk(20, STEADY).wait()
            b.wrk(8, STEADY).wait()
            took.append(b.latency())
            if p:
                print(f"# shedding at step {b.metric('wirespan_shed_step'):.0f}", file=sys.stderr)
                b.stop(p)
        for q in ratios:
            ratios[q].append(100 * (2 * took[1][q] / (took[0][q] + took[2][q]) - 1))
        print(f'# p50 {[t["50"] for t in took]} us, p99 {[t["99"] for t in took]} us', file=sys.stderr)
    for q, v in ratios.items():
        print(f'latency p{q} with the agent at {STEADY} requests/s: {bench.spread(v, "%", 1)}')


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--seconds', type=int, default=30)
    ap.add_argument('--factor', type=float, default=4)
    ap.add_argument('--pairs', type=int, default=0)
    ap.add_argument('--steps', action='store_true', help='what each step saves, and nothing else')
    ap.add_argument('--log', action='store_true', help="show the agent's log")
    args = ap.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    b = Overload(False)
    try:
        if args.steps:
            return steps(b, args)
        budget = without_budget(b) / args.factor
        found = overload(b, args, budget)
        faults = judge(args, budget, *found)
        if faults or args.log:
            print(found[-1], file=sys.stderr)
        for f in faults:
            print(f'overload: {f}')
        if args.pairs:
            pairs(b, args)
        return 1 if faults else 0
    finally:
        b.close()


sys.exit(main())
