#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""start.py [--processes 500] [--starts 7]: how long a start takes, from exec to the line "ready".

The machine is as it is; besides, 500 processes hold 5,000 connections to one server, in a network namespace
of their own, and are what each way of selection finds. Median, least and most of some starts, and the CPU of
it, user and system. The connections that were announced are counted from a recording: none may be missing."""
import argparse, os, re, shutil, signal, statistics, subprocess, sys, tempfile, time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..')
WIRESPAN = os.path.join(ROOT, 'build/wirespan')
SOCKETS = 10  # CROWD_SOCKETS of churn.h
PORT = 20000 + os.getpid() % 10000  # ports are the machine's, also in a namespace: one that nobody else has


def start(options):
    """Seconds until ready, CPU seconds user and system by then, connection records."""
    before = time.monotonic()
    p = subprocess.Popen([WIRESPAN, 'trace', '--json', *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    said = b''
    for line in p.stderr:
        said += line
        if line.startswith(b'wirespan: ready'):
            break
    took = time.monotonic() - before
    if p.poll() is not None:
        sys.exit(f'it did not start: {said.decode()}')
    with open(f'/proc/{p.pid}/stat') as f:
        stat = f.read().rsplit(')', 1)[1].split()
    tick = os.sysconf('SC_CLK_TCK')
    time.sleep(0.3)  # the first connections are read
    p.send_signal(signal.SIGTERM)
    said += p.stderr.read()
    p.wait()
    made = re.search(rb'records: made (\d+)', said)
    return took, int(stat[11]) / tick, int(stat[12]) / tick, int(made[1]) if made else 0


def main():
    a = argparse.ArgumentParser()
    a.add_argument('--processes', type=int, default=500)
    a.add_argument('--starts', type=int, default=7)
    a.add_argument('--inside', help=argparse.SUPPRESS)
    a = a.parse_args()
    if not a.inside:
        where = tempfile.mkdtemp(prefix='wirespan-start.')
        try:
            return subprocess.call(['unshare', '--net', sys.executable, *sys.argv, '--inside', where])
        finally:
            shutil.rmtree(where)
    subprocess.check_call(['ip', 'link', 'set', 'lo', 'up'])
    name = 'wsstart%d' % (os.getpid() % 100000)
    program = f'{a.inside}/{name}'
    subprocess.check_call(['cc', '-O2', '-D_GNU_SOURCE', '-o', program, f'{ROOT}/tests/progs/churn.c', f'{ROOT}/tests/progs/churn_serve.c'])
    server = subprocess.Popen([program, 'serve', str(PORT)], stdout=subprocess.PIPE)
    server.stdout.readline()
    crowd = subprocess.Popen([program, 'crowd', str(PORT), str(a.processes)], stdout=subprocess.PIPE)
    try:
        crowd.stdout.read(a.processes)
        everything = len([p for p in os.listdir('/proc') if p.isdigit()])
        print(f'{everything} processes on this machine, {a.processes} of them ours with {a.processes * SOCKETS} connections; '
              f'{a.starts} starts each')
        ways = {'nothing': ['--comm', 'wsnothing'], 'comm': ['--comm', name], 'port': ['--port', str(PORT)],
                'pid': ['--pid', str(crowd.pid)], 'exe': ['--exe', program], 'syscall, comm': ['--capture', 'syscall', '--comm', name]}
        for way, options in ways.items():
            took, user, system, made = zip(*(start(options) for _ in range(a.starts)))
            print(f'{way:14} {statistics.median(took) * 1e3:5.0f} ms [{min(took) * 1e3:.0f}-{max(took) * 1e3:.0f}], CPU '
                  f'{statistics.median(user) * 1e3:.0f} + {statistics.median(system) * 1e3:.0f} ms, {min(made)} records')
            if way in ('comm', 'exe') and min(made) < 2 * a.processes * SOCKETS:
                sys.exit(f'{way}: connections are missing')
    finally:
        for p in (crowd, server):
            p.kill()
            p.wait()
    return 0


if __name__ == '__main__':
    sys.exit(main())
