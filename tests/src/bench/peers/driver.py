"""Measures redlock-py or pottery in a process of its own.

    driver.py LIBRARY URL...

prints a line, {"versions": "..."}, and then answers each line of stdin, {"tasks": T, "cycles": N, "prefix": "P"}: T threads do
N cycles altogether, each an acquire and a release of a new name that begins with P. The answer is
{"acquire": [ns...], "release": [ns...], "wall": ns, "cpu": ns} or {"error": "..."}.
"""

import importlib.metadata
import json
import platform
import sys
import threading
import time

import pottery
import redis
import redlock

TTL_MILLIS = 30_000


class RedlockPy:
    """By its defaults: three retries after 200 ms; nobody else wants these locks."""

    def __init__(self, urls):
        self.library = redlock.Redlock(urls)

    def acquire(self, name):
        lock = self.library.lock(name, TTL_MILLIS)
        if not lock:
            raise RuntimeError("a free lock was refused")
        return lock

    def release(self, lock):
        self.library.unlock(lock)


class Pottery:
    """An object a lock, which is made within the acquire: there is no other way to lock a new name."""

    def __init__(self, urls):
        self.masters = {redis.Redis.from_url(url) for url in urls}

    def acquire(self, name):
        lock = pottery.Redlock(key=name, masters=self.masters, auto_release_time=TTL_MILLIS / 1000)
        if not lock.acquire():
            raise RuntimeError("a free lock was refused")
        return lock

    def release(self, lock):
        lock.release()


LIBRARIES = {"redlock-py": RedlockPy, "pottery": Pottery}


def task(library, prefix, first, count, samples, errors):
    try:
        for n in range(first, first + count):
            started = time.monotonic_ns()
            lock = library.acquire(f"{prefix}:{n}")
            held = time.monotonic_ns()
            library.release(lock)
            samples.append((held - started, time.monotonic_ns() - held))
    except Exception as error:
        errors.append(f"{type(error).__name__}: {error}")


def block(library, tasks, cycles, prefix):
    each = max(1, cycles // tasks)
    samples, errors = [], []
    cpu, started = time.process_time_ns(), time.monotonic_ns()
    if tasks == 1:
        task(library, prefix, 0, each, samples, errors)
    else:
        all_tasks = [
            threading.Thread(target=task, args=(library, prefix, n * each, each, samples, errors)) for n in range(tasks)
        ]
        for one in all_tasks:
            one.start()
        for one in all_tasks:
            one.join()
    wall, cpu = time.monotonic_ns() - started, time.process_time_ns() - cpu
    if errors:
        return {"error": f"{len(errors)} of {tasks} tasks failed, the first: {errors[0]}"}
    acquire, release = zip(*samples)
    return {"acquire": acquire, "release": release, "wall": wall, "cpu": cpu}


def main(name, *urls):
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in (name, "redis"))
    print(json.dumps({"versions": f"Python {platform.python_version()}, {versions}"}), flush=True)
    library = LIBRARIES[name](urls)
    for line in sys.stdin:
        print(json.dumps(block(library, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
