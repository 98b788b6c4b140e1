"""A client of a lock library for Python, in a process of its own.

    client.py contend LIBRARY KEY TURNS FILE URL...
        prints "ready", waits for a line, adds 1 to the number in FILE so many times, each time under the lock, and
        prints "done TURNS REFUSED": how often it did, and how often it was refused before
    client.py obey LIBRARY KEY TTL_MILLIS URL...
        does what stdin says: "acquire" tries once and prints "yes" or "no", "extend" prints "yes" or "no", "release" prints "yes"
"""

import random
import sys
import time

import pottery
import redis
import redlock

# Far longer than any turn.
TTL_MILLIS = 10_000


class RedlockPy:
    def __init__(self, key, ttl_millis, urls):
        self.key, self.ttl = key, ttl_millis
        # One attempt; zero would mean the default of three.
        self.library = redlock.Redlock(urls, retry_count=1, retry_delay=0.001)
        self.lock = None

    def try_acquire(self):
        self.lock = self.library.lock(self.key, self.ttl)
        return bool(self.lock)

    def extend(self):
        return False  # It cannot.

    def release(self):
        self.library.unlock(self.lock)


class Pottery:
    def __init__(self, key, ttl_millis, urls):
        masters = {redis.Redis.from_url(url) for url in urls}
        self.lock = pottery.Redlock(key=key, masters=masters, auto_release_time=ttl_millis / 1000)

    def try_acquire(self):
        return self.lock.acquire(blocking=False)

    def extend(self):
        try:
            self.lock.extend()
            return True
        except pottery.ExtendUnlockedLock:
            return False

    def release(self):
        try:
            self.lock.release()
        except pottery.ReleaseUnlockedLock:
            pass


LIBRARIES = {"redlock-py": RedlockPy, "pottery": Pottery}


def contend(library, key, turns, file, *urls):
    lock = LIBRARIES[library](key, TTL_MILLIS, urls)
    refused = 0
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(turns)):
        started = time.monotonic()
        while not lock.try_acquire():
            refused += 1
            time.sleep(random.uniform(0, 0.01))
            started = time.monotonic()
        with open(file) as text:
            number = int(text.read())
        # Whoever else is there gets the CPU.
        time.sleep(0)
        # The libraries do not renew by themselves; a machine that stands still must not be taken for a defect.
        if time.monotonic() - started > TTL_MILLIS / 2000:
            sys.exit("a turn took half the TTL: the machine is too slow for this test")
        with open(file, "w") as text:
            text.write(str(number + 1))
        lock.release()
    print("done", turns, refused, flush=True)


def obey(library, key, ttl_millis, *urls):
    lock = LIBRARIES[library](key, int(ttl_millis), urls)
    orders = {"acquire": lock.try_acquire, "extend": lock.extend, "release": lambda: lock.release() or True}
    for order in sys.stdin:
        print("yes" if orders[order.strip()]() else "no", flush=True)


if __name__ == "__main__":
    {"contend": contend, "obey": obey}[sys.argv[1]](*sys.argv[2:])
