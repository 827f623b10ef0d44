"""Celery under measurement. Its parts run as processes of their own:

  worker PORT CONCURRENCY FOLDER      says `ready`, and takes jobs once its input says `go`
  backlog PORT FROM COUNT             adds jobs over one connection
  steady PORT FROM COUNT RATE FOLDER  adds them one by one, RATE a second
  single PORT FROM COUNT FOLDER       adds one when the one before has ended

Settings are Celery's own unless said here. What happened is left in FOLDER as records of three 64-bit numbers, the
job's number first: in `ran-*` when its handler began and ended, in `added-*` when adding began and when Redis had
confirmed it; nanoseconds of the machine's monotonic clock.
"""

import glob
import hashlib
import os
import struct
import sys
import threading
import time

from celery import Celery, signals

RECORD = struct.Struct("<QQQ")
QUEUE = "bench"
FILLER = "".join(hashlib.md5(str(i).encode()).hexdigest() for i in range(1, 33))

mode, port, *rest = sys.argv[1:]
# Results would be one more write a job that nobody reads.
app = Celery("bench", broker=f"redis://127.0.0.1:{port}/0", task_ignore_result=True,
             broker_connection_retry_on_startup=True)
files = {}


def record(folder, name, *numbers):
    """At once, and whole: a process of the pool may be ended at any time."""
    file = files.get(os.getpid())
    if file is None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        file = files[os.getpid()] = os.open(f"{folder}/{name}-{os.getpid()}", flags, 0o644)
    os.write(file, RECORD.pack(*numbers))


@app.task(name="noop")
def noop(number, filler):
    begun = time.monotonic_ns()
    record(rest[1], "ran", number, begun, time.monotonic_ns())


def work(concurrency):
    def ready(**_):
        # Celery makes a log of standard output's words.
        os.write(1, b"ready\n")

    def listen():
        # Not by sys.stdin: its lock would be held while the pool forks, and its processes close it.
        while words := os.read(0, 100):
            if words.strip() == b"go":
                app.control.add_consumer(QUEUE, reply=True)

    signals.worker_ready.connect(ready, weak=False)
    threading.Thread(target=listen, daemon=True).start()
    # From a queue that stays empty, until it is told to take from ours too.
    app.worker_main(["worker", "--concurrency", concurrency, "--queues", "none", "--loglevel", "ERROR"])


def add(number, producer):
    noop.apply_async((number, FILLER), queue=QUEUE, producer=producer)


def timed(number, producer, folder):
    begun = time.monotonic_ns()
    add(number, producer)
    record(folder, "added", number, begun, time.monotonic_ns())


def steady(producer, first, count, rate, folder):
    started = time.monotonic()
    for i in range(count):
        early = started + i / rate - time.monotonic()
        if early > 0:
            time.sleep(early)
        timed(first + i, producer, folder)


def single(producer, first, count, folder):
    def ran():
        return sum(os.path.getsize(file) for file in glob.glob(f"{folder}/ran-*")) // RECORD.size

    before = ran()
    for i in range(count):
        timed(first + i, producer, folder)
        while ran() < before + i + 1:
            time.sleep(0.001)


if mode == "worker":
    work(rest[0])
else:
    with app.producer_pool.acquire(block=True) as connection:
        first, count = int(rest[0]), int(rest[1])
        if mode == "backlog":
            for number in range(first, first + count):
                add(number, connection)
        elif mode == "steady":
            steady(connection, first, count, float(rest[2]), rest[3])
        elif mode == "single":
            single(connection, first, count, rest[2])
        else:
            sys.exit(f"there is no mode {mode}")
